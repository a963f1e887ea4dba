// The Python face of the devices and their memory.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>

#include "cpp/bindings/gil.hpp"
#include "cuda/bindings/addresses.hpp"
#include "cuda/launch/order.hpp"
#include "cuda/launch/pool.hpp"
#include "cuda/launch/survey.hpp"

namespace steepest::cuda {
namespace {

constexpr Address thread_stream = 2;  // of each thread another one, so that no pool can follow its order

// Memory with an owner. With a stream it is taken from the pool, and goes back there unless it was shared with others.
struct BoundBuffer {
    void* data = nullptr;
    std::size_t n_bytes;
    int device;
    std::optional<Address> stream;
    bool shared = false;  // with work that the stream does not order

    BoundBuffer(std::size_t n_bytes_, int device_, std::optional<Address> stream_)
        : n_bytes(n_bytes_), device(device_), stream(stream_ == thread_stream ? std::nullopt : stream_) {
        cuda::device(device);
        const GilReleased released;
        const OnDevice here(device);
        data = stream ? take(device, stream_of(*stream), room()) : allocate(room());
    }
    ~BoundBuffer() { free(); }
    BoundBuffer(const BoundBuffer&) = delete;
    BoundBuffer& operator=(const BoundBuffer&) = delete;
    void free() {
        if (!data) return;
        void* const own = std::exchange(data, nullptr);  // before another thread may come
        const GilReleased released;  // the device may have work left, which the freeing waits for
        if (stream && !shared) {
            give_back(own, device, stream_of(*stream), room());
        } else {
            free_memory(own, device);
        }
    }
    std::size_t room() const { return n_bytes ? n_bytes : 1; }
    Address address() const { return reinterpret_cast<Address>(data); }
};

// Objects that work on a stream still reads: they die after it.
class Kept {
  public:
    Kept(py::object objects, int device_number, Address stream) : device_(device_number), objects_(std::move(objects)) {
        const OnDevice here(device_);
        event_.emplace(stream_of(stream));
    }
    ~Kept() {
        if (!event_) return;
        const GilReleased released;
        try {
            const OnDevice here(device_);
            event_->wait();
            event_.reset();
        } catch (const Error&) {  // the driver is gone, and the work with it
        }
    }
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    bool done() const {
        const OnDevice here(device_);
        return event_->done();
    }

  private:
    int device_;
    std::optional<Event> event_;
    py::object objects_;
};

py::tuple survey_of(const std::string& dtype, Address address, std::size_t n, int device_number, Address stream) {
    const auto found = [&] {
        const GilReleased released;
        const OnDevice here(device_number);
        return dtype == "float32" ? survey(pointer<const float>(address), n, stream_of(stream))
                                  : survey(pointer<const double>(address), n, stream_of(stream));
    }();
    return py::make_tuple(found.first_not_finite, found.first_not_label, found.minimum, found.sum);
}

void check_pointer(const std::string& name, Address address, int device_number) {
    const int found = device_of(pointer<void>(address));
    if (found == device_number) return;
    const std::string came = found < 0 ? "an address that is not GPU memory (freed, or of the host)"
                                       : "memory of device " + std::to_string(found);
    throw py::value_error(name + " must be memory of CUDA device " + std::to_string(device_number) + ", got " + came);
}

py::dict describe(int number) {
    const Device& d = device(number);
    py::dict found;
    found["name"] = d.name;
    found["compute_capability"] = py::make_tuple(d.major, d.minor);
    found["memory"] = d.memory;
    found["multiprocessors"] = d.multiprocessors;
    return found;
}

}  // namespace

void bind_memory(py::module_& m) {
    py::class_<Kept>(m, "Kept")
        .def(py::init<py::object, int, Address>(), py::arg("objects"), py::arg("device"), py::arg("stream"))
        .def_property_readonly("done", &Kept::done);
    py::class_<BoundBuffer>(m, "Buffer")
        .def(py::init<std::size_t, int, std::optional<Address>>(), py::arg("n_bytes"), py::arg("device"),
             py::arg("stream") = py::none())
        .def_readwrite("shared", &BoundBuffer::shared)
        .def_property_readonly("pointer", &BoundBuffer::address)
        .def_readonly("n_bytes", &BoundBuffer::n_bytes)
        .def_readonly("device", &BoundBuffer::device)
        .def("free", &BoundBuffer::free);
    m.def(
        "wait_for_device",
        [](int device_number) {
            const GilReleased released;
            const OnDevice here(device_number);
            wait_for_device();
        },
        py::arg("device"));
    m.def(
        "copy_to_host",
        [](Address source, py::array array, int device_number, Address stream) {
            void* target = array.mutable_data();
            const auto n_bytes = std::size_t(array.nbytes());
            const GilReleased released;
            const OnDevice here(device_number);
            copy_to_host(target, pointer<void>(source), n_bytes, stream_of(stream));
        },
        py::arg("source"), py::arg("array").noconvert(), py::arg("device"), py::arg("stream"));
    m.def(
        "copy_to_device",
        [](const py::array& array, Address target, int device_number, Address stream) {
            const void* source = array.data();
            const auto n_bytes = std::size_t(array.nbytes());
            const GilReleased released;
            const OnDevice here(device_number);
            copy_to_device(pointer<void>(target), source, n_bytes, stream_of(stream));
            wait(stream_of(stream));
        },
        py::arg("array").noconvert(), py::arg("target"), py::arg("device"), py::arg("stream"));
    m.def(
        "copy",
        [](Address source, Address target, std::size_t n_bytes, int device_number, Address stream) {
            const OnDevice here(device_number);
            copy(pointer<void>(target), pointer<void>(source), n_bytes, stream_of(stream));
        },
        py::arg("source"), py::arg("target"), py::arg("n_bytes"), py::arg("device"), py::arg("stream"));
    m.def(
        "fill_zero",
        [](Address target, std::size_t n_bytes, int device_number, Address stream) {
            const OnDevice here(device_number);
            fill_zero(pointer<void>(target), n_bytes, stream_of(stream));
        },
        py::arg("target"), py::arg("n_bytes"), py::arg("device"), py::arg("stream"));
    m.def(
        "refuse_capture",
        [](const std::string& doing, int device_number, Address stream) {
            const OnDevice here(device_number);
            refuse_capture(doing, stream_of(stream));
        },
        py::arg("doing"), py::arg("device"), py::arg("stream"));
    m.def("device_of", [](Address address) { return device_of(pointer<void>(address)); }, py::arg("pointer"));
    m.def("check_pointer", &check_pointer, py::arg("name"), py::arg("pointer"), py::arg("device"));
    m.def(
        "row_order",
        [](std::size_t n, std::uint64_t seed, std::uint64_t epoch, Address target, int device_number, Address stream) {
            const GilReleased released;
            const OnDevice here(device_number);
            Buffer counts;
            counts.reserve(bytes_of_counts(n));
            make_order(n, seed, epoch, pointer<std::uint32_t>(target), counts.as<std::uint32_t>(),
                       device(device_number), stream_of(stream));
            wait(stream_of(stream));
        },
        py::arg("n"), py::arg("seed"), py::arg("epoch"), py::arg("target"), py::arg("device"), py::arg("stream"));
    m.def("survey", &survey_of, py::arg("dtype"), py::arg("pointer"), py::arg("n"), py::arg("device"),
          py::arg("stream"));
}

void bind_devices(py::module_& m) {
    m.def("reason", []() -> py::object {
        const std::string reason = why_no_device();
        return reason.empty() ? py::object(py::none()) : py::cast(reason);
    });
    m.def("device_count", &count_devices);
    m.def("device", &describe, py::arg("number"));
    m.def("versions", [] {
        py::dict versions;
        versions["runtime"] = runtime_version();
        versions["driver"] = driver_version();
#if defined(STEEPEST_CUDA_ARCHITECTURES)
        versions["architectures"] = STEEPEST_CUDA_ARCHITECTURES;
#else
        versions["architectures"] = "";
#endif
        return versions;
    });
}

}  // namespace steepest::cuda
