// Passes over rows of one group of columns: a categorical column, of which a row is one gather and one scatter, or a
// few dense columns. They add to sums of all groups, and know no loss.
#pragma once

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

// Calls body(i, row) for the rows in turn.
template <class Body>
STEEPEST_INLINE void over_listed(const ListedRows& rows, Body body) {
    if (rows.index) {
        const std::uint32_t* index = rows.index + rows.first;
        for (std::size_t i = 0; i < rows.count; ++i) body(i, std::size_t(index[i]));
    } else {
        for (std::size_t i = 0; i < rows.count; ++i) body(i, rows.first + i);
    }
}

template <class C, class T>
void add_code_products(const Codes<C>& X, const ListedRows& rows, const T* w, double* z) {
    const auto n = std::uint32_t(X.n_columns);
    over_listed(rows, [&](std::size_t i, std::size_t row) {
        const std::uint32_t j = X.column(row);
        const bool inside = j < n;
        const T value = w[inside ? j : 0];
        z[i] += inside ? double(value) : 0.0;
    });
}

// A row that has no column here adds to a number that nobody reads.
template <class C, class T>
void add_code_rows(const Codes<C>& X, const ListedRows& rows, const T* r, const ColumnRange& range, double* gradient) {
    const auto first = std::uint32_t(range.column), n = std::uint32_t(range.last_column) - first;
    double unread = 0.0;
    double* from = gradient + first;
    over_listed(rows, [&](std::size_t i, std::size_t row) {
        const std::uint32_t j = X.column(row) - first;
        double* target = j < n ? from + j : &unread;
        *target += double(r[i]);
    });
}

// The sum of the products of n numbers, in vectors.
template <class T>
STEEPEST_INLINE double dot_of(const T* x, const T* w, std::size_t n) {
    constexpr int W = lanes<T>;
    using V = Vector<T, W>;
    V total[2] = {};
    std::size_t j = 0;
    for (; j + 2 * W <= n; j += 2 * W) {
#pragma GCC unroll 2
        for (int k = 0; k < 2; ++k) total[k] += load<T, W>(x + j + k * W) * load<T, W>(w + j + k * W);
    }
    double sum = 0.0;
    if (j > 0) {
        T folded;
        fold<T, W, 1>(total[0] + total[1], &folded);
        sum = double(folded);
    }
    for (; j < n; ++j) sum += double(x[j]) * double(w[j]);
    return sum;
}

template <class T>
void add_number_products(const Matrix<T>& X, const ListedRows& rows, const T* w, double* z) {
    const std::size_t d = X.n_columns;
    if (X.order == Order::row_major) {
        over_listed(rows, [&](std::size_t i, std::size_t row) { z[i] += dot_of(X.data + row * d, w, d); });
        return;
    }
    for (std::size_t j = 0; j < d; ++j) {
        const T* x = X.data + j * X.n_rows;
        const double weight = double(w[j]);
        over_listed(rows, [&](std::size_t i, std::size_t row) { z[i] += double(x[row]) * weight; });
    }
}

template <class T>
void add_number_rows(const Matrix<T>& X, const ListedRows& rows, const T* r, const ColumnRange& range,
                     double* gradient) {
    const std::size_t d = X.n_columns;
    if (X.order == Order::row_major) {
        over_listed(rows, [&](std::size_t i, std::size_t row) {
            const T* x = X.data + row * d;
            const double slope = double(r[i]);
            STEEPEST_VECTORIZE
            for (std::size_t j = range.column; j < range.last_column; ++j) gradient[j] += slope * double(x[j]);
        });
        return;
    }
    for (std::size_t j = range.column; j < range.last_column; ++j) {
        const T* x = X.data + j * X.n_rows;
        if (!rows.index) {
            gradient[j] += dot_of(x + rows.first, r, rows.count);
            continue;
        }
        double sum = 0.0;
        over_listed(rows, [&](std::size_t i, std::size_t row) { sum += double(r[i]) * double(x[row]); });
        gradient[j] += sum;
    }
}

}  // namespace
}  // namespace steepest
