// The kernels of the ISA level in use for columns of floats.
#pragma once

#include "cpp/kernels/narrow_columns.hpp"

namespace steepest {

const NarrowTable& narrow_kernels();

}  // namespace steepest
