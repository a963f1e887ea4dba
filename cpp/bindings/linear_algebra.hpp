// Factors of Hessians, and minima of quadratic models.
#pragma once

#include <pybind11/pybind11.h>

namespace steepest {

void bind_linear_algebra(pybind11::module_& m);

}  // namespace steepest
