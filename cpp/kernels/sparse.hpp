// Passes over the rows of a sparse X: products of rows with w, and rows added up. Both wait for numbers of w and of the
// sums that lie anywhere, so they ask for them ahead.
#pragma once

#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

constexpr std::size_t entries_ahead = 32;

// Entries are read past the end of a row, never past that of X.
template <class V, class I>
STEEPEST_INLINE std::size_t last_ahead(const SparseMatrix<V, I>& X) {
    const std::size_t n = X.n_elements();
    return n < entries_ahead ? 0 : n - entries_ahead;
}

// In four sums of double: entries of the same column may cancel, and a row may be long.
template <class V, class I, class T = ArithmeticOf<V>>
STEEPEST_INLINE double product_of(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last, const T* w,
                                  std::size_t ahead) {
    double sums[4] = {};
    std::size_t e = first;
    for (; e + 4 <= last; e += 4) {
        if (e + 4 <= ahead) {
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) __builtin_prefetch(w + X.columns[e + k + entries_ahead]);
        }
#pragma GCC unroll 4
        for (std::size_t k = 0; k < 4; ++k) sums[k] += double(X.value(e + k)) * double(w[X.columns[e + k]]);
    }
    for (; e < last; ++e) sums[0] += double(X.value(e)) * double(w[X.columns[e]]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <class V, class I, class T = ArithmeticOf<V>>
double product(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last, const T* w) {
    return product_of(X, first, last, w, last_ahead(X));
}

template <class V, class I, class T = ArithmeticOf<V>>
void products(const SparseMatrix<V, I>& X, const SparseRows& rows, const T* w, std::size_t longest, T* z) {
    const std::size_t ahead = last_ahead(X);
    for (std::size_t i = 0; i < rows.count; ++i) {
        const std::size_t row = rows.row(i), first = X.start(row), last = X.start(row + 1);
        if (last - first <= longest) z[i] = T(product_of(X, first, last, w, ahead));
    }
}

// Calls body(entry, column, i) with every entry of a part, i the place of its row in the selection.
template <class V, class I, class Ahead, class Body>
STEEPEST_INLINE void over_entries(const SparseMatrix<V, I>& X, const SparseRows& rows, const SparsePart& part,
                                  Ahead prefetch, Body body) {
    const std::size_t ahead = last_ahead(X), span = part.last_column - part.column;
    for (std::size_t i = 0; i < rows.count; ++i) {
        const std::size_t row = rows.row(i), start = X.start(row);
        if (part.scattered) {
            for (std::size_t e = start; e < X.start(row + 1); ++e) {
                const std::size_t column = std::size_t(X.columns[e]);
                if (column - part.column < span) body(e, column, i);
            }
            continue;
        }
        const std::size_t first = part.from ? start + part.from[row] : start;
        const std::size_t last = part.to ? start + part.to[row] : X.start(row + 1);
        for (std::size_t e = first; e < last; ++e) {
            if (e < ahead) prefetch(std::size_t(X.columns[e + entries_ahead]));
            body(e, std::size_t(X.columns[e]), i);
        }
    }
}

template <class V, class I, class T = ArithmeticOf<V>>
void add_rows(const SparseMatrix<V, I>& X, const SparseRows& rows, const T* r, const SparsePart& part,
              double* gradient) {
    over_entries(
        X, rows, part, [gradient](std::size_t column) { __builtin_prefetch(gradient + column, 1); },
        [&](std::size_t e, std::size_t column, std::size_t i) {
            gradient[column] += double(r[i]) * double(X.value(e));
        });
}

template <class V, class I, class T = ArithmeticOf<V>>
void add_weights(const SparseMatrix<V, I>& X, const SparseRows& rows, const T* weight, const SparsePart& part,
                 double* present, double* first) {
    over_entries(
        X, rows, part, [](std::size_t) {},
        [&](std::size_t e, std::size_t column, std::size_t i) {
            const double s = weight ? double(weight[i]) : 1.0;
            if (s == 0.0) return;
            present[column] += s;
            first[column] += s * double(X.value(e));
        });
}

template <class V, class I, class T = ArithmeticOf<V>>
void add_squares(const SparseMatrix<V, I>& X, const SparseRows& rows, const T* weight, const SparsePart& part,
                 const double* mean, double* second) {
    over_entries(
        X, rows, part, [](std::size_t) {},
        [&](std::size_t e, std::size_t column, std::size_t i) {
            const double s = weight ? double(weight[i]) : 1.0;
            if (s == 0.0) return;
            const double difference = double(X.value(e)) - mean[column];
            second[column] += s * difference * difference;
        });
}

}  // namespace
}  // namespace steepest
