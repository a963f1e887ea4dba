// Views of the data: raw pointers and sizes, no ownership.
#pragma once

#include <cstddef>
#include <cstdint>

#include "steepest/macros.hpp"

namespace steepest {

enum class Order { row_major, column_major };

// Of 16 bits each, widened to float in registers; or as they are computed with.
enum class Storage { whole, float16, bfloat16 };

template <class T>
struct Matrix {
    const void* data;  // elements of T or, by `storage`, of 16 bits
    std::size_t n_rows, n_columns;
    Order order;
    Storage storage = Storage::whole;

    STEEPEST_INLINE const T* elements() const { return static_cast<const T*>(data); }
    STEEPEST_INLINE const std::uint16_t* halves() const { return static_cast<const std::uint16_t*>(data); }
    STEEPEST_INLINE bool narrow() const { return sizeof(T) == sizeof(float) && storage != Storage::whole; }
    STEEPEST_INLINE std::size_t element_bytes() const { return narrow() ? sizeof(std::uint16_t) : sizeof(T); }
};

// Rows of X with their targets and weights (null: all 1): `count` rows from `begin`, or those that `index` lists.
// `ahead` more entries of `index` may be read past `count`, to prefetch the rows that come next.
template <class T>
struct Rows {
    Matrix<T> X;
    const T* y;
    const T* weight;
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
