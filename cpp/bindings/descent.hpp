#pragma once

#include <pybind11/pybind11.h>

namespace steepest {

// After the objectives, which descents take.
void bind_descents(pybind11::module_& m);

}  // namespace steepest
