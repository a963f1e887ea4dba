// Included before cuda/bindings/module.cpp: adds the emulator's own functions to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace emulated {

void bind(pybind11::module_& m);

}  // namespace emulated

#define STEEPEST_BIND_MORE(m) ::emulated::bind(m)
