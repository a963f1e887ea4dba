// One pass over consecutive rows of a column-major X: the transpose of rows.hpp. A block of rows has a segment in each
// column. One sweep over them adds up the scores z += w_j x_j, and the next one, which goes back, the gradient
// g_j = x_j . r: what the caches still hold of the segments is what it begins with, so that a block larger than they
// are is not read twice in full. The hardware finds the rest of a segment once it has begun.
#pragma once

#include "cpp/kernels/rows.hpp"

namespace steepest {
namespace {

constexpr std::size_t column_block_bytes = 384 * 1024;
// Of a segment, at least, as memory gives shorter ones too slowly.
constexpr std::size_t min_segment_bytes = 512;
// Rows of a block that no cache holds as a whole: as there are so many columns, or as they are a multiple of so many
// bytes apart and so share a few sets of a cache. Narrow numbers take as many, in segments of fewer bytes. Where the
// caches hold all of X, nothing is lost by longer segments.
constexpr std::size_t long_column_block = 1024, wide_row_bytes = 16384;
constexpr std::size_t sharing_column_block = 512, sharing_stride = 1024;

// Whether there are so many columns that the processor must find their pages anew in each sweep.
template <class S>
STEEPEST_INLINE bool is_wide(std::size_t d) {
    return d * sizeof(S) > wide_row_bytes;
}

// The least rows of a block that is swept twice.
template <class S>
STEEPEST_INLINE std::size_t least_column_block(const Matrix<S>& X) {
    if (is_widened<S> || is_wide<S>(X.n_columns)) return long_column_block;
    const bool stays = X.n_rows * X.n_columns * sizeof(S) <= cached_bytes;
    if (stays || X.n_rows * sizeof(S) % sharing_stride == 0) return sharing_column_block;
    return min_segment_bytes / sizeof(S);
}

// The rows of a block; a pass that sweeps only once need not keep it.
template <class S, class Stage>
STEEPEST_INLINE std::size_t column_block(const Matrix<S>& X) {
    const std::size_t fit = column_block_bytes / (X.n_columns * sizeof(S)) / 64 * 64;
    if (fit >= sharing_column_block) return fit > max_block ? max_block : fit;
    const std::size_t least = Stage::accumulates ? least_column_block(X) : max_block;
    return fit < least ? least : fit;
}

// How many of the rows are in blocks of n. The rest is one block more, together with the last one where it is short.
STEEPEST_INLINE std::size_t rows_in_blocks(std::size_t count, std::size_t n) {
    const std::size_t rest = count % n, whole = count - rest;
    return whole && rest && rest < n / 2 && n + rest <= max_block ? whole - n : whole;
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

    // Asks for the beginning of up to eight columns, whose pages the processor then finds meanwhile.
    STEEPEST_INLINE void ask_for_tile(std::size_t column) const {
        constexpr std::size_t line = 64;
        if (row + n > X.n_rows || n * sizeof(S) < 2 * line) return;
        for (std::size_t k = column; k < column + 8 && k < X.n_columns; ++k) {
            const char* x = reinterpret_cast<const char*>(X.data + k * X.n_rows + row);
            __builtin_prefetch(x, 0, 3);
            __builtin_prefetch(x + line, 0, 3);
        }
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
    STEEPEST_INLINE void add(const ColumnBlock<S>& block, std::size_t column) {
        const S* x[K];
        block.template find<K>(column, x);
        if constexpr (Stage::scores) add_tile<S, W, K>(x, point.w + column, block.n, z);
        if constexpr (Stage::direction) add_tile<S, W, K>(x, direction.w + column, block.n, u);
    }

    STEEPEST_INLINE void finish(std::size_t n) {
        if constexpr (Stage::scores) z.flush(n);
        if constexpr (Stage::direction) u.flush(n);
    }
};

// gradient_j += x_j . r for K columns.
template <class S, int W, int K, class T = ArithmeticOf<S>>
STEEPEST_INLINE void add_columns(const ColumnBlock<S>& block, std::size_t column, const Operand<T, W>& r,
                                 double* gradient) {
    const S* x[K];
    T g[K];
    block.template find<K>(column, x);
    dots_of_tile<S, W, K>(x, r, block.n, g);
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) gradient[column + k] += double(g[k]);
}

// As for_each_tile, from the last tile to the first.
template <class Tile>
STEEPEST_INLINE void for_each_tile_back(std::size_t n, Tile tile) {
    std::size_t i = n;
    if (n & 1) tile(std::integral_constant<int, 1>{}, i -= 1);
    if (n & 2) tile(std::integral_constant<int, 2>{}, i -= 2);
    if (n & 4) tile(std::integral_constant<int, 4>{}, i -= 4);
    while (i > 0) tile(std::integral_constant<int, 8>{}, i -= 8);
}

// The blocks of n rows from `first` to `last`, a multiple of n apart.
template <class S, int W, class Stage, class T = ArithmeticOf<S>>
void pass_over_column_blocks(const Rows<S>& rows, std::size_t first, std::size_t last, std::size_t n, Linear<T> point,
                             Linear<T> direction, StageArrays<T>& arrays, ScoreSums<T>& sums) {
    const std::size_t d = rows.X.n_columns;
    const bool asks = is_wide<S>(d);
    for (std::size_t row = first; row < last; row += n) {
        const ColumnBlock<S> block{rows.X, row, n}, next{rows.X, row + n, n};
        ColumnScores<S, W, Stage> scores(point, direction, arrays, n);
        for_each_tile(d, [&](auto k, std::size_t j) {
            if (asks) block.ask_for_tile(j + 8);
            scores.template add<k.value>(block, j);
        });
        scores.finish(n);
        finish_block<Stage>(arrays, point.bias, direction.bias, rows.y + row, rows.weight ? rows.weight + row : nullptr,
                            n, sums);
        if constexpr (Stage::accumulates) {
            const Operand<T, W> r(arrays.r, n);
            for_each_tile_back(d, [&](auto k, std::size_t j) {
                if (asks && j >= 8) block.ask_for_tile(j - 8);
                if (asks && j == 0) next.ask_for_tile(0);
                add_columns<S, W, k.value>(block, j, r, sums.gradient);
            });
        }
    }
}

template <class S, class Stage, class T = ArithmeticOf<S>>
void pass_over_columns(const Rows<S>& rows, Linear<T> point, Linear<T> direction, ScoreSums<T>& sums) {
    const std::size_t n = column_block<S, Stage>(rows.X), end = rows.begin + rows.count;
    const std::size_t whole = rows.begin + rows_in_blocks(rows.count, n), rest = end - whole;
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
