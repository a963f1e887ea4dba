// Copies of columns and work on them.
#pragma once

#include <pybind11/pybind11.h>

namespace steepest {

void bind_column_descent(pybind11::module_& m);

}  // namespace steepest
