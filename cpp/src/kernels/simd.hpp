// Vectors of the ISA level that this file is compiled for. Included by kernels.cpp only; everything has internal
// linkage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "steepest/macros.hpp"

namespace steepest {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
constexpr int lanes = vector_bytes / int(sizeof(T));

template <class T, int W>
struct VectorOf {
    typedef T type __attribute__((vector_size(W * sizeof(T))));
};
template <class T>
struct VectorOf<T, 1> {
    using type = T;
};
template <class T, int W>
using Vector = typename VectorOf<T, W>::type;

template <class T, int W>
STEEPEST_INLINE Vector<T, W> load(const T* p) {
    Vector<T, W> v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

template <class T, int W>
STEEPEST_INLINE void store(T* p, Vector<T, W> v) {
    __builtin_memcpy(p, &v, sizeof(v));
}

template <class V, std::size_t... I>
STEEPEST_INLINE V add_interleaved(V a, V b, std::index_sequence<I...>) {
    constexpr int n = sizeof...(I);
    return __builtin_shufflevector(a, b, (int(I % 2) * n + int(I / 2))...) +
           __builtin_shufflevector(a, b, (int(I % 2) * n + n / 2 + int(I / 2))...);
}

template <class V, std::size_t... I>
STEEPEST_INLINE auto add_halves(V a, std::index_sequence<I...>) {
    constexpr int half = sizeof...(I);
    return __builtin_shufflevector(a, a, int(I)...) + __builtin_shufflevector(a, a, (half + int(I))...);
}

template <class T, int W, int K>
STEEPEST_INLINE void fold(Vector<T, W> v, T* out) {
    if constexpr (W == K || W == 1) {
        store<T, W>(out, v);
    } else if constexpr (W == 2) {
        out[0] = v[0] + v[1];
    } else {
        fold<T, W / 2, K>(add_halves(v, std::make_index_sequence<W / 2>{}), out);
    }
}

// out[k] = the sum of the W lanes of v[k], for K vectors at once: each level adds vectors i and i + m/2 interleaved, so
// that lane p of the last vector i holds vector i + p m. Destroys v.
template <class T, int W, int K>
STEEPEST_INLINE void sum_lanes(Vector<T, W>* v, T* out) {
    if constexpr (W == 1) {
        for (int k = 0; k < K; ++k) out[k] = v[k];
    } else {
        constexpr int levels_k = K == 8 ? 3 : K == 4 ? 2 : K == 2 ? 1 : 0;
        constexpr int levels_w = W == 16 ? 4 : W == 8 ? 3 : W == 4 ? 2 : 1;
        constexpr int levels = levels_k < levels_w ? levels_k : levels_w;
#pragma GCC unroll 4
        for (int level = 0; level < levels; ++level) {
            const int half = K >> (level + 1);
#pragma GCC unroll 8
            for (int i = 0; i < half; ++i) v[i] = add_interleaved(v[i], v[i + half], std::make_index_sequence<W>{});
        }
        constexpr int m = K >> levels;
        if constexpr (m == 1) {
            fold<T, W, K>(v[0], out);
        } else {
            for (int i = 0; i < m; ++i)
                for (int p = 0; p < W; ++p) out[i + p * m] = v[i][p];
        }
    }
}

// The lanes of the last, partial vector of a row: element `length - W + p` in lane p, and 0 where the vectors before it
// have been already. Rows are read W at a time with the last load overlapping, never past their end.
template <class T, int W>
STEEPEST_INLINE void fill_tail(const T* values, std::size_t length, T* tail) {
    const std::size_t rest = length % W;
    for (std::size_t p = 0; p < W; ++p) tail[p] = p < W - rest ? T(0) : values[length - W + p];
}

template <class T>
STEEPEST_INLINE double sum_of(const T* values, std::size_t n) {
    constexpr int W = lanes<double>;
    using V = Vector<double, W>;
    V total[4] = {};
    std::size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) total[k] += __builtin_convertvector((load<T, W>(values + i + k * W)), V);
    }
    double sum;
    fold<double, W, 1>((total[0] + total[1]) + (total[2] + total[3]), &sum);
    for (; i < n; ++i) sum += double(values[i]);
    return sum;
}

// Calls body(integral_constant<int, W>) with the widest vector that a row of this length fills.
template <class T, int W = lanes<T>, class Body>
STEEPEST_INLINE void with_width(std::size_t length, Body body) {
    if constexpr (W <= 2 && sizeof(T) == 4) {
        body(std::integral_constant<int, 1>{});
    } else if constexpr (W == 1) {
        body(std::integral_constant<int, 1>{});
    } else {
        if (length >= W) {
            body(std::integral_constant<int, W>{});
        } else {
            with_width<T, W / 2>(length, body);
        }
    }
}

}  // namespace
}  // namespace steepest
