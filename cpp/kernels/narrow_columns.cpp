// The work on columns of floats of one ISA level. Compiled once per level, as passes.cpp is.
#include "cpp/kernels/narrow_columns.hpp"

#include "cpp/kernels/simd.hpp"

namespace steepest {
namespace {

using Narrow = Vector<float, lanes<float>>;
constexpr std::size_t least_rows_ahead = 1 << 11, most_rows_ahead = 1 << 15;  // of a column that is asked for ahead

template <bool ahead>
STEEPEST_INLINE float dot_of_floats(const float* x, const float* q, std::size_t n, const float* next) {
    constexpr int W = lanes<float>, line = 16;
    Narrow sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        if constexpr (ahead) {
#pragma GCC unroll 4
            for (int k = 0; k < 4 * W; k += line) __builtin_prefetch(next + i + k, 0, 2);
        }
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) sums[k] += load<float, W>(x + i + k * W) * load<float, W>(q + i + k * W);
    }
    float sum;
    fold<float, W, 1>((sums[0] + sums[1]) + (sums[2] + sums[3]), &sum);
    for (; i < n; ++i) sum += x[i] * q[i];
    return sum;
}

double descend_along_floats(const NarrowModel& m, const std::uint32_t* order, std::size_t count, double* v, float* q) {
    const bool asks = m.n >= least_rows_ahead && m.n <= most_rows_ahead;
    double largest = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
        const std::size_t j = order[k];
        const double curvature = m.curvature[j];
        if (!(curvature > 0.0)) continue;
        const float* x = m.block + m.which[j] * m.n;
        const float along = asks && k + 1 < count
                                ? dot_of_floats<true>(x, q, m.n, m.block + m.which[order[k + 1]] * m.n)
                                : dot_of_floats<false>(x, q, m.n, nullptr);
        const double slope = double(along) + m.l2[j] * v[j];
        const double aim = v[j] - slope / curvature, threshold = m.l1[j] / curvature;
        double found = aim > threshold ? aim - threshold : aim < -threshold ? aim + threshold : 0.0;
        if (found < m.lower[j]) found = m.lower[j];
        const double change = found - v[j];
        if (change == 0.0) continue;
        v[j] = found;
        const float mean = float(m.mean[j]);
        if (m.h) {
            const float *h = m.h, factor = float(change);
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < m.n; ++i) q[i] += factor * h[i] * (x[i] - mean);
        } else {
            const float factor = float(change) * m.constant;
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < m.n; ++i) q[i] += factor * (x[i] - mean);
        }
        const double moved = change * change * curvature;
        if (moved > largest) largest = moved;
    }
    return largest;
}

// Adds R rows to K sums: each number of a row is loaded once for all sums, and each sum once for all rows.
template <int K, int R>
STEEPEST_INLINE void combine_tile(const double* const* x, std::size_t width, const double* factors, std::size_t n_rows,
                                  double* out, std::size_t out_stride) {
    constexpr int W = lanes<double>;
    double f[K][R];
    for (int k = 0; k < K; ++k)
        for (int i = 0; i < R; ++i) f[k][i] = factors[k * n_rows + i];
    std::size_t j = 0;
    for (; j + W <= width; j += W) {
        Vector<double, W> row[R];
#pragma GCC unroll 4
        for (int i = 0; i < R; ++i) row[i] = load<double, W>(x[i] + j);
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k) {
            double* to = out + k * out_stride + j;
            Vector<double, W> sum = load<double, W>(to);
#pragma GCC unroll 4
            for (int i = 0; i < R; ++i) sum += f[k][i] * row[i];
            store<double, W>(to, sum);
        }
    }
    for (; j < width; ++j)
        for (int k = 0; k < K; ++k)
            for (int i = 0; i < R; ++i) out[k * out_stride + j] += f[k][i] * x[i][j];
}

template <int K>
STEEPEST_INLINE void combine_for(const double* block, std::size_t stride, const std::uint32_t* which,
                                 std::size_t n_rows, std::size_t width, const double* factors, double* out,
                                 std::size_t out_stride) {
    const double* x[4];
    std::size_t i = 0;
    for (; i + 4 <= n_rows; i += 4) {
        for (std::size_t l = 0; l < 4; ++l) x[l] = block + which[i + l] * stride;
        combine_tile<K, 4>(x, width, factors + i, n_rows, out, out_stride);
    }
    for (; i < n_rows; ++i) {
        x[0] = block + which[i] * stride;
        combine_tile<K, 1>(x, width, factors + i, n_rows, out, out_stride);
    }
}

void combine(const double* block, std::size_t stride, const std::uint32_t* which, std::size_t n_rows, std::size_t width,
             const double* factors, std::size_t count, double* out, std::size_t out_stride) {
    std::size_t k = 0;
    for (; k + 4 <= count; k += 4)
        combine_for<4>(block, stride, which, n_rows, width, factors + k * n_rows, out + k * out_stride, out_stride);
    for (; k < count; ++k)
        combine_for<1>(block, stride, which, n_rows, width, factors + k * n_rows, out + k * out_stride, out_stride);
}

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(narrow_columns_, level)

extern const NarrowTable STEEPEST_NAME(STEEPEST_LEVEL);
const NarrowTable STEEPEST_NAME(STEEPEST_LEVEL) = {&descend_along_floats, &combine};

}  // namespace steepest
