// Work on columns that lie one after the other in memory, n doubles each: dot products, sums and products of all pairs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/kernels/along_columns.hpp"

namespace steepest {
namespace {

using Doubles = Vector<double, lanes<double>>;

// See ColumnsTable.
void dots_of_columns(const double* block, std::size_t n, const std::uint32_t* which, std::size_t first,
                     std::size_t last, const double* q, double* out) {
    for (std::size_t k = first; k < last; ++k) out[k] = dot_of_column(block + which[k] * n, q, n);
}

// z += the sum of v[k] x[k], of four columns.
STEEPEST_INLINE void add_four(const double* const* x, const double* v, std::size_t first, std::size_t last, double* z) {
    const double *a = x[0], *b = x[1], *c = x[2], *d = x[3];
    const double of_a = v[0], of_b = v[1], of_c = v[2], of_d = v[3];
    STEEPEST_VECTORIZE
    for (std::size_t i = first; i < last; ++i) z[i] += (of_a * a[i] + of_b * b[i]) + (of_c * c[i] + of_d * d[i]);
}

void add_columns_to(const double* block, std::size_t n, const std::uint32_t* which, std::size_t count, const double* v,
                    std::size_t first, std::size_t last, double* z) {
    const double* x[4];
    std::size_t k = 0;
    for (; k + 4 <= count; k += 4) {
        for (std::size_t l = 0; l < 4; ++l) x[l] = block + which[k + l] * n;
        add_four(x, v + k, first, last, z);
    }
    for (; k < count; ++k) {
        const double* one = block + which[k] * n;
        const double factor = v[k];
        STEEPEST_VECTORIZE
        for (std::size_t i = first; i < last; ++i) z[i] += factor * one[i];
    }
}

// The products of four columns with four others, over n rows.
template <bool weighted>
STEEPEST_INLINE void multiply_tile(const double* const* a, const double* const* b, const double* h, std::size_t n,
                                   double* out) {
    constexpr int W = lanes<double>;
    Doubles sums[16] = {};
    std::size_t i = 0;
    for (; i + W <= n; i += W) {
        Doubles left[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
            left[k] = load<double, W>(a[k] + i);
            if constexpr (weighted) left[k] *= load<double, W>(h + i);
        }
#pragma GCC unroll 4
        for (int l = 0; l < 4; ++l) {
            const Doubles right = load<double, W>(b[l] + i);
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) sums[4 * k + l] += left[k] * right;
        }
    }
#pragma GCC unroll 16
    for (int k = 0; k < 16; ++k) {
        double sum;
        fold<double, W, 1>(sums[k], &sum);
        for (std::size_t r = i; r < n; ++r) sum += (weighted ? h[r] : 1.0) * a[k / 4][r] * b[k % 4][r];
        out[k] += sum;
    }
}

void multiply_columns(const double* block, std::size_t n, const double* h, const std::uint32_t* a,
                      const std::uint32_t* b, std::size_t first, std::size_t last, double* out) {
    const double *x[4], *y[4];
    for (int k = 0; k < 4; ++k) {
        x[k] = block + a[k] * n + first;
        y[k] = block + b[k] * n + first;
    }
    if (h) {
        multiply_tile<true>(x, y, h + first, last - first, out);
    } else {
        multiply_tile<false>(x, y, nullptr, last - first, out);
    }
}

}  // namespace
}  // namespace steepest
