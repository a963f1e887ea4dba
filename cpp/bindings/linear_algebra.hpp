// Factors of Hessians, minima of quadratic models, and the pairs of limited-memory BFGS.
#pragma once

#include <pybind11/pybind11.h>

namespace steepest {

void bind_linear_algebra(pybind11::module_& m);
void bind_pairs(pybind11::module_& m);

}  // namespace steepest
