// Copies of some columns of X, as doubles, and sums of its rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/engine/interrupt.hpp"
#include "cpp/math/matrix.hpp"
#include "cpp/math/sparse.hpp"

namespace steepest {

// Writes n_rows numbers for each of `count` columns, which differ: 0 in a row of weight 0 (null: all 1).
template <class S>
void copy_columns(const Matrix<S>& X, const ArithmeticOf<S>* weight, const std::uint32_t* which, std::size_t count,
                  double* out, Interrupt&);

// The same of a sparse X, whose indices are valid.
template <class V, class I>
void copy_columns(const SparseMatrix<V, I>& X, const ArithmeticOf<V>* weight, const std::uint32_t* which,
                  std::size_t count, double* out, Interrupt&);

// out[k] = the sum of r[k][i] times row i of X, for `count` vectors r[k] of n_rows numbers each. Rows of weight 0 are
// left out.
template <class S>
void combine_rows(const Matrix<S>& X, const ArithmeticOf<S>* weight, const double* r, std::size_t count, double* out,
                  Interrupt&);

}  // namespace steepest
