// One pass over consecutive rows of a column-major X: the transpose of rows.hpp. The segments of a block's rows in all
// columns stay in the second cache between z += w_j x_j and g_j = x_j . r.
#pragma once

#include "rows.hpp"

namespace steepest {
namespace {

constexpr std::size_t column_block_bytes = 384 * 1024;
constexpr std::size_t min_column_block = 64;

template <class T>
STEEPEST_INLINE std::size_t column_block(std::size_t d) {
    const std::size_t fit = column_block_bytes / (d * sizeof(T)) / 64 * 64;
    return fit < min_column_block ? min_column_block : fit > max_block ? max_block : fit;
}

// z = sum_j w_j x_j over the n rows from `row`.
template <class T, int W>
STEEPEST_INLINE void scores_of_columns(const Matrix<T>& X, std::size_t row, std::size_t n, const T* w, T* z) {
    Accumulator<T, W> sum(z, n);
    for_each_tile(X.n_columns, [&](auto k, std::size_t j) {
        const T* x[k.value];
        for (int c = 0; c < k.value; ++c) x[c] = X.data + (j + c) * X.n_rows + row;
        add_tile<T, W, k.value>(x, w + j, n, sum);
    });
    sum.flush(n);
}

// gradient_j += x_j . r over the n rows from `row`.
template <class T, int W>
STEEPEST_INLINE void add_columns(const Matrix<T>& X, std::size_t row, std::size_t n, const T* r, double* gradient) {
    const Operand<T, W> operand(r, n);
    for_each_tile(X.n_columns, [&](auto k, std::size_t j) {
        const T* x[k.value];
        T g[k.value];
        for (int c = 0; c < k.value; ++c) x[c] = X.data + (j + c) * X.n_rows + row;
        dots_of_tile<T, W, k.value>(x, operand, n, g);
        add_to_double(g, k.value, gradient + j);
    });
}

template <class T, int W, class Stage>
void pass_over_column_block(const Rows<T>& rows, std::size_t row, std::size_t n, Linear<T> point, Linear<T> direction,
                            StageArrays<T>& arrays, Sums& sums) {
    if constexpr (Stage::scores) scores_of_columns<T, W>(rows.X, row, n, point.w, arrays.z);
    if constexpr (Stage::direction) scores_of_columns<T, W>(rows.X, row, n, direction.w, arrays.u);
    const T* weight = rows.weight ? rows.weight + row : nullptr;
    finish_block<Stage>(arrays, point.bias, direction.bias, rows.y + row, weight, n, sums);
    if constexpr (Stage::accumulates) add_columns<T, W>(rows.X, row, n, arrays.r, sums.gradient);
}

template <class T, class Stage>
void pass_over_columns(const Rows<T>& rows, Linear<T> point, Linear<T> direction, Sums& sums) {
    const std::size_t block_size = column_block<T>(rows.X.n_columns);
    StageArrays<T> arrays;
    for (std::size_t i = 0; i < rows.count; i += block_size) {
        const std::size_t n = rows.count - i < block_size ? rows.count - i : block_size;
        with_width<T>(n, [&](auto width) {
            pass_over_column_block<T, width.value, Stage>(rows, rows.begin + i, n, point, direction, arrays, sums);
        });
    }
}

}  // namespace
}  // namespace steepest
