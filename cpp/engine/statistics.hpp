// Mean and deviation of the columns of X, in one pass over it.
#pragma once

#include <cstddef>

#include "cpp/engine/threads.hpp"
#include "cpp/math/matrix.hpp"

namespace steepest {

// Weighted with `weight` (null: all 1), whose sum is positive; n_columns numbers each. The deviation is that of the
// population (divided by the sum of the weights), and exactly 0 where all rows of positive weight are equal.
template <class S>
void column_statistics(const Matrix<S>& X, const ArithmeticOf<S>* weight, double* mean, double* deviation, Interrupt&);

}  // namespace steepest
