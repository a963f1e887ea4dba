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

// The parameters of a score x . w + bias.
template <class T>
struct Linear {
    const T* w;
    T bias;
};

// The parameters of k scores, `row` elements each: n_columns of them, and the intercept last where there is one.
template <class T>
struct Scores {
    const T* w;
    std::size_t k, row, n_columns;
    STEEPEST_INLINE const T* of(std::size_t c) const { return w + c * row; }
    STEEPEST_INLINE T bias(std::size_t c) const { return row > n_columns ? w[c * row + n_columns] : T(0); }
};

}  // namespace steepest
