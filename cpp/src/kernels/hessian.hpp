// Rows of the lower triangle of the Hessian sum_i c_i x_i x_i^T: blocks of rows packed side by side with their scaled
// copy, multiplied in tiles of 4 rows by 2 vectors.
#pragma once

#include "rows.hpp"

namespace steepest {
namespace {

constexpr std::size_t hessian_block = 64;
constexpr std::size_t hessian_tile = 4;

template <class T>
STEEPEST_INLINE std::size_t padded(std::size_t n) {
    constexpr std::size_t step = 2 * lanes<T>;
    return (n + step - 1) / step * step;
}

template <class S>
std::size_t hessian_scratch_size(const Matrix<S>& X) {
    return 2 * hessian_block * padded<ArithmeticOf<S>>(X.n_columns + 1) + X.n_columns * hessian_block;
}

template <class T>
STEEPEST_INLINE void add_hessian_tile(const T* packed, const T* scaled, std::size_t stride, std::size_t n,
                                      std::size_t row, std::size_t column, T (*out)[2 * lanes<T>]) {
    constexpr int W = lanes<T>;
    Vector<T, W> sum[hessian_tile][2] = {};
    for (std::size_t i = 0; i < n; ++i) {
        const Vector<T, W> a = load<T, W>(packed + i * stride + column);
        const Vector<T, W> b = load<T, W>(packed + i * stride + column + W);
#pragma GCC unroll 4
        for (std::size_t t = 0; t < hessian_tile; ++t) {
            const T c = scaled[i * stride + row + t];
            sum[t][0] += c * a;
            sum[t][1] += c * b;
        }
    }
    for (std::size_t t = 0; t < hessian_tile; ++t) {
        store<T, W>(out[t], sum[t][0]);
        store<T, W>(out[t] + W, sum[t][1]);
    }
}

// Adds a packed block of n rows to rows [first, last) of the lower triangle.
template <class T>
STEEPEST_INLINE void add_hessian_block(const T* packed, const T* scaled, std::size_t stride, std::size_t n,
                                       std::size_t size, std::size_t first, std::size_t last, double* hessian) {
    constexpr std::size_t width = 2 * lanes<T>;
    T out[hessian_tile][width];
    for (std::size_t row = first; row < last; row += hessian_tile) {
        for (std::size_t column = 0; column < row + hessian_tile && column < size; column += width) {
            add_hessian_tile(packed, scaled, stride, n, row, column, out);
            for (std::size_t t = 0; t < hessian_tile && row + t < last; ++t) {
                const std::size_t end = row + t + 1 < column + width ? row + t + 1 : column + width;
                for (std::size_t j = column; j < end; ++j) hessian[(row + t) * size + j] += double(out[t][j - column]);
            }
        }
    }
}

template <class T, class Loss>
    requires(!is_widened<T>)
void hessian(const Rows<T>& rows, Linear<T> point, bool intercept, std::size_t first, std::size_t last, T* scratch,
             double* hessian) {
    const std::size_t d = rows.X.n_columns, size = d + intercept, stride = padded<T>(d + 1);
    T* packed = scratch;
    T* scaled = scratch + hessian_block * stride;
    T* gathered = scaled + hessian_block * stride;
    RowBlock<T> block;
    T z[hessian_block];
    for (std::size_t i = 0; i < 2 * hessian_block * stride; ++i) scratch[i] = T(0);
    for (std::size_t start = 0; start < rows.count; start += hessian_block) {
        const std::size_t n = rows.count - start < hessian_block ? rows.count - start : hessian_block;
        fetch(rows, start, n, gathered, block);
        with_width<T>(d,
                      [&](auto width) { dots<T, width.value>(block.x, n, Operand<T, width.value>(point.w, d), d, z); });
        for (std::size_t i = 0; i < n; ++i) {
            T c = Loss::curvature(z[i] + point.bias, block.y[i]);
            if (block.weight) c *= block.weight[i];
            for (std::size_t j = 0; j < d; ++j) packed[i * stride + j] = block.x[i][j];
            if (intercept) packed[i * stride + d] = T(1);
            for (std::size_t j = first; j < last; ++j) scaled[i * stride + j] = c * packed[i * stride + j];
        }
        add_hessian_block(packed, scaled, stride, n, size, first, last, hessian);
    }
}

// Widened to where gathered rows stand, which rows that are floats already leave free.
template <class S, class Loss>
    requires is_widened<S>
void hessian(const Rows<S>& rows, Linear<float> point, bool intercept, std::size_t first, std::size_t last,
             float* scratch, double* sums) {
    float* widened = scratch + 2 * hessian_block * padded<float>(rows.X.n_columns + 1);
    over_widened(rows, hessian_block, widened, [&](const Rows<float>& block) {
        hessian<float, Loss>(block, point, intercept, first, last, scratch, sums);
    });
}

}  // namespace
}  // namespace steepest
