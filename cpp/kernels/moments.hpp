// Shifted sums and sums of squares of columns, of which their means and deviations are made.
#pragma once

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

constexpr std::size_t first_rows = 256;  // that tell about where the mean is

// Rows and columns of X with the weights of its rows.
template <class S>
struct Part {
    const Matrix<S>& X;
    const ArithmeticOf<S>* weight;
    std::size_t row, last_row, column, last_column;

    STEEPEST_INLINE double weight_of(std::size_t i) const { return weight ? double(weight[i]) : 1.0; }
    STEEPEST_INLINE const S* at(std::size_t i, std::size_t j) const {
        return X.data + (X.order == Order::row_major ? i * X.n_columns + j : j * X.n_rows + i);
    }
};

// Adds weight (x - shift) and weight (x - shift)^2 of W columns of some rows to `first` and `second`, row after row.
template <int W, std::size_t n_rows, class S>
STEEPEST_INLINE void add_columns(const S* const* x, const double* weights, std::size_t j, const double* shift,
                                 double* first, double* second) {
    const auto from = load<double, W>(shift + j);
    auto sum = load<double, W>(first + j), squares = load<double, W>(second + j);
    for (std::size_t k = 0; k < n_rows; ++k) {
        const auto difference = as_doubles<W, S>(load<S, W>(x[k] + j)) - from, weighted = weights[k] * difference;
        sum += weighted;
        squares += weighted * difference;
    }
    store<double, W>(first + j, sum);
    store<double, W>(second + j, squares);
}

// The same of n columns: by vectors of W of them, and less at the end.
template <int W, std::size_t n_rows, class S>
STEEPEST_INLINE void add_some_rows(const S* const* x, const double* weights, std::size_t j, std::size_t n,
                                   const double* shift, double* first, double* second) {
    if constexpr (is_widened<S> || W == 1) {
        STEEPEST_VECTORIZE
        for (; j < n; ++j) {
            for (std::size_t k = 0; k < n_rows; ++k) {
                const double difference = double(widen(x[k][j])) - shift[j], weighted = weights[k] * difference;
                first[j] += weighted;
                second[j] += weighted * difference;
            }
        }
    } else {
        for (; j + W <= n; j += W) add_columns<W, n_rows>(x, weights, j, shift, first, second);
        add_some_rows<W / 2, n_rows>(x, weights, j, n, shift, first, second);
    }
}

// The same of every column of a row-major part. Four rows at a time load and store the sums once.
template <class S>
void add_moments_of_rows(const Part<S>& part, const double* shift, double* first, double* second) {
    constexpr std::size_t together = 4;
    const std::size_t n = part.last_column - part.column;
    const S* rows[together];
    double weights[together];
    std::size_t held = 0;
    for (std::size_t i = part.row; i < part.last_row; ++i) {
        if ((weights[held] = part.weight_of(i)) == 0.0) continue;
        rows[held++] = part.at(i, part.column);
        if (held == together) {
            add_some_rows<lanes<double>, together>(rows, weights, 0, n, shift, first, second);
            held = 0;
        }
    }
    for (std::size_t k = 0; k < held; ++k)
        add_some_rows<lanes<double>, 1>(rows + k, weights + k, 0, n, shift, first, second);
}

// The same of n numbers of one column about one shift: in `n` sums of each kind, which the caller adds.
template <bool weighted, class S, class T = ArithmeticOf<S>>
STEEPEST_INLINE void add_segment(const S* x, const T* weight, std::size_t n, double shift, double* first,
                                 double* second) {
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) {
        const bool absent = weighted && weight[i] == T(0);
        const double difference = absent ? 0.0 : double(widen(x[i])) - shift;
        const double product = weighted ? double(weight[i]) * difference : difference;
        first[i] += product;
        second[i] += product * difference;
    }
}

// The same of a column-major X.
template <class S>
void add_moments_of_columns(const Part<S>& part, const double* shift, double* first, double* second) {
    constexpr std::size_t n_sums = 32;
    for (std::size_t j = part.column; j < part.last_column; ++j) {
        const double k = shift[j - part.column];
        double sums[n_sums] = {}, squares[n_sums] = {};
        for (std::size_t i = part.row; i < part.last_row; i += n_sums) {
            const std::size_t n = part.last_row - i < n_sums ? part.last_row - i : n_sums;
            if (part.weight) {
                add_segment<true>(part.at(i, j), part.weight + i, n, k, sums, squares);
            } else {
                add_segment<false>(part.at(i, j), part.weight, n, k, sums, squares);
            }
        }
        for (std::size_t lane = 0; lane < n_sums; ++lane) {
            first[j - part.column] += sums[lane];
            second[j - part.column] += squares[lane];
        }
    }
}

template <class S>
STEEPEST_INLINE void add_moments(const Part<S>& part, const double* shift, double* first, double* second) {
    if (part.X.order == Order::row_major) {
        add_moments_of_rows(part, shift, first, second);
    } else {
        add_moments_of_columns(part, shift, first, second);
    }
}

template <class S>
STEEPEST_INLINE double weight_to(const Part<S>& part, std::size_t last) {
    double weight = 0.0;
    for (std::size_t i = part.row; i < last; ++i) weight += part.weight_of(i);
    return weight;
}

// See ColumnKernels. The shift is the mean of the first rows. All sums are taken about it: then squares of the order of
// the deviation are subtracted, never of that of the mean (Chan, Golub and LeVeque, The American Statistician 37,
// 1983), and the mean is found to more digits than a number of its size holds.
template <class S>
double find_moments(const Matrix<S>& X, const ArithmeticOf<S>* weight, std::size_t row, std::size_t last_row,
                    std::size_t column, std::size_t last_column, const ColumnMoments& out) {
    Part<S> part{X, weight, row, last_row, column, last_column};
    double *shift = out.shift + column, *mean = out.mean + column, *squares = out.squares + column;
    const std::size_t n = last_column - column;
    while (part.row < last_row && part.weight_of(part.row) == 0.0) ++part.row;
    if (part.row == last_row) return 0.0;
    for (std::size_t j = 0; j < n; ++j) shift[j] = double(widen(*part.at(part.row, column + j)));
    part.last_row = part.row + first_rows < last_row ? part.row + first_rows : last_row;
    add_moments(part, shift, mean, squares);
    const double of_first = weight_to(part, part.last_row);
    for (std::size_t j = 0; j < n; ++j) {
        shift[j] += mean[j] / of_first;
        mean[j] = squares[j] = 0.0;
    }
    part.last_row = last_row;
    add_moments(part, shift, mean, squares);
    const double total = weight_to(part, last_row);
    for (std::size_t j = 0; j < n; ++j) {
        const double sum = mean[j];
        mean[j] = sum / total;
        squares[j] -= sum * mean[j];
    }
    return total;
}

}  // namespace
}  // namespace steepest
