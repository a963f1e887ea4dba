// The two products of a tile of K rows: dots (z_k = x_k . w) and their transpose (g += sum_k r_k x_k). Where X is
// column-major its columns are the rows here, and the two change places.
#pragma once

#include "cpp/kernels/simd.hpp"

namespace steepest {
namespace {

// A vector of parameters read with the tail that fill_tail makes.
template <class T, int W>
struct Operand {
    const T* values;
    T tail[W];
    STEEPEST_INLINE Operand(const T* values_, std::size_t length) : values(values_) {
        fill_tail<T, W>(values, length, tail);
    }
};

// A sum that is written in whole vectors; flush adds the tail's new lanes to the rest.
template <class T, int W>
struct Accumulator {
    T* values;
    T tail[W];
    STEEPEST_INLINE Accumulator(T* values_, std::size_t length) : values(values_) {
        for (std::size_t j = 0; j < length; ++j) values[j] = T(0);
        for (int p = 0; p < W; ++p) tail[p] = T(0);
    }
    STEEPEST_INLINE void flush(std::size_t length) {
        const std::size_t rest = length % W;
        for (std::size_t p = W - rest; p < W; ++p) values[length - W + p] += tail[p];
        for (int p = 0; p < W; ++p) tail[p] = T(0);
    }
};

// The addresses of K rows, in registers: read through memory they would be loaded again after every store.
template <class S, int K>
struct Tile {
    const S* x[K];
    STEEPEST_INLINE explicit Tile(const S* const* rows) {
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) x[k] = rows[k];
    }
};

// Asks for the vectors at j of four of the eight rows that come a block later (null: none known), into the second
// cache: the dots of a tile ask for one half of them and its sum for the other. The hardware's own prefetchers follow
// the rows of a tile badly, and idle while a block is summed.
template <class S>
STEEPEST_INLINE void prefetch_rows(const S* const* later, std::size_t j, int first) {
#pragma GCC unroll 4
    for (int k = first; k < first + 4; ++k) __builtin_prefetch(later[k] + j, 0, 2);
}

template <class S, int W, int K, class T = ArithmeticOf<S>>
STEEPEST_INLINE void dots_of_tile(const S* const* x, const Operand<T, W>& w, std::size_t length, T* z,
                                  const S* const* later = nullptr) {
    using V = Vector<T, W>;
    const Tile<S, K> tile(x);
    const T* values = w.values;
    V sum[K] = {};
    std::size_t j = 0;
    for (; j + W <= length; j += W) {
        const V wj = load<T, W>(values + j);
        if constexpr (K == 8) {
            if (later) prefetch_rows(later, j, 0);
        }
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) sum[k] += load<S, W>(tile.x[k] + j) * wj;
    }
    if (j < length) {
        const V wj = load<T, W>(w.tail);
        if constexpr (K == 8) {
            if (later) prefetch_rows(later, length - 1, 0);
        }
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) sum[k] += load<S, W>(tile.x[k] + length - W) * wj;
    }
    sum_lanes<T, W, K>(sum, z);
}

// x . w of fewer than 2 W elements, in vectors that halve.
template <class T, int W>
STEEPEST_INLINE T short_dot(const T* x, const T* w, std::size_t length) {
    if constexpr (W <= 2) {
        T z = T(0);
        for (std::size_t j = 0; j < length; ++j) z += x[j] * w[j];
        return z;
    } else {
        if (length < W) return short_dot<T, W / 2>(x, w, length);
        T z;
        fold<T, W, 1>(load<T, W>(x) * load<T, W>(w), &z);
        return z + short_dot<T, W / 2>(x + W, w + W, length - W);
    }
}

// x . w of one row: four sums, so that their latencies overlap.
template <class T>
STEEPEST_INLINE T dot(const T* x, const T* w, std::size_t length) {
    constexpr int W = lanes<T>;
    Vector<T, W> sum[4] = {};
    std::size_t j = 0;
    for (; j + 4 * W <= length; j += 4 * W) {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) sum[k] += load<T, W>(x + j + k * W) * load<T, W>(w + j + k * W);
    }
    if (j + 2 * W <= length) {
        sum[0] += load<T, W>(x + j) * load<T, W>(w + j);
        sum[1] += load<T, W>(x + j + W) * load<T, W>(w + j + W);
        j += 2 * W;
    }
    if (j + W <= length) {
        sum[2] += load<T, W>(x + j) * load<T, W>(w + j);
        j += W;
    }
    T z;
    fold<T, W, 1>((sum[0] + sum[1]) + (sum[2] + sum[3]), &z);
    return z + short_dot<T, W / 2>(x + j, w + j, length - j);
}

template <class S, int W, int K, class V = Vector<ArithmeticOf<S>, W>>
STEEPEST_INLINE V combination(const Tile<S, K>& tile, const V* r, std::size_t j) {
    const auto& x = tile.x;
    V even = r[0] * load<S, W>(x[0] + j);
    if constexpr (K == 1) {
        return even;
    } else {
        V odd = r[1] * load<S, W>(x[1] + j);
#pragma GCC unroll 8
        for (int k = 2; k < K; k += 2) {
            even += r[k] * load<S, W>(x[k] + j);
            odd += r[k + 1] * load<S, W>(x[k + 1] + j);
        }
        return even + odd;
    }
}

template <class S, int W, int K, class T = ArithmeticOf<S>>
STEEPEST_INLINE void add_tile(const S* const* x, const T* r, std::size_t length, Accumulator<T, W>& g,
                              const S* const* later = nullptr) {
    using V = Vector<T, W>;
    const Tile<S, K> tile(x);
    T* values = g.values;
    V scale[K];
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) scale[k] = r[k] - V{};
    std::size_t j = 0;
    for (; j + W <= length; j += W) {
        if constexpr (K == 8) {
            if (later) prefetch_rows(later, j, 4);
        }
        store<T, W>(values + j, load<T, W>(values + j) + combination<S, W, K>(tile, scale, j));
    }
    if (j < length) {
        if constexpr (K == 8) {
            if (later) prefetch_rows(later, length - 1, 4);
        }
        store<T, W>(g.tail, load<T, W>(g.tail) + combination<S, W, K>(tile, scale, length - W));
    }
}

// Calls tile(integral_constant<int, K>, first) over n rows in tiles of 8, then 4, 2 and 1.
template <class Tile>
STEEPEST_INLINE void for_each_tile(std::size_t n, Tile tile) {
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) tile(std::integral_constant<int, 8>{}, i);
    if (n & 4) tile(std::integral_constant<int, 4>{}, i), i += 4;
    if (n & 2) tile(std::integral_constant<int, 2>{}, i), i += 2;
    if (n & 1) tile(std::integral_constant<int, 1>{}, i);
}

template <class S, int W, class T = ArithmeticOf<S>>
STEEPEST_INLINE void dots(const S* const* x, std::size_t n, const Operand<T, W>& w, std::size_t length, T* z,
                          const S* const* later = nullptr) {
    for_each_tile(n, [&](auto k, std::size_t i) {
        dots_of_tile<S, W, k.value>(x + i, w, length, z + i, later ? later + i : nullptr);
    });
}

template <class S, int W, class T = ArithmeticOf<S>>
STEEPEST_INLINE void add_rows(const S* const* x, std::size_t n, const T* r, std::size_t length, Accumulator<T, W>& g,
                              const S* const* later) {
    for_each_tile(n, [&](auto k, std::size_t i) {
        add_tile<S, W, k.value>(x + i, r + i, length, g, later ? later + i : nullptr);
    });
}

}  // namespace
}  // namespace steepest
