// What Python asks of data alone: the order of its rows, its sum and the statistics of its columns.
#pragma once

#include <pybind11/pybind11.h>

namespace steepest {

void bind_data(pybind11::module_& m);

}  // namespace steepest
