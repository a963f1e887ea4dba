// One pass over X with k scores a row: over rows, which are copied to where floats stand side by side if they do not so
// in X, or over segments of the columns of a column-major X.
#pragma once

#include "cpp/kernels/products.hpp"
#include "cpp/kernels/rows.hpp"
#include "cpp/kernels/softmax.hpp"

namespace steepest {
namespace {

constexpr std::size_t scores_block_bytes = 131072;  // of rows, with their scores
constexpr std::size_t segment_bytes = 384 * 1024;  // of a block of columns
constexpr std::size_t min_segment = 496, max_segment = 2032;  // rows; no power of 2, whose multiples share a cache set
constexpr std::size_t column_tile = 32;

template <class T>
STEEPEST_INLINE std::size_t scores_block(std::size_t d, std::size_t k) {
    const std::size_t fit = scores_block_bytes / ((padded_length<T>(d) + 2 * k) * sizeof(T)) / 12 * 12;
    return fit < 12 ? 12 : fit > max_row_block ? max_row_block : fit;
}

template <class T>
STEEPEST_INLINE std::size_t segment(std::size_t d) {
    const std::size_t fit = segment_bytes / (d * sizeof(T)) / 16 * 16;
    return fit < min_segment ? min_segment : fit > max_segment ? max_segment : fit;
}

// Where the parts of a pass's scratch stand, each on a cache line of its own; `start` null: only their size.
template <class T>
struct ScoresScratch {
    static constexpr std::size_t line = 64 / sizeof(T);
    T *w, *v, *g, *z, *u, *p, *x;
    std::size_t size = line;

    STEEPEST_INLINE ScoresScratch(T* start, std::size_t weights, std::size_t sums, std::size_t scores,
                                  std::size_t coefficients, std::size_t rows) {
        if (start) start += (line - reinterpret_cast<std::uintptr_t>(start) / sizeof(T) % line) % line;
        const auto take = [&](std::size_t count) {
            T* part = start ? start + (size - line) : nullptr;
            size += (count + 2 * line - 1) / line * line;
            return part;
        };
        w = take(weights);
        v = take(weights);
        g = take(sums);
        z = take(scores);
        u = take(scores);
        p = take(coefficients);
        x = take(rows);
    }
    static STEEPEST_INLINE ScoresScratch of_rows(T* start, std::size_t d, std::size_t k) {
        const std::size_t length = padded_length<T>(d), packed = k * packed_length<T>(length);
        const std::size_t n = scores_block<T>(d, k);
        return {start, packed, packed, k * n, k * n, n * length};
    }
    static STEEPEST_INLINE ScoresScratch of_columns(T* start, std::size_t d, std::size_t k) {
        return {start, d * k, column_tile * k, k * segment<T>(d), 0, 0};
    }
};

template <class S>
std::size_t scores_scratch_size(const Matrix<S>& X, std::size_t k) {
    using T = ArithmeticOf<S>;
    const std::size_t by_rows = ScoresScratch<T>::of_rows(nullptr, X.n_columns, k).size;
    const std::size_t by_columns = ScoresScratch<T>::of_columns(nullptr, X.n_columns, k).size;
    return by_rows > by_columns ? by_rows : by_columns;
}

// Rows [first, first + n) of the selection, of either order, as rows of padded_length.
template <class S, class T>
STEEPEST_INLINE void copy_rows(const Rows<S>& rows, std::size_t first, std::size_t n, T* copy, const T** x) {
    const std::size_t d = rows.X.n_columns, length = padded_length<T>(d);
    const auto row_at = [&](std::size_t i) { return rows.index ? rows.index[first + i] : rows.begin + first + i; };
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = copy + i * length;
        for (std::size_t j = d; j < length; ++j) copy[i * length + j] = T(0);
    }
    if (rows.X.order == Order::column_major) {
        for (std::size_t j = 0; j < d; ++j)
            for (std::size_t i = 0; i < n; ++i)
                copy[i * length + j] = widen(rows.X.data[j * rows.X.n_rows + row_at(i)]);
    } else if constexpr (is_widened<S>) {
        for (std::size_t i = 0; i < n; ++i) widen_all(rows.X.data + row_at(i) * d, d, copy + i * length);
    } else {
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < d; ++j) copy[i * length + j] = rows.X.data[row_at(i) * d + j];
    }
}

// Adds k packed vectors of sums to those in double, and clears them.
template <class T>
STEEPEST_INLINE void flush_scores(T* g, std::size_t d, std::size_t k, double* sums) {
    constexpr std::size_t W = lanes<T>;
    const std::size_t length = padded_length<T>(d), step = packed_length<T>(length), whole = d / W * W;
    for (std::size_t c = 0; c < k; ++c, g += step, sums += d + 1) {
        add_to_double(g, whole, sums);
        for (std::size_t j = whole; j < d; ++j) sums[j] += double(g[d < W ? j : whole + j + W - d]);
        for (std::size_t j = 0; j < step; ++j) g[j] = T(0);
    }
}

template <class T>
STEEPEST_INLINE void add_slopes(const SoftmaxBlock<T>& block, std::size_t k, std::size_t d, double* sums) {
    for (std::size_t c = 0; c < k; ++c) sums[1 + c * (d + 1) + d] += sum_of(block.z + c * block.step, block.n);
}

// Rows of a narrow storage, which is forgotten: all of them share the passes over k scores. `copy` is copy_rows.
template <class T>
struct NarrowRows {
    const void* rows;
    void (*copy)(const void* rows, std::size_t first, std::size_t n, T* copy, const T** x);
};

template <class S, class T>
void copy_narrow_rows(const void* rows, std::size_t first, std::size_t n, T* copy, const T** x) {
    copy_rows(*static_cast<const Rows<S>*>(rows), first, n, copy, x);
}

// Takes the rows' data from `narrow`, where there is one.
template <class Stage, class T>
__attribute__((noinline)) void scores_over_rows(Stage& stage, const Rows<T>& rows, const Coefficients<T>& point,
                                                const Coefficients<T>& direction, T* scratch, double* sums,
                                                const NarrowRows<T>& narrow = {}) {
    const std::size_t d = rows.X.n_columns, k = point.n_scores, length = padded_length<T>(d),
                      step = packed_length<T>(length);
    const std::size_t size = scores_block<T>(d, k);
    const bool copies = rows.X.order == Order::column_major || d < length;
    const auto part = ScoresScratch<T>::of_rows(scratch, d, k);
    RowBlock<T> targets;
    SoftmaxBlock<T> block;
    const T* later_x[max_row_block];
    const T* copied[max_row_block];
    for (std::size_t c = 0; c < k; ++c) {
        pack(point.of(c), d, part.w + c * step);
        if constexpr (Stage::direction) pack(direction.of(c), d, part.v + c * step);
    }
    for (std::size_t j = 0; j < (Stage::accumulates ? k * step : 0); ++j) part.g[j] = T(0);
    std::size_t unflushed = 0;
    for (std::size_t first = 0; first < rows.count; first += size) {
        const std::size_t n = rows.count - first < size ? rows.count - first : size;
        const T* const* x = copied;
        const T* const* later = nullptr;
        if (narrow.copy) {
            narrow.copy(narrow.rows, first, n, part.x, copied);
        } else if (copies) {
            copy_rows(rows, first, n, part.x, copied);
        } else {
            find_rows(rows, first, n, targets.x);
            x = targets.x;
            later = find_later(rows, first, n, later_x);
        }
        fetch_targets(rows, first, n, targets);
        block.z = part.z, block.u = part.u, block.step = size, block.n = n;
        block.y = targets.y, block.weight = targets.weight;
        all_dots(x, n, part.w, k, length, part.z, size, later);
        if constexpr (Stage::direction) all_dots<T>(x, n, part.v, k, length, part.u, size, nullptr);
        sums[0] += stage.apply(block, point, direction);
        if constexpr (Stage::accumulates) {
            add_slopes(block, k, d, sums);
            for (std::size_t c = 0; c < k; ++c)
                for (std::size_t i = 0; i < n; ++i) part.p[i * k + c] = part.z[c * size + i];
            add_all(x, n, part.p, k, length, part.g);
            unflushed += n;
            if (unflushed >= flush_rows || first + n == rows.count) {
                flush_scores(part.g, d, k, sums + 1);
                unflushed = 0;
            }
        }
    }
}

template <class Stage, class S, class T = ArithmeticOf<S>>
    requires is_widened<S>
STEEPEST_INLINE void scores_over_rows(Stage& stage, const Rows<S>& rows, const Coefficients<T>& point,
                                      const Coefficients<T>& direction, T* scratch, double* sums) {
    const Matrix<T> shape{nullptr, rows.X.n_rows, rows.X.n_columns, rows.X.order};
    const Rows<T> all{shape, rows.y, rows.weight, rows.index, rows.begin, rows.count, rows.ahead};
    scores_over_rows(stage, all, point, direction, scratch, sums, NarrowRows<T>{&rows, &copy_narrow_rows<S, T>});
}

// The columns of X in tiles, of n rows from `row`: body(first column, their number, their addresses, those of the rows
// that come later).
template <class T, class Body>
STEEPEST_INLINE void for_each_column_tile(const Matrix<T>& X, std::size_t row, std::size_t n, Body body) {
    const T *x[column_tile], *later[column_tile];
    for (std::size_t j = 0; j < X.n_columns; j += column_tile) {
        const std::size_t count = X.n_columns - j < column_tile ? X.n_columns - j : column_tile;
        for (std::size_t t = 0; t < count; ++t) {
            x[t] = X.data + (j + t) * X.n_rows + row;
            later[t] = x[t] + n;
        }
        body(j, count, x, later);
    }
}

// The n rows from `row`, a multiple of the lanes; asks for as many after them where there are `next`.
template <class Stage, class T>
STEEPEST_INLINE void scores_over_segment(Stage& stage, const Rows<T>& rows, std::size_t row, std::size_t n, bool next,
                                         const Coefficients<T>& point, const Coefficients<T>& direction,
                                         const ScoresScratch<T>& part, double* sums) {
    const std::size_t d = rows.X.n_columns, k = point.n_scores;
    for (std::size_t i = 0; i < k * n; ++i) part.z[i] = T(0);
    for (std::size_t i = 0; i < (Stage::direction ? k * n : 0); ++i) part.u[i] = T(0);
    for_each_column_tile(rows.X, row, n, [&](std::size_t j, std::size_t count, const T* const* x, const T* const*) {
        add_all(x, count, part.w + j * k, k, n, part.z);
        if constexpr (Stage::direction) add_all(x, count, part.v + j * k, k, n, part.u);
    });
    SoftmaxBlock<T> block;
    block.step = n;
    for (std::size_t i = 0; i < n; i += softmax_rows) {
        block.z = part.z + i, block.u = part.u + i, block.n = n - i < softmax_rows ? n - i : softmax_rows;
        block.y = rows.y + row + i, block.weight = rows.weight ? rows.weight + row + i : nullptr;
        sums[0] += stage.apply(block, point, direction);
        if constexpr (Stage::accumulates) add_slopes(block, k, d, sums);
    }
    if constexpr (!Stage::accumulates) return;
    for_each_column_tile(rows.X, row, n,
                         [&](std::size_t j, std::size_t count, const T* const* x, const T* const* later) {
                             all_dots<T>(x, count, part.z, k, n, part.g, column_tile, next ? later : nullptr);
                             for (std::size_t c = 0; c < k; ++c)
                                 for (std::size_t t = 0; t < count; ++t)
                                     sums[1 + c * (d + 1) + j + t] += double(part.g[c * column_tile + t]);
                         });
}

// Consecutive rows of a column-major X; returns how many were taken, all but fewer than the lanes.
template <class Stage, class T>
std::size_t scores_over_columns(Stage& stage, const Rows<T>& rows, const Coefficients<T>& point,
                                const Coefficients<T>& direction, T* scratch, double* sums) {
    const std::size_t d = rows.X.n_columns, k = point.n_scores, most = segment<T>(d),
                      whole = rows.count / lanes<T> * lanes<T>;
    const auto part = ScoresScratch<T>::of_columns(scratch, d, k);
    for (std::size_t c = 0; c < k; ++c) {
        for (std::size_t j = 0; j < d; ++j) part.w[j * k + c] = point.of(c)[j];
        for (std::size_t j = 0; j < (Stage::direction ? d : 0); ++j) part.v[j * k + c] = direction.of(c)[j];
    }
    for (std::size_t i = 0; i < whole; i += most) {
        const std::size_t n = whole - i < most ? whole - i : most, row = rows.begin + i;
        scores_over_segment(stage, rows, row, n, row + 2 * n <= rows.X.n_rows, point, direction, part, sums);
    }
    return whole;
}

}  // namespace
}  // namespace steepest
