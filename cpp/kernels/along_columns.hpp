// Dot products with columns that lie one after the other in memory, and coordinate descent along them: of doubles, or
// of columns that were copied as floats, whose slopes of the rows are floats too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

constexpr std::size_t least_bytes_ahead = 1 << 13, most_bytes_ahead = 1 << 17;  // of a column that is asked for ahead

// The product of a column with q. Meanwhile it asks for the column at `next`, if there is one, which is then in the
// cache when its turn comes: between two columns the hardware has to find the stream anew.
template <bool ahead = false, class T>
STEEPEST_INLINE T dot_of_column(const T* x, const T* q, std::size_t n, const T* next = nullptr) {
    constexpr int W = lanes<T>, line = 64 / int(sizeof(T));
    Vector<T, W> sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        if constexpr (ahead) {
#pragma GCC unroll 4
            for (int k = 0; k < 4 * W; k += line) __builtin_prefetch(next + i + k, 0, 2);
        }
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) sums[k] += load<T, W>(x + i + k * W) * load<T, W>(q + i + k * W);
    }
    T sum;
    fold<T, W, 1>((sums[0] + sums[1]) + (sums[2] + sums[3]), &sum);
    for (; i < n; ++i) sum += x[i] * q[i];
    return sum;
}

// See ColumnsTable.
template <class T>
double descend_along(const ModelOfColumns<T>& m, const std::uint32_t* order, std::size_t count, double* v, T* q) {
    const bool asks = m.n * sizeof(T) >= least_bytes_ahead && m.n * sizeof(T) <= most_bytes_ahead;
    double largest = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
        const std::size_t j = order[k];
        const double curvature = m.curvature[j];
        if (!(curvature > 0.0)) continue;
        const T* x = m.block + m.which[j] * m.n;
        const T along = asks && k + 1 < count ? dot_of_column<true>(x, q, m.n, m.block + m.which[order[k + 1]] * m.n)
                                              : dot_of_column(x, q, m.n);
        const double slope = double(along) + m.l2[j] * v[j];
        const double aim = v[j] - slope / curvature, threshold = m.l1[j] / curvature;
        double found = aim > threshold ? aim - threshold : aim < -threshold ? aim + threshold : 0.0;
        if (found < m.lower[j]) found = m.lower[j];
        const double change = found - v[j];
        if (change == 0.0) continue;
        v[j] = found;
        const T mean = T(m.mean[j]);
        if (m.h) {
            const T *h = m.h, factor = T(change);
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < m.n; ++i) q[i] += factor * h[i] * (x[i] - mean);
        } else {
            const T factor = T(change) * m.constant;
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
