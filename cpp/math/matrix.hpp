// Views of the data: raw pointers and sizes, no ownership.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/math/storage.hpp"

namespace steepest {

enum class Order { row_major, column_major };

template <class S>
struct Matrix {
    const S* data;
    std::size_t n_rows, n_columns;
    Order order;
};

// Rows of X with their targets and weights (null: all 1): `count` rows from `begin`, or those that `index` lists.
// `ahead` more entries of `index` may be read past `count`, to prefetch the rows that come next.
template <class S>
struct Rows {
    Matrix<S> X;
    const ArithmeticOf<S>* y;
    const ArithmeticOf<S>* weight;
    const std::uint32_t* index;
    std::size_t begin, count, ahead;
};

// The parameters of a row's scores x . w + intercept: of each score n_columns numbers, then the intercept where
// `stride` has room for one. With `row_offsets` the targets of the rows are numbers, each the bits of a T, of rows of
// that table: n_scores numbers that are added to the scores, then the label.
template <class T>
struct Coefficients {
    const T* w;
    std::size_t n_scores, stride, n_columns;
    const T* row_offsets = nullptr;
    STEEPEST_INLINE const T* of(std::size_t c) const { return w + c * stride; }
    STEEPEST_INLINE bool has_intercept() const { return stride > n_columns; }
    STEEPEST_INLINE T bias(std::size_t c) const { return has_intercept() ? w[c * stride + n_columns] : T(0); }
};

}  // namespace steepest
