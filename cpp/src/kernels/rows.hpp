// One pass over rows of a row-major X, or over gathered rows of a column-major one. A block of rows stays in cache
// between its scores and its share of the gradient; float sums go to double every `flush_rows` rows.
#pragma once

#include "stages.hpp"
#include "steepest/kernels.hpp"
#include "tiles.hpp"

namespace steepest {
namespace {

constexpr std::size_t max_row_block = 256;
constexpr std::size_t flush_rows = 256;
constexpr std::size_t block_bytes = 16384;
constexpr std::size_t prefetch_bytes = 8192;

// A multiple of 8 rows of d elements that fits the first cache.
template <class T>
STEEPEST_INLINE std::size_t row_block(std::size_t d) {
    const std::size_t fit = block_bytes / (d * sizeof(T) + 1) / 8 * 8;
    return fit < 8 ? 8 : fit > max_row_block ? max_row_block : fit;
}

template <class T>
struct RowBlock {
    const T* x[max_row_block];
    T y_copy[max_row_block], weight_copy[max_row_block];
    const T *y, *weight;
};

template <class T>
STEEPEST_INLINE void prefetch_row(const Rows<T>& rows, std::size_t row) {
    if (rows.X.order == Order::row_major) {
        const std::size_t bytes = rows.X.n_columns * sizeof(T);
        const char* x = reinterpret_cast<const char*>(rows.X.data + row * rows.X.n_columns);
        for (std::size_t at = 0; at < (bytes < 2048 ? bytes : 2048); at += 64) __builtin_prefetch(x + at);
        __builtin_prefetch(x + bytes - 1);
    }
    __builtin_prefetch(rows.y + row);
    if (rows.weight) __builtin_prefetch(rows.weight + row);
}

// Rows [first, first + n) of the selection; column-major rows are gathered into `gathered`.
template <class T>
STEEPEST_INLINE void fetch(const Rows<T>& rows, std::size_t first, std::size_t n, T* gathered, RowBlock<T>& block) {
    const Matrix<T>& X = rows.X;
    const bool row_major = X.order == Order::row_major;
    const std::size_t distance = prefetch_bytes / (X.n_columns * sizeof(T) + 1) + 4;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t at = first + i;
        const std::size_t row = rows.index ? rows.index[at] : rows.begin + at;
        block.x[i] = row_major ? X.data + row * X.n_columns : gathered + i * X.n_columns;
        if (!row_major)
            for (std::size_t j = 0; j < X.n_columns; ++j) gathered[i * X.n_columns + j] = X.data[j * X.n_rows + row];
        if (rows.index) {
            if (at + distance < rows.count + rows.ahead) prefetch_row(rows, rows.index[at + distance]);
            block.y_copy[i] = rows.y[row];
            if (rows.weight) block.weight_copy[i] = rows.weight[row];
        }
    }
    block.y = rows.index ? block.y_copy : rows.y + rows.begin + first;
    block.weight = !rows.weight ? nullptr : rows.index ? block.weight_copy : rows.weight + rows.begin + first;
}

template <class T>
STEEPEST_INLINE void add_to_double(const T* values, std::size_t n, double* sums) {
#pragma GCC ivdep
    for (std::size_t j = 0; j < n; ++j) sums[j] += double(values[j]);
}

template <class T, int W, class Stage>
void pass_over_rows(const Rows<T>& rows, Linear<T> point, Linear<T> direction, T* scratch, Sums& sums) {
    const std::size_t d = rows.X.n_columns;
    const std::size_t block_size = row_block<T>(d);
    const Operand<T, W> w(Stage::scores ? point.w : direction.w, d);
    const Operand<T, W> v(Stage::direction ? direction.w : point.w, d);
    Accumulator<T, W> g(scratch, Stage::accumulates ? d : 0);
    StageArrays<T> arrays;
    RowBlock<T> block;
    std::size_t unflushed = 0;
    const auto flush = [&] {
        g.flush(d);
        add_to_double(g.values, d, sums.gradient);
        for (std::size_t j = 0; j < d; ++j) g.values[j] = T(0);
        unflushed = 0;
    };
    for (std::size_t i = 0; i < rows.count; i += block_size) {
        const std::size_t n = rows.count - i < block_size ? rows.count - i : block_size;
        fetch(rows, i, n, scratch + d, block);
        if constexpr (Stage::scores) dots<T, W>(block.x, n, w, d, arrays.z);
        if constexpr (Stage::direction) dots<T, W>(block.x, n, v, d, arrays.u);
        finish_block<Stage>(arrays, point.bias, direction.bias, block.y, block.weight, n, sums);
        if constexpr (Stage::accumulates) {
            add_rows<T, W>(block.x, n, arrays.r, d, g);
            unflushed += n;
            if (unflushed >= flush_rows) flush();
        }
    }
    if (Stage::accumulates && unflushed) flush();
}

}  // namespace
}  // namespace steepest
