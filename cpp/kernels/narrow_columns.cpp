// The work on columns of floats of one ISA level. Compiled once per level, as passes.cpp is.
#include "cpp/kernels/narrow_columns.hpp"

#include "cpp/kernels/along_columns.hpp"

namespace steepest {
namespace {

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
const NarrowTable STEEPEST_NAME(STEEPEST_LEVEL) = {&descend_along<float>, &combine};

}  // namespace steepest
