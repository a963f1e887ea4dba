// Sums over rows as Python has them: tuples of numbers and arrays.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "cpp/engine/source.hpp"
#include "cpp/engine/sums.hpp"

namespace py = pybind11;

namespace steepest {

// (weight, loss, slopes, gradient)
py::tuple as_tuple(const Sums& sums);
Sums sums_of(const py::handle& object, const SumsShape& shape);

// (row, block, values), without a gradient. `shape` has the columns of a score, its intercept among them.
py::tuple as_tuple(const HessianSums& sums);
HessianSums hessian_sums_of(const py::handle& object, const SumsShape& shape);

void bind_sums(py::module_& m);

}  // namespace steepest
