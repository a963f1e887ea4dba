// One pass over consecutive rows of a column-major X: the transpose of rows.hpp. The segments that a block of rows has
// in all columns stay in cache between z += w_j x_j and g_j = x_j . r; the second of a block goes tile by tile with the
// first of the next, so that memory is never idle.
#pragma once

#include "cpp/kernels/rows.hpp"

namespace steepest {
namespace {

constexpr std::size_t column_block_bytes = 384 * 1024;
constexpr std::size_t min_column_block = 512;  // rows: memory gives shorter segments too slowly
constexpr std::size_t column_lead = 16;  // columns

template <class S>
STEEPEST_INLINE std::size_t column_block(std::size_t d) {
    const std::size_t fit = column_block_bytes / (d * sizeof(S)) / 64 * 64;
    return fit < min_column_block ? min_column_block : fit > max_block ? max_block : fit;
}

// n rows from `row` of the columns of X.
template <class S>
struct ColumnBlock {
    const Matrix<S>& X;
    std::size_t row, n;

    template <int K>
    STEEPEST_INLINE void find(std::size_t column, const S** x) const {
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) x[k] = X.data + (column + k) * X.n_rows + row;
    }

    // The tile of eight columns that comes `column_lead` columns later, in this block or the one that follows; null at
    // the end of the data.
    STEEPEST_INLINE const S* const* find_later(std::size_t column, const S** x) const {
        const std::size_t tiled = X.n_columns / 8 * 8, later = column + column_lead;
        const bool wraps = later >= tiled;
        if (wraps && (row + 2 * n > X.n_rows || later - tiled >= tiled)) return nullptr;
        ColumnBlock{X, wraps ? row + n : row, n}.template find<8>(wraps ? later - tiled : later, x);
        return x;
    }
};

// The scores of a block, tile by tile of columns.
template <class S, int W, class Stage>
struct ColumnScores {
    using T = ArithmeticOf<S>;
    Linear<T> point, direction;
    Accumulator<T, W> z, u;

    STEEPEST_INLINE ColumnScores(Linear<T> point_, Linear<T> direction_, StageArrays<T>& arrays, std::size_t n)
        : point(point_),
          direction(direction_),
          z(arrays.z, Stage::scores ? n : 0),
          u(arrays.u, Stage::direction ? n : 0) {}

    template <int K>
    STEEPEST_INLINE void add(const ColumnBlock<S>& block, std::size_t column, const S* const* later) {
        const S* x[K];
        block.template find<K>(column, x);
        if constexpr (Stage::scores) add_tile<S, W, K>(x, point.w + column, block.n, z, later);
        if constexpr (Stage::direction)
            add_tile<S, W, K>(x, direction.w + column, block.n, u, Stage::scores ? nullptr : later);
    }

    STEEPEST_INLINE void finish(std::size_t n) {
        if constexpr (Stage::scores) z.flush(n);
        if constexpr (Stage::direction) u.flush(n);
    }
};

// gradient_j += x_j . r for K columns.
template <class S, int W, int K, class T = ArithmeticOf<S>>
STEEPEST_INLINE void add_columns(const ColumnBlock<S>& block, std::size_t column, const Operand<T, W>& r,
                                 double* gradient, const S* const* later) {
    const S* x[K];
    T g[K];
    block.template find<K>(column, x);
    dots_of_tile<S, W, K>(x, r, block.n, g, later);
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) gradient[column + k] += double(g[k]);
}

// The blocks of n rows from `first` to `last`, a multiple of n apart.
template <class S, int W, class Stage, class T = ArithmeticOf<S>>
void pass_over_column_blocks(const Rows<S>& rows, std::size_t first, std::size_t last, std::size_t n, Linear<T> point,
                             Linear<T> direction, StageArrays<T>& arrays, ScoreSums<T>& sums) {
    const std::size_t d = rows.X.n_columns;
    ColumnScores<S, W, Stage> scores(point, direction, arrays, n);
    for_each_tile(d, [&](auto k, std::size_t j) { scores.template add<k.value>({rows.X, first, n}, j, nullptr); });
    for (std::size_t row = first; row < last; row += n) {
        scores.finish(n);
        finish_block<Stage>(arrays, point.bias, direction.bias, rows.y + row, rows.weight ? rows.weight + row : nullptr,
                            n, sums);
        const ColumnBlock<S> block{rows.X, row, n}, next{rows.X, row + n, n};
        const bool more = row + n < last;
        if (more) scores = ColumnScores<S, W, Stage>(point, direction, arrays, n);
        const Operand<T, W> r(arrays.r, n);
        for_each_tile(d, [&](auto k, std::size_t j) {
            const S* later_x[8];
            const S* const* later = k.value == 8 && more ? next.find_later(j, later_x) : nullptr;
            if constexpr (Stage::accumulates) add_columns<S, W, k.value>(block, j, r, sums.gradient, later);
            if (more) scores.template add<k.value>(next, j, later);
        });
    }
}

template <class S, class Stage, class T = ArithmeticOf<S>>
void pass_over_columns(const Rows<S>& rows, Linear<T> point, Linear<T> direction, ScoreSums<T>& sums) {
    const std::size_t n = column_block<S>(rows.X.n_columns), end = rows.begin + rows.count;
    const std::size_t whole = rows.begin + rows.count / n * n, rest = end - whole;
    StageArrays<T> arrays;
    if (whole > rows.begin)
        pass_over_column_blocks<S, lanes<S>, Stage>(rows, rows.begin, whole, n, point, direction, arrays, sums);
    if (rest) {
        with_width<S>(rest, [&](auto width) {
            pass_over_column_blocks<S, width.value, Stage>(rows, whole, end, rest, point, direction, arrays, sums);
        });
    }
}

}  // namespace
}  // namespace steepest
