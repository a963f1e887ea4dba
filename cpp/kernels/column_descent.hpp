// Work on columns that lie one after the other in memory, n doubles each: dot products, sums, products of all pairs,
// and coordinate descent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

using Doubles = Vector<double, lanes<double>>;
constexpr std::size_t least_rows_ahead = 1 << 10, most_rows_ahead = 1 << 14;  // of a column that is asked for ahead

// The product of a column with q. Meanwhile it asks for the column at `next`, if there is one, which is then in the
// cache when its turn comes: between two columns the hardware has to find the stream anew.
template <bool ahead = false>
STEEPEST_INLINE double dot_of_column(const double* x, const double* q, std::size_t n, const double* next = nullptr) {
    constexpr int W = lanes<double>, line = 8;
    Doubles sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        if constexpr (ahead) {
#pragma GCC unroll 4
            for (int k = 0; k < 4 * W; k += line) __builtin_prefetch(next + i + k, 0, 2);
        }
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) sums[k] += load<double, W>(x + i + k * W) * load<double, W>(q + i + k * W);
    }
    double sum;
    fold<double, W, 1>((sums[0] + sums[1]) + (sums[2] + sums[3]), &sum);
    for (; i < n; ++i) sum += x[i] * q[i];
    return sum;
}

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

double descend_along_columns(const ColumnModel& m, const std::uint32_t* order, std::size_t count, double* v,
                             double* q) {
    const bool asks = m.n >= least_rows_ahead && m.n <= most_rows_ahead;
    double largest = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
        const std::size_t j = order[k];
        const double curvature = m.curvature[j];
        if (!(curvature > 0.0)) continue;
        const double* x = m.block + m.which[j] * m.n;
        const double along = asks && k + 1 < count
                                 ? dot_of_column<true>(x, q, m.n, m.block + m.which[order[k + 1]] * m.n)
                                 : dot_of_column(x, q, m.n);
        const double slope = along + m.l2[j] * v[j];
        const double aim = v[j] - slope / curvature, threshold = m.l1[j] / curvature;
        double found = aim > threshold ? aim - threshold : aim < -threshold ? aim + threshold : 0.0;
        if (found < m.lower[j]) found = m.lower[j];
        const double change = found - v[j];
        if (change == 0.0) continue;
        v[j] = found;
        const double mean = m.mean[j];
        if (m.h) {
            const double* h = m.h;
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < m.n; ++i) q[i] += change * h[i] * (x[i] - mean);
        } else {
            const double factor = change * m.constant;
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < m.n; ++i) q[i] += factor * (x[i] - mean);
        }
        const double moved = change * change * curvature;
        if (moved > largest) largest = moved;
    }
    return largest;
}

}  // namespace
}  // namespace steepest
