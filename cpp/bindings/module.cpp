// The module _core: check, release the GIL, call. Only this folder knows pybind11.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdlib>
#include <string>

#include "cpp/bindings/column_descent.hpp"
#include "cpp/bindings/data.hpp"
#include "cpp/bindings/descent.hpp"
#include "cpp/bindings/dlpack.hpp"
#include "cpp/bindings/linear_algebra.hpp"
#include "cpp/bindings/objective.hpp"
#include "cpp/bindings/source.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

namespace py = pybind11;

#ifndef STEEPEST_CUDA_REASON
#define STEEPEST_CUDA_REASON ""
#endif
constexpr const char* cuda_reason = STEEPEST_CUDA_REASON;  // why there is no module _cuda; empty: it was built

int checked_threads(int n, int least) {
    if (n < least || n > max_threads)
        throw py::value_error("n must be from " + std::to_string(least) + " to " + std::to_string(max_threads) +
                              ", got " + std::to_string(n));
    return n;
}

void bind_runtime(py::module_& m) {
    m.attr("cuda_reason") = cuda_reason;
    m.attr("max_threads") = max_threads;
    m.def("set_threads", [](int n) { set_threads(checked_threads(n, 0)); }, py::arg("n"));
    m.def("threads_setting", &threads_setting);
    m.def("set_own_threads", [](int n) { set_own_threads(checked_threads(n, as_all)); }, py::arg("n"));
    m.def("own_threads_setting", &own_threads_setting);
    m.def("threads_in_use", &threads_in_use);
    m.def("built_with_openmp", &built_with_openmp);
    m.def("isa_levels", &built_levels);
    m.def("isa_levels_supported", &supported_levels);
    m.def("isa_level", &chosen_level);
    m.def("choose_isa_level", [](const std::string& level) { choose_level(level.c_str()); }, py::arg("level"));
}

}  // namespace
}  // namespace steepest

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    using namespace steepest;
    choose_level(std::getenv("STEEPEST_ISA"));
    bind_sources(m);
    bind_objectives(m);
    bind_descents(m);
    bind_runtime(m);
    bind_data(m);
    bind_linear_algebra(m);
    bind_column_descent(m);
    bind_dlpack(m);
}
