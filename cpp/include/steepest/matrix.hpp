// Views of the data: raw pointers and sizes, no ownership.
#pragma once

#include <cstddef>
#include <cstdint>

#include "steepest/storage.hpp"

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

}  // namespace steepest
