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

constexpr std::size_t few_columns = 128;
constexpr std::size_t code_sums = 4;

// Of few columns. Rows that follow each other add to different sums, so that none waits for the one before to be
// stored: most have the same code. All codes have a sum, -1 too.
template <class C, class T, class Row>
STEEPEST_INLINE void add_few_code_rows(const Codes<C>& X, std::size_t count, Row row, const T* r,
                                       const ColumnRange& range, double* gradient) {
    double sums[code_sums * (few_columns + 2)];
    const std::size_t step = X.n_columns + X.first + 1;
    for (std::size_t j = 0; j < code_sums * step; ++j) sums[j] = 0.0;
    double* const of[code_sums] = {sums + 1, sums + 1 + step, sums + 1 + 2 * step, sums + 1 + 3 * step};
    std::size_t i = 0;
    for (; i + code_sums <= count; i += code_sums) {
#pragma GCC unroll 4
        for (std::size_t k = 0; k < code_sums; ++k) of[k][X.codes[row(i + k)]] += double(r[i + k]);
    }
    for (; i < count; ++i) of[0][X.codes[row(i)]] += double(r[i]);
    for (std::size_t j = range.column; j < range.last_column; ++j) {
        const std::size_t at = j + X.first;
        gradient[j] += (of[0][at] + of[1][at]) + (of[2][at] + of[3][at]);
    }
}

// Of many columns, rows that have none in the range add to sums that nobody reads.
template <class C, class T>
void add_code_rows(const Codes<C>& X, const ListedRows& rows, const T* r, const ColumnRange& range, double* gradient) {
    if (X.n_columns <= few_columns) {  // not by the range, which must not change the order of a sum
        if (!rows.index)
            return add_few_code_rows(
                X, rows.count, [first = rows.first](std::size_t i) { return first + i; }, r, range, gradient);
        return add_few_code_rows(
            X, rows.count, [index = rows.index + rows.first](std::size_t i) { return std::size_t(index[i]); }, r, range,
            gradient);
    }
    const std::uint32_t first = std::uint32_t(range.column), n = std::uint32_t(range.last_column) - first;
    double unread[code_sums] = {}, *from = gradient + first;
    over_listed(rows, [&](std::size_t i, std::size_t row) {
        const std::uint32_t j = X.column(row) - first;
        double* target = j < n ? from + j : unread + i % code_sums;
        *target += double(r[i]);
    });
}

constexpr std::size_t dot_block = 1024;  // numbers whose products are added up as T

// The sum of the products of n numbers, in vectors.
template <class T>
STEEPEST_INLINE double dot_of(const T* x, const T* w, std::size_t n) {
    constexpr int W = lanes<T>;
    double sum = 0.0;
    std::size_t j = 0;
    while (j + 2 * W <= n) {
        const std::size_t end = n - j < dot_block ? n : j + dot_block;
        Vector<T, W> total[2] = {};
        for (; j + 2 * W <= end; j += 2 * W) {
#pragma GCC unroll 2
            for (int k = 0; k < 2; ++k) total[k] += load<T, W>(x + j + k * W) * load<T, W>(w + j + k * W);
        }
        T folded;
        fold<T, W, 1>(total[0] + total[1], &folded);
        sum += double(folded);
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

// The sum of r_i times the number of row i, whose numbers are `step` apart.
template <class T, class Row>
STEEPEST_INLINE double strided_dot(const T* x, std::size_t step, std::size_t count, Row row, const T* r) {
    double sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {
#pragma GCC unroll 4
        for (std::size_t k = 0; k < 4; ++k) sums[k] += double(r[i + k]) * double(x[row(i + k) * step]);
    }
    for (; i < count; ++i) sums[0] += double(r[i]) * double(x[row(i) * step]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

constexpr std::size_t wide_rows = 16;  // of so many columns, rows are added one by one

template <class T>
void add_number_rows(const Matrix<T>& X, const ListedRows& rows, const T* r, const ColumnRange& range,
                     double* gradient) {
    const std::size_t d = X.n_columns;
    const bool by_rows = X.order == Order::row_major;
    if (by_rows && d >= wide_rows) {
        over_listed(rows, [&](std::size_t i, std::size_t row) {
            const T* x = X.data + row * d;
            const double slope = double(r[i]);
            STEEPEST_VECTORIZE
            for (std::size_t j = range.column; j < range.last_column; ++j) gradient[j] += slope * double(x[j]);
        });
        return;
    }
    const std::size_t step = by_rows ? d : 1, apart = by_rows ? 1 : X.n_rows;
    for (std::size_t j = range.column; j < range.last_column; ++j) {
        const T* x = X.data + j * apart;
        if (rows.index) {
            const std::uint32_t* index = rows.index + rows.first;
            gradient[j] +=
                strided_dot(x, step, rows.count, [index](std::size_t i) { return std::size_t(index[i]); }, r);
        } else if (step == 1) {
            gradient[j] += dot_of(x + rows.first, r, rows.count);
        } else {
            gradient[j] +=
                strided_dot(x, step, rows.count, [first = rows.first](std::size_t i) { return first + i; }, r);
        }
    }
}

}  // namespace
}  // namespace steepest
