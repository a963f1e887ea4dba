// The work on copied columns of one ISA level. Compiled once per level, as passes.cpp is.
#include "cpp/kernels/column_descent.hpp"

namespace steepest {

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(column_descent_, level)

extern const ColumnsTable STEEPEST_NAME(STEEPEST_LEVEL);
const ColumnsTable STEEPEST_NAME(STEEPEST_LEVEL) = {&dots_of_columns, &add_columns_to, &multiply_columns,
                                                    &descend_along<double>};

}  // namespace steepest
