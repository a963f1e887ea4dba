// Rows of a 16-bit X as rows of float: widened, a block at a time, into memory that stays in the first cache.
#pragma once

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "simd.hpp"
#include "steepest/kernels.hpp"
#include "steepest/storage.hpp"

namespace steepest {
namespace {

STEEPEST_INLINE void widen_bfloat16(const std::uint16_t* in, std::size_t n, float* out) {
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) out[i] = widen(BFloat16{in[i]});
}

// Compilers do not vectorise conversions from _Float16, so the instruction that every level with AVX2 has is named.
STEEPEST_INLINE void widen_float16(const std::uint16_t* in, std::size_t n, float* out) {
    std::size_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)  // the form without a mask has GCC warn of its own header
        _mm512_storeu_ps(out + i,
                         _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i))));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
#endif
    STEEPEST_VECTORIZE
    for (std::size_t j = i; j < n; ++j) out[j] = widen(Float16{in[j]});
}

STEEPEST_INLINE void widen_elements(Storage storage, const std::uint16_t* in, std::size_t n, float* out) {
    if (storage == Storage::float16) {
        widen_float16(in, n, out);
    } else {
        widen_bfloat16(in, n, out);
    }
}

// Asks for the rows that come n later, where they are known and lie here and there.
STEEPEST_INLINE void prefetch_narrow_row(const Rows<float>& rows, std::size_t at) {
    if (!rows.index || at >= rows.count + rows.ahead) return;
    const std::size_t row = rows.index[at], bytes = rows.X.n_columns * sizeof(std::uint16_t);
    const char* x = reinterpret_cast<const char*>(rows.X.halves() + row * rows.X.n_columns);
    for (std::size_t i = 0; i < bytes && i < 2048; i += 64) __builtin_prefetch(x + i, 0, 2);
    __builtin_prefetch(x + bytes - 1, 0, 2);
    __builtin_prefetch(rows.y + row, 0, 2);
    if (rows.weight) __builtin_prefetch(rows.weight + row, 0, 2);
}

// Rows [first, first + n) of the selection into `widened`, n at most max_block; x gets their addresses.
STEEPEST_INLINE void widen_rows(const Rows<float>& rows, std::size_t first, std::size_t n, float* widened,
                                const float** x) {
    const std::size_t d = rows.X.n_columns;
    for (std::size_t i = 0; i < n; ++i) x[i] = widened + i * d;
    if (rows.X.order == Order::row_major) {
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t row = rows.index ? rows.index[first + i] : rows.begin + first + i;
            prefetch_narrow_row(rows, first + n + i);
            widen_elements(rows.X.storage, rows.X.halves() + row * d, d, widened + i * d);
        }
        return;
    }
    constexpr std::size_t piece = 64;
    std::uint16_t gathered[piece];
    float column[piece];
    for (std::size_t j = 0; j < d; ++j) {
        const std::uint16_t* start = rows.X.halves() + j * rows.X.n_rows;
        for (std::size_t from = 0; from < n; from += piece) {
            const std::size_t m = n - from < piece ? n - from : piece;
            const std::uint16_t* in = start + rows.begin + first + from;
            if (rows.index) {
                for (std::size_t i = 0; i < m; ++i) gathered[i] = start[rows.index[first + from + i]];
                in = gathered;
            }
            widen_elements(rows.X.storage, in, m, column);
            for (std::size_t i = 0; i < m; ++i) widened[(from + i) * d + j] = column[i];
        }
    }
}

}  // namespace
}  // namespace steepest
