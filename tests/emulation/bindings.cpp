#include "bindings.hpp"

#include <pybind11/stl.h>

#include <cstring>
#include <stdexcept>

#include "calls.hpp"
#include "contexts.hpp"
#include "queue.hpp"
#include "settings.hpp"

namespace py = pybind11;

namespace emulated {
namespace {

void expect_success(cudaError_t error) {
    if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorName(cudaGetLastError()));
}

cudaStream_t stream_at(std::uintptr_t address) { return reinterpret_cast<cudaStream_t>(address); }

void bind_streams(py::module_& m) {
    m.def("emulated_stream", [] {  // one that is not ordered with the legacy stream
        cudaStream_t stream = nullptr;
        expect_success(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        return reinterpret_cast<std::uintptr_t>(stream);
    });
    m.def("emulated_begin_capture", [](std::uintptr_t stream) {
        expect_success(cudaStreamBeginCapture(stream_at(stream), cudaStreamCaptureModeGlobal));
    });
    m.def("emulated_end_capture", [](std::uintptr_t stream) {
        cudaGraph_t graph = nullptr;
        expect_success(cudaStreamEndCapture(stream_at(stream), &graph));
        return reinterpret_cast<std::uintptr_t>(graph);
    });
    m.def("emulated_launch_graph", [](std::uintptr_t graph, std::uintptr_t stream) {
        expect_success(cudaGraphLaunch(reinterpret_cast<cudaGraph_t>(graph), stream_at(stream)));
    });
}

}  // namespace

void bind(py::module_& m) {
    m.def(
        "emulated_set",
        [](const std::string& name, const py::object& value) { set(name, std::string(py::str(value))); },
        py::arg("name"), py::arg("value"));
    m.def("emulated_contexts", &contexts);
    m.def("emulated_current_context", &current_context);
    m.def("emulated_forget_contexts", &forget_contexts);
    m.def("emulated_calls", &calls);
    m.def("emulated_forget_calls", &forget_calls);
    // What another owner of the memory does at once, on a stream of its own.
    m.def("emulated_poison", [](std::uintptr_t pointer, std::size_t n_bytes) {
        std::memset(reinterpret_cast<void*>(pointer), 0xff, n_bytes);
    });
    bind_streams(m);
}

}  // namespace emulated
