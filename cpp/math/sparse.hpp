// Views of rows in compressed form (CSR): raw pointers and sizes, no ownership.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/math/matrix.hpp"

namespace steepest {

// The storage of values that are all 1: it has no numbers, and is computed with as T.
template <class T>
struct Ones {};
template <class T>
struct Arithmetic<Ones<T>> {
    using type = T;
};
template <class V>
constexpr bool is_ones = false;
template <class T>
constexpr bool is_ones<Ones<T>> = true;

// Row i has the entries [start(i), start(i + 1)): values at columns, in any order; entries of the same column add up.
// Either kind of number may be 32 or 64 bits wide.
template <class V, class I>
struct SparseMatrix {
    const V* values;  // not read where V has none
    const I* columns;
    const void* starts;
    bool wide_starts;
    std::size_t n_rows, n_columns;

    STEEPEST_HOST_DEVICE std::size_t start(std::size_t row) const {
        return wide_starts ? std::size_t(static_cast<const std::int64_t*>(starts)[row])
                           : std::size_t(static_cast<const std::int32_t*>(starts)[row]);
    }
    STEEPEST_HOST_DEVICE std::size_t n_elements() const { return start(n_rows); }
    STEEPEST_HOST_DEVICE ArithmeticOf<V> value(std::size_t entry) const {
        if constexpr (is_ones<V>) {
            return ArithmeticOf<V>(1);
        } else {
            return widen(values[entry]);
        }
    }
};

// What stands for a row of weight 0 among the numbers that rows are multiplied by before they are added up: -0. Such a
// row is absent, whatever it holds. A slope that is -0 adds nothing either.
template <class T>
constexpr T absent_row = T(-0.0);
template <class T>
STEEPEST_INLINE bool is_absent(T r) {
    return r == T(0) && __builtin_signbit(r);
}

// X(V, I): every pair of value and index types. A build for tests may name fewer.
#define STEEPEST_FOR_EACH_INDEX(X, V) X(V, std::int32_t) X(V, std::int64_t)
#if !defined(STEEPEST_FOR_EACH_SPARSE)
#define STEEPEST_FOR_EACH_SPARSE(X)      \
    STEEPEST_FOR_EACH_INDEX(X, float)    \
    STEEPEST_FOR_EACH_INDEX(X, double)   \
    STEEPEST_FOR_EACH_INDEX(X, Float16)  \
    STEEPEST_FOR_EACH_INDEX(X, BFloat16) \
    STEEPEST_FOR_EACH_INDEX(X, Ones<float>) STEEPEST_FOR_EACH_INDEX(X, Ones<double>)
#endif

}  // namespace steepest
