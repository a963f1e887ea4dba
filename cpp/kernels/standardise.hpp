// Blocks of rows whose columns are standardised: (x - centre) * inverse, in the arithmetic of X.
#pragma once

#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

template <class S>
STEEPEST_INLINE std::size_t row_of(const Rows<S>& rows, std::size_t at) {
    return rows.index ? rows.index[at] : rows.begin + at;
}

template <class S, class T = ArithmeticOf<S>>
STEEPEST_INLINE void standardise_rows(const Rows<S>& rows, std::size_t first, std::size_t n, const double* centre,
                                      const double* inverse, T* out) {
    const std::size_t d = rows.X.n_columns;
    for (std::size_t i = 0; i < n; ++i, out += d) {
        const S* x = rows.X.data + row_of(rows, first + i) * d;
        STEEPEST_VECTORIZE
        for (std::size_t j = 0; j < d; ++j) out[j] = T((double(widen(x[j])) - centre[j]) * inverse[j]);
    }
}

template <class S, class T = ArithmeticOf<S>>
STEEPEST_INLINE void standardise_columns(const Rows<S>& rows, std::size_t first, std::size_t n, const double* centre,
                                         const double* inverse, T* out) {
    const std::size_t d = rows.X.n_columns;
    for (std::size_t j = 0; j < d; ++j) {
        const S* x = rows.X.data + j * rows.X.n_rows;
        const double c = centre[j], s = inverse[j];
        if (!rows.index) {
            x += rows.begin + first;
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < n; ++i) out[j * n + i] = T((double(widen(x[i])) - c) * s);
        } else {
            for (std::size_t i = 0; i < n; ++i) out[i * d + j] = T((double(widen(x[rows.index[first + i]])) - c) * s);
        }
    }
}

// A row of weight 0 is absent, but what is standardised of it may have overflowed.
template <class T>
STEEPEST_INLINE void clear_absent(const T* weight, std::size_t n, std::size_t d, bool in_rows, T* x) {
    for (std::size_t i = 0; i < n; ++i) {
        if (weight[i] != T(0)) continue;
        for (std::size_t j = 0; j < d; ++j) x[in_rows ? i * d + j : j * n + i] = T(0);
    }
}

// See ColumnKernels.
template <class S, class T = ArithmeticOf<S>>
void standardise(const Rows<S>& rows, std::size_t first, std::size_t n, const double* centre, const double* inverse,
                 T* x, T* y, T* weight) {
    const bool in_rows = rows.X.order == Order::row_major || rows.index;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t row = row_of(rows, first + i);
        y[i] = rows.y[row];
        if (rows.weight) weight[i] = rows.weight[row];
    }
    if (rows.X.order == Order::row_major) {
        standardise_rows(rows, first, n, centre, inverse, x);
    } else {
        standardise_columns(rows, first, n, centre, inverse, x);
    }
    if (rows.weight) clear_absent(weight, n, rows.X.n_columns, in_rows, x);
}

}  // namespace
}  // namespace steepest
