// DLPack: the structs that its specification lays down, capsules that are consumed and capsules that are made.
#include "cpp/bindings/dlpack.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"

namespace steepest {
namespace {

struct Device {
    std::int32_t type, id;
};
constexpr std::int32_t cpu = 1, cuda = 2, cuda_host = 3, cuda_managed = 13;

struct DType {
    std::uint8_t code, bits;
    std::uint16_t lanes;
};

struct Tensor {
    void* data;
    Device device;
    std::int32_t ndim;
    DType dtype;
    std::int64_t *shape, *strides;  // in elements; no strides: C-contiguous
    std::uint64_t byte_offset;
};

struct Legacy {
    static constexpr const char *name = "dltensor", *used = "used_dltensor";
    Tensor tensor;
    void* context;
    void (*deleter)(Legacy*);
};

struct Versioned {
    static constexpr const char *name = "dltensor_versioned", *used = "used_dltensor_versioned";
    static constexpr std::uint32_t major_version = 1;
    static constexpr std::uint64_t read_only = 1;
    std::uint32_t major, minor;
    void* context;
    void (*deleter)(Versioned*);
    std::uint64_t flags;
    Tensor tensor;
};

struct NamedDType {
    const char* name;
    DType dtype;
};
constexpr NamedDType dtypes[] = {
    {"float32", {2, 32, 1}}, {"float64", {2, 64, 1}},   {"float16", {2, 16, 1}},     {"bfloat16", {4, 16, 1}},
    {"int8", {0, 8, 1}},     {"int16", {0, 16, 1}},     {"int32", {0, 32, 1}},       {"int64", {0, 64, 1}},
    {"uint8", {1, 8, 1}},    {"uint16", {1, 16, 1}},    {"uint32", {1, 32, 1}},      {"uint64", {1, 64, 1}},
    {"bool", {6, 8, 1}},     {"complex64", {5, 64, 1}}, {"complex128", {5, 128, 1}},
};

std::string name_of(DType dtype) {
    for (const auto& [name, known] : dtypes)
        if (known.code == dtype.code && known.bits == dtype.bits && known.lanes == dtype.lanes) return name;
    throw py::type_error("a DLPack dtype that NumPy has too was expected, got code " + std::to_string(dtype.code) +
                         ", " + std::to_string(dtype.bits) + " bits, " + std::to_string(dtype.lanes) + " lanes");
}

DType dtype_of(const std::string& name) {
    for (const auto& [known, dtype] : dtypes)
        if (name == known) return dtype;
    throw py::type_error("unknown dtype '" + name + "'");
}

// A consumed tensor on a device. Its death, like that of the array over CPU memory, calls the producer's deleter.
struct DeviceTensor {
    std::uintptr_t pointer;
    py::tuple shape, strides;
    std::string dtype;
    std::int32_t device;
    bool read_only;
    py::object owner;
};

template <class Managed>
py::object owner_of(Managed* managed) {
    return py::capsule(managed, [](void* pointer) {
        const py::error_scope kept;
        auto* dead = static_cast<Managed*>(pointer);
        if (dead->deleter) dead->deleter(dead);
    });
}

py::object view_of(const Tensor& tensor, bool read_only, py::object owner) {
    const std::string name = name_of(tensor.dtype);
    std::vector<py::ssize_t> shape(tensor.shape, tensor.shape + tensor.ndim), strides(shape.size());
    py::ssize_t contiguous = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
        strides[i] = tensor.strides ? py::ssize_t(tensor.strides[i]) : contiguous;
        contiguous *= shape[i];
    }
    char* const data = static_cast<char*>(tensor.data) + tensor.byte_offset;
    const std::int32_t type = tensor.device.type;
    if (type == cuda || type == cuda_managed)
        return py::cast(DeviceTensor{reinterpret_cast<std::uintptr_t>(data), py::tuple(py::cast(shape)),
                                     py::tuple(py::cast(strides)), name, tensor.device.id, read_only, owner});
    if (type != cpu && type != cuda_host)
        throw py::type_error("memory of the CPU or of CUDA was expected, got DLPack device type " +
                             std::to_string(type));
    for (py::ssize_t& stride : strides) stride *= tensor.dtype.bits / 8;
    py::array array(dtype_of_storage(name), shape, strides, data, owner);
    if (read_only) array.attr("setflags")(py::arg("write") = false);
    return array;
}

template <class Managed>
Managed* consume(const py::object& capsule) {
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), Managed::name));
    if (!managed) throw py::error_already_set();
    if constexpr (requires { managed->major; })
        if (managed->major != Managed::major_version)
            throw py::type_error("DLPack of version 0 or 1 was expected, got version " +
                                 std::to_string(managed->major));
    if (PyCapsule_SetName(capsule.ptr(), Managed::used) != 0) throw py::error_already_set();
    return managed;
}

py::object capsule_of(const py::object& producer, const py::object& stream) {
    py::dict keywords;
    if (!stream.is_none()) keywords["stream"] = stream;
    const py::object method = producer.attr("__dlpack__");
    try {
        return method(**keywords, py::arg("max_version") = py::make_tuple(Versioned::major_version, 0));
    } catch (py::error_already_set& error) {
        if (!error.matches(PyExc_TypeError)) throw;
    }
    return method(**keywords);
}

py::object open_dlpack(const py::object& producer, const py::object& stream) {
    const py::object capsule = capsule_of(producer, stream);
    if (PyCapsule_IsValid(capsule.ptr(), Versioned::name)) {
        auto* managed = consume<Versioned>(capsule);
        return view_of(managed->tensor, managed->flags & Versioned::read_only, owner_of(managed));
    }
    if (PyCapsule_IsValid(capsule.ptr(), Legacy::name)) {
        auto* managed = consume<Legacy>(capsule);
        return view_of(managed->tensor, false, owner_of(managed));
    }
    throw py::type_error("__dlpack__ must return a new DLPack capsule, got " +
                         py::cast<std::string>(py::repr(capsule)));
}

// A tensor given away, with what it points to.
template <class Managed>
struct Given {
    Managed managed{};
    std::vector<std::int64_t> shape, strides;
    py::object owner;

    static void release(Managed* managed) {
        if (!Py_IsInitialized()) return;
        const GilHeld gil;
        const py::error_scope kept;
        delete static_cast<Given*>(managed->context);
    }
    static void destroy(PyObject* capsule) {
        if (!PyCapsule_IsValid(capsule, Managed::name)) return;  // consumed: its consumer releases it
        release(static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::name)));
    }
};

template <class Managed>
py::object give(const Tensor& tensor, std::vector<std::int64_t> shape, bool read_only, py::object owner) {
    auto given = std::make_unique<Given<Managed>>();
    given->shape = std::move(shape);
    given->owner = std::move(owner);
    given->strides.assign(given->shape.size(), 1);
    for (std::size_t i = given->shape.size(); i-- > 1;) given->strides[i - 1] = given->strides[i] * given->shape[i];
    given->managed.tensor = tensor;
    given->managed.tensor.shape = given->shape.data();
    given->managed.tensor.strides = given->strides.data();
    given->managed.context = given.get();
    given->managed.deleter = &Given<Managed>::release;
    if constexpr (requires { given->managed.flags; }) {
        given->managed.major = Managed::major_version;
        given->managed.flags = read_only ? Managed::read_only : 0;
    }
    PyObject* capsule = PyCapsule_New(&given->managed, Managed::name, &Given<Managed>::destroy);
    if (!capsule) throw py::error_already_set();
    given.release();
    return py::reinterpret_steal<py::object>(capsule);
}

py::object to_dlpack(std::uintptr_t pointer, const std::vector<std::int64_t>& shape, const std::string& dtype,
                     std::int32_t device_type, std::int32_t device_id, const py::object& owner, bool versioned,
                     bool read_only) {
    const Tensor tensor{reinterpret_cast<void*>(pointer),
                        {device_type, device_id},
                        std::int32_t(shape.size()),
                        dtype_of(dtype),
                        nullptr,
                        nullptr,
                        0};
    if (versioned) return give<Versioned>(tensor, shape, read_only, owner);
    if (read_only) throw py::buffer_error("DLPack before version 1 cannot give a read-only array: ask for version 1");
    return give<Legacy>(tensor, shape, false, owner);
}

}  // namespace

void bind_dlpack(py::module_& m) {
    py::class_<DeviceTensor>(m, "DeviceTensor")
        .def_readonly("pointer", &DeviceTensor::pointer)
        .def_readonly("shape", &DeviceTensor::shape)
        .def_readonly("strides", &DeviceTensor::strides)
        .def_readonly("dtype", &DeviceTensor::dtype)
        .def_readonly("device", &DeviceTensor::device)
        .def_readonly("read_only", &DeviceTensor::read_only);
    m.def("open_dlpack", &open_dlpack, py::arg("producer"), py::arg("stream") = py::none());
    m.def("to_dlpack", &to_dlpack, py::arg("pointer"), py::arg("shape"), py::arg("dtype"), py::arg("device_type"),
          py::arg("device_id"), py::arg("owner"), py::arg("versioned") = true, py::arg("read_only") = false);
}

}  // namespace steepest
