// One pass over rows of a row-major X, or over gathered rows of a column-major one. A block of rows stays in cache
// between its scores and its share of the gradient; float sums go to double every `flush_rows` rows.
#pragma once

#include "cpp/kernels/stages.hpp"
#include "cpp/kernels/tables.hpp"
#include "cpp/kernels/tiles.hpp"

namespace steepest {
namespace {

constexpr std::size_t max_row_block = 256;
constexpr std::size_t flush_rows = 256;
constexpr std::size_t block_bytes = 16384;
constexpr std::size_t indexed_block_bytes = 8192;  // the first block of a batch comes unprefetched
constexpr std::size_t prefetch_bytes = 4096;  // of single rows, which share the first cache with the parameters
constexpr std::size_t cached_bytes = std::size_t(6) << 20;  // an X that a core's share of the caches holds

// A multiple of 8 rows of d elements that fits the first cache.
template <class S>
STEEPEST_INLINE std::size_t row_block(std::size_t d, bool indexed = false) {
    const std::size_t fit = (indexed ? indexed_block_bytes : block_bytes) / (d * sizeof(S) + 1) / 8 * 8;
    return fit < 8 ? 8 : fit > max_row_block ? max_row_block : fit;
}

template <class S>
struct RowBlock {
    using T = ArithmeticOf<S>;
    const S* x[max_row_block];
    T y_copy[max_row_block], weight_copy[max_row_block];
    const T *y, *weight;
};

// Prefetches row number `at` of the selection, if it is known.
template <class S>
STEEPEST_INLINE void prefetch_row(const Rows<S>& rows, std::size_t at) {
    if (at >= rows.count + rows.ahead) return;
    const std::size_t row = rows.index[at];
    if (rows.X.order == Order::row_major) {
        const std::size_t bytes = rows.X.n_columns * sizeof(S);
        const char* x = reinterpret_cast<const char*>(rows.X.data + row * rows.X.n_columns);
        for (std::size_t i = 0; i < bytes && i < 2048; i += 64) __builtin_prefetch(x + i, 0, 3);
        __builtin_prefetch(x + bytes - 1, 0, 3);
    }
    __builtin_prefetch(rows.y + row, 0, 3);
    if (rows.weight) __builtin_prefetch(rows.weight + row, 0, 3);
}

// The addresses of rows [first, first + n) of a row-major selection.
template <class S>
STEEPEST_INLINE void find_rows(const Rows<S>& rows, std::size_t first, std::size_t n, const S** x) {
    const std::size_t d = rows.X.n_columns;
    const S* start = rows.X.data + (rows.begin + first) * d;
    if (rows.index) {
        for (std::size_t i = 0; i < n; ++i) x[i] = rows.X.data + rows.index[first + i] * d;
    } else {
        for (std::size_t i = 0; i < n; ++i) x[i] = start + i * d;
    }
}

// The same of a column-major one: the rows are copied to `gathered`.
template <class S, class T>
STEEPEST_INLINE void gather_rows(const Rows<S>& rows, std::size_t first, std::size_t n, T* gathered, const T** x) {
    const std::size_t d = rows.X.n_columns;
    for (std::size_t i = 0; i < n; ++i) x[i] = gathered + i * d;
    for (std::size_t j = 0; j < d; ++j) {
        const S* column = rows.X.data + j * rows.X.n_rows;
        for (std::size_t i = 0; i < n; ++i)
            gathered[i * d + j] = widen(column[rows.index ? rows.index[first + i] : rows.begin + first + i]);
    }
}

// Rows of narrow numbers, row-major, as floats.
template <class S>
STEEPEST_INLINE void widen_rows(const Rows<S>& rows, std::size_t first, std::size_t n, float* widened,
                                const float** x) {
    const std::size_t d = rows.X.n_columns;
    for (std::size_t i = 0; i < n; ++i) x[i] = widened + i * d;
    if (rows.index) {
        for (std::size_t i = 0; i < n; ++i) widen_all(rows.X.data + rows.index[first + i] * d, d, widened + i * d);
    } else {
        widen_all(rows.X.data + (rows.begin + first) * d, n * d, widened);
    }
}

template <class S, class B>
STEEPEST_INLINE void fetch_targets(const Rows<S>& rows, std::size_t first, std::size_t n, RowBlock<B>& block) {
    block.y = rows.y + rows.begin + first;
    block.weight = rows.weight ? rows.weight + rows.begin + first : nullptr;
    if (rows.index) {
        for (std::size_t i = 0; i < n; ++i) block.y_copy[i] = rows.y[rows.index[first + i]];
        block.y = block.y_copy;
        if (rows.weight) {
            for (std::size_t i = 0; i < n; ++i) block.weight_copy[i] = rows.weight[rows.index[first + i]];
            block.weight = block.weight_copy;
        }
    }
}

// Rows [first, first + n) of the selection with their targets and weights. Column-major ones are no longer narrow here.
template <class S>
STEEPEST_INLINE void fetch(const Rows<S>& rows, std::size_t first, std::size_t n, ArithmeticOf<S>* gathered,
                           RowBlock<S>& block) {
    if constexpr (is_widened<S>) {
        find_rows(rows, first, n, block.x);
    } else if (rows.X.order == Order::row_major) {
        find_rows(rows, first, n, block.x);
    } else {
        gather_rows(rows, first, n, gathered, block.x);
    }
    fetch_targets(rows, first, n, block);
}

// The same of narrow rows in either order, as floats.
template <class S>
    requires is_widened<S>
STEEPEST_INLINE void fetch(const Rows<S>& rows, std::size_t first, std::size_t n, float* widened,
                           RowBlock<float>& block) {
    if (rows.X.order == Order::row_major) {
        widen_rows(rows, first, n, widened, block.x);
    } else {
        gather_rows(rows, first, n, widened, block.x);
    }
    fetch_targets(rows, first, n, block);
}

// Calls kernel(rows of floats) over narrow rows, at most n of them widened at a time.
template <class S, class Kernel>
STEEPEST_INLINE void over_widened(const Rows<S>& rows, std::size_t n, float* widened, Kernel kernel) {
    const std::size_t d = rows.X.n_columns;
    RowBlock<float> block;
    for (std::size_t i = 0; i < rows.count; i += n) {
        const std::size_t count = rows.count - i < n ? rows.count - i : n;
        fetch(rows, i, count, widened, block);
        kernel(Rows<float>{{widened, count, d, Order::row_major}, block.y, block.weight, nullptr, 0, count, 0});
    }
}

// The addresses of the block that follows n rows from `first`, to prefetch; null where it is not known in full, and
// where X stays in a cache: the hardware is then quick enough, and asking only costs. Targets and weights of listed
// rows are prefetched here.
template <class S>
STEEPEST_INLINE const S* const* find_later(const Rows<S>& rows, std::size_t first, std::size_t n, const S** x) {
    const std::size_t known = rows.index ? rows.count + rows.ahead : rows.X.n_rows - rows.begin;
    if (rows.X.order != Order::row_major || first + 2 * n > known) return nullptr;
    if (!rows.index && rows.X.n_rows * rows.X.n_columns * sizeof(S) <= cached_bytes) return nullptr;
    find_rows(rows, first + n, n, x);
    if (rows.index) {
        for (std::size_t i = first + n; i < first + 2 * n; ++i) {
            __builtin_prefetch(rows.y + rows.index[i], 0, 2);
            if (rows.weight) __builtin_prefetch(rows.weight + rows.index[i], 0, 2);
        }
    }
    return x;
}

template <class T>
STEEPEST_INLINE void add_to_double(const T* values, std::size_t n, double* sums) {
    STEEPEST_VECTORIZE
    for (std::size_t j = 0; j < n; ++j) sums[j] += double(values[j]);
}

template <class S, int W, class Stage, class T = ArithmeticOf<S>>
void pass_over_rows(const Rows<S>& rows, Linear<T> point, Linear<T> direction, T* scratch, ScoreSums<T>& sums) {
    const std::size_t d = rows.X.n_columns;
    const std::size_t block_size = row_block<S>(d, rows.index);
    const Operand<T, W> w(Stage::scores ? point.w : direction.w, d);
    const Operand<T, W> v(Stage::direction ? direction.w : point.w, d);
    Accumulator<T, W> g(scratch, Stage::accumulates ? d : 0);
    StageArrays<T> arrays;
    RowBlock<S> block;
    const S* later_x[max_row_block];
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
        const S* const* later = find_later(rows, i, n, later_x);
        if constexpr (Stage::scores) dots<S, W>(block.x, n, w, d, arrays.z, later);
        if constexpr (Stage::direction) dots<S, W>(block.x, n, v, d, arrays.u, Stage::scores ? nullptr : later);
        finish_block<Stage>(arrays, point.bias, direction.bias, block.y, block.weight, n, sums);
        if constexpr (Stage::accumulates) {
            add_rows<S, W>(block.x, n, arrays.r, d, g, later);
            unflushed += n;
            if (unflushed >= flush_rows) flush();
        }
    }
    if (Stage::accumulates && unflushed) flush();
}

}  // namespace
}  // namespace steepest
