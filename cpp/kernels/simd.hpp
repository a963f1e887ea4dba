// Vectors of the ISA level that this file is compiled for. Only the sources of kernels/ include it; everything has
// internal linkage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__F16C__) || defined(__SSE4_1__)
#include <immintrin.h>
#endif

#include "cpp/math/macros.hpp"
#include "cpp/math/storage.hpp"

namespace steepest {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

// Narrow numbers are floats once they are in a register.
template <class S>
constexpr int lanes = vector_bytes / int(sizeof(ArithmeticOf<S>));

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

using Floats = Vector<float, lanes<float>>;
using Bits = Vector<std::int32_t, lanes<float>>;

// As many numbers of 16 bits as there are floats in a vector, each in 32 bits: a shuffle with zeros, for which GCC 12
// finds the one instruction that it does not find for __builtin_convertvector.
template <std::size_t... I>
STEEPEST_INLINE Bits interleave_zeros(const void* p, std::index_sequence<I...>) {
    constexpr int n = lanes<float>;
    Vector<std::uint16_t, n> halves, zeros = {};
    __builtin_memcpy(&halves, p, sizeof(halves));
    return (Bits)__builtin_shufflevector(halves, zeros, int(I / 2 + I % 2 * n)...);
}
STEEPEST_INLINE Bits load_bits(const void* p) {
    return interleave_zeros(p, std::make_index_sequence<2 * lanes<float>>{});
}

STEEPEST_INLINE Floats load_widened(const BFloat16* p) { return (Floats)(load_bits(p) << 16); }

// Intrinsics, since GCC 12 converts vectors of _Float16 one by one.
#if defined(__AVX512F__)
STEEPEST_INLINE Floats load_widened(const Float16* p) {
    return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
#elif defined(__AVX2__) && defined(__F16C__)
STEEPEST_INLINE Floats load_widened(const Float16* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
#else
STEEPEST_INLINE Floats load_widened(const Float16* p) {  // as widen() of storage.hpp does it
    const Bits bits = load_bits(p), magnitude = bits & 0x7fff;
    const Bits special = (magnitude >= 0x7c00) & 0x7f800000;
    const Floats scaled = (Floats)(magnitude << 13) * 5.192296858534828e33f;  // 2^112
    return (Floats)((Bits)scaled | special | (bits & 0x8000) << 16);
}
#endif

// Intrinsics again: GCC 12 moves the elements to 32 bits one by one.
#if defined(__AVX512F__)
#define STEEPEST_LOAD_8(p) _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))
#define STEEPEST_LOAD_16(p) _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))
#define STEEPEST_TO_32(from, x) (Bits) _mm512_maskz_cvt##from##_epi32(0xffff, x)
#elif defined(__AVX2__)
#define STEEPEST_LOAD_8(p) _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))
#define STEEPEST_LOAD_16(p) _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))
#define STEEPEST_TO_32(from, x) (Bits) _mm256_cvt##from##_epi32(x)
#elif defined(__SSE4_1__)
#define STEEPEST_LOAD_8(p) _mm_loadu_si32(p)
#define STEEPEST_LOAD_16(p) _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))
#define STEEPEST_TO_32(from, x) (Bits) _mm_cvt##from##_epi32(x)
#endif
#if defined(STEEPEST_TO_32)
STEEPEST_INLINE Bits load_integers(const UInt8* p) { return STEEPEST_TO_32(epu8, STEEPEST_LOAD_8(p)); }
STEEPEST_INLINE Bits load_integers(const Int8* p) { return STEEPEST_TO_32(epi8, STEEPEST_LOAD_8(p)); }
STEEPEST_INLINE Bits load_integers(const Int16* p) { return STEEPEST_TO_32(epi16, STEEPEST_LOAD_16(p)); }
#else
template <class Value>
STEEPEST_INLINE Bits load_integers(const Integer<Value>* p) {
    Vector<Value, lanes<float>> v;
    __builtin_memcpy(&v, p, sizeof(v));
    return __builtin_convertvector(v, Bits);
}
#endif

template <class Value>
STEEPEST_INLINE Floats load_widened(const Integer<Value>* p) {
    return __builtin_convertvector(load_integers(p), Floats);
}

template <class S, int W>
STEEPEST_INLINE Vector<ArithmeticOf<S>, W> load(const S* p) {
    if constexpr (is_widened<S>) {
        static_assert(W == lanes<S>);
        return load_widened(p);
    } else {
        Vector<S, W> v;
        __builtin_memcpy(&v, p, sizeof(v));
        return v;
    }
}

template <class T, int W>
STEEPEST_INLINE void store(T* p, Vector<T, W> v) {
    __builtin_memcpy(p, &v, sizeof(v));
}

// Four or eight numbers as doubles. Intrinsics, since GCC 12 widens the halves one after the other, through memory.
template <int W, class T>
STEEPEST_INLINE Vector<double, W> as_doubles(Vector<T, W> x) {
#if defined(__AVX512F__)
    if constexpr (W == 8 && sizeof(T) == 4) return (Vector<double, W>)_mm512_maskz_cvtps_pd(0xff, (__m256)x);
#endif
#if defined(__AVX2__)
    if constexpr (W == 4 && sizeof(T) == 4) return (Vector<double, W>)_mm256_cvtps_pd((__m128)x);
#endif
    return __builtin_convertvector(x, Vector<double, W>);
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

template <class S>
STEEPEST_INLINE void widen_all(const S* x, std::size_t n, float* out) {
    constexpr int W = lanes<S>;
    std::size_t i = 0;
    for (; i + W <= n; i += W) store<float, W>(out + i, load<S, W>(x + i));
    for (; i < n; ++i) out[i] = widen(x[i]);
}

// Calls body(integral_constant<int, W>) with the widest vector that a row of this length fills. Narrow numbers come
// here in rows of a whole vector or more.
template <class S, int W = lanes<S>, class Body>
STEEPEST_INLINE void with_width(std::size_t length, Body body) {
    if constexpr (is_widened<S>) {
        body(std::integral_constant<int, W>{});
    } else if constexpr (W <= 2 && sizeof(S) == 4) {
        body(std::integral_constant<int, 1>{});
    } else if constexpr (W == 1) {
        body(std::integral_constant<int, 1>{});
    } else {
        if (length >= W) {
            body(std::integral_constant<int, W>{});
        } else {
            with_width<S, W / 2>(length, body);
        }
    }
}

}  // namespace
}  // namespace steepest
