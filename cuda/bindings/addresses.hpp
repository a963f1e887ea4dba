// Addresses as Python gives them, for all files of the bindings.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>

#include "cuda/launch/device.hpp"

namespace py = pybind11;

namespace steepest::cuda {

using Address = std::uintptr_t;

template <class T>
T* pointer(Address address) {
    return reinterpret_cast<T*>(address);
}

inline Stream stream_of(Address stream) { return reinterpret_cast<Stream>(stream); }

void bind_devices(py::module_&);
void bind_memory(py::module_&);
void bind_sparse(py::module_&);
void bind_columns(py::module_&);
void bind_scores(py::module_&);
void bind_softmax(py::module_&);

}  // namespace steepest::cuda
