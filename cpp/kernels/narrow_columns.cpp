// The work on columns of floats of one ISA level. Compiled once per level, as passes.cpp is.
#include "cpp/kernels/narrow_columns.hpp"

#include "cpp/kernels/along_columns.hpp"

namespace steepest {
namespace {

// Adds R rows to K sums: each number of a row is loaded once for all sums, and each sum once for all rows. Meanwhile it
// asks for the same columns of the rows at `next`, if they are given.
template <int K, int R, bool ahead = false>
STEEPEST_INLINE void combine_tile(const double* const* x, std::size_t width, const double* factors, std::size_t n_rows,
                                  double* out, std::size_t out_stride, const double* const* next = nullptr) {
    constexpr int W = lanes<double>, line = 8;
    double f[K][R];
    for (int k = 0; k < K; ++k)
        for (int i = 0; i < R; ++i) f[k][i] = factors[k * n_rows + i];
    std::size_t j = 0;
    for (; j + W <= width; j += W) {
        Vector<double, W> row[R];
        if constexpr (ahead)
            if (j % line == 0)
                for (int i = 0; i < R; ++i) __builtin_prefetch(next[i] + j, 0, 3);
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

// Adds R rows to all sums, while the first of them asks for the rows at `next`.
template <int R>
STEEPEST_INLINE void combine_rows(const double* const* x, std::size_t width, const double* factors, std::size_t n_rows,
                                  std::size_t count, double* out, std::size_t out_stride, const double* const* next) {
    std::size_t k = 0;
    if (next && count >= 4) {
        combine_tile<4, R, true>(x, width, factors, n_rows, out, out_stride, next);
        k = 4;
    }
    for (; k + 4 <= count; k += 4)
        combine_tile<4, R>(x, width, factors + k * n_rows, n_rows, out + k * out_stride, out_stride);
    for (; k < count; ++k) combine_tile<1, R>(x, width, factors + k * n_rows, n_rows, out + k * out_stride, out_stride);
}

void combine(const double* block, std::size_t stride, const std::uint32_t* which, std::size_t n_rows, std::size_t width,
             const double* factors, std::size_t count, double* out, std::size_t out_stride) {
    constexpr std::size_t R = 4;
    std::size_t i = 0;
    for (; i + R <= n_rows; i += R) {
        const double *x[R], *next[R];
        const bool more = i + 2 * R <= n_rows;
        for (std::size_t l = 0; l < R; ++l) {
            x[l] = block + which[i + l] * stride;
            next[l] = more ? block + which[i + R + l] * stride : x[l];
        }
        combine_rows<R>(x, width, factors + i, n_rows, count, out, out_stride, more ? next : nullptr);
    }
    for (; i < n_rows; ++i) {
        const double* x[1] = {block + which[i] * stride};
        combine_rows<1>(x, width, factors + i, n_rows, count, out, out_stride, nullptr);
    }
}

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(narrow_columns_, level)

extern const NarrowTable STEEPEST_NAME(STEEPEST_LEVEL);
const NarrowTable STEEPEST_NAME(STEEPEST_LEVEL) = {&descend_along<float>, &combine};

}  // namespace steepest
