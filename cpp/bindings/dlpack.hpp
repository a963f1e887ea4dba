// Arrays of other libraries by DLPack, versions 0 and 1: taken without a copy, and given away.
#pragma once

#include <pybind11/pybind11.h>

namespace steepest {

void bind_dlpack(pybind11::module_& m);

}  // namespace steepest
