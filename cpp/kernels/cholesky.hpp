// Parts of a Cholesky factorisation A = U^T U in the upper triangle of A, by rows that are `stride` apart and padded
// with zeros to more than a tile.
#pragma once

#include <cmath>

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

constexpr int factor_lanes = lanes<double>;
constexpr std::size_t factor_columns = 2 * factor_lanes;  // of a tile
constexpr std::size_t factor_rows = 4;
using FactorVector = Vector<double, factor_lanes>;

// Factors the triangle of rows and columns [first, last); false at a pivot that is not above `least`.
bool factor_triangle(double* a, std::size_t stride, std::size_t first, std::size_t last, double least) {
    for (std::size_t r = first; r < last; ++r) {
        double* row = a + r * stride;
        if (!(row[r] > least)) return false;
        row[r] = std::sqrt(row[r]);
        const double inverse = 1.0 / row[r];
        for (std::size_t j = r + 1; j < last; ++j) row[j] *= inverse;
        for (std::size_t i = r + 1; i < last; ++i) {
            double* below = a + i * stride;
            const double factor = row[i];
            STEEPEST_VECTORIZE
            for (std::size_t j = i; j < last; ++j) below[j] -= factor * row[j];
        }
    }
    return true;
}

// Columns [from, to) of the rows [first, last) of U, whose triangle is there; writes up to a tile further.
void factor_rows_of(double* a, std::size_t stride, std::size_t first, std::size_t last, std::size_t from,
                    std::size_t to) {
    constexpr int W = factor_lanes;
    for (std::size_t j = from; j < to; j += factor_columns) {
        for (std::size_t r = first; r < last; ++r) {
            double* at = a + r * stride + j;
            FactorVector x = load<double, W>(at), y = load<double, W>(at + W);
            for (std::size_t q = first; q < r; ++q) {
                const double factor = a[q * stride + r];
                x -= factor * load<double, W>(a + q * stride + j);
                y -= factor * load<double, W>(a + q * stride + j + W);
            }
            const double inverse = 1.0 / a[r * stride + r];
            store<double, W>(at, x * inverse);
            store<double, W>(at + W, y * inverse);
        }
    }
}

// Subtracts what the rows [first, last) of U make of the rows [from, to), from their diagonal to column n.
void factor_subtract(double* a, std::size_t stride, std::size_t first, std::size_t last, std::size_t from,
                     std::size_t to, std::size_t n) {
    constexpr int W = factor_lanes;
    for (std::size_t column = from; column < n; column += factor_columns) {
        for (std::size_t row = from; row < to && row < column + factor_columns; row += factor_rows) {
            FactorVector sum[factor_rows][2] = {};
            for (std::size_t k = first; k < last; ++k) {
                const double* u = a + k * stride;
                const FactorVector x = load<double, W>(u + column), y = load<double, W>(u + column + W);
#pragma GCC unroll 4
                for (std::size_t t = 0; t < factor_rows; ++t) {
                    sum[t][0] += u[row + t] * x;
                    sum[t][1] += u[row + t] * y;
                }
            }
            for (std::size_t t = 0; t < factor_rows && row + t < to; ++t) {
                double* at = a + (row + t) * stride + column;
                store<double, W>(at, load<double, W>(at) - sum[t][0]);
                store<double, W>(at + W, load<double, W>(at + W) - sum[t][1]);
            }
        }
    }
}

// x = (U^T U)^-1 x.
void factor_solve(const double* a, std::size_t stride, std::size_t n, double* x) {
    for (std::size_t i = 0; i < n; ++i) {
        const double* row = a + i * stride;
        const double factor = x[i] /= row[i];
        STEEPEST_VECTORIZE
        for (std::size_t j = i + 1; j < n; ++j) x[j] -= factor * row[j];
    }
    for (std::size_t i = n; i-- > 0;) {
        const double* row = a + i * stride;
        constexpr int W = factor_lanes;
        FactorVector total[2] = {};
        std::size_t j = i + 1;
        for (; j + 2 * W <= n; j += 2 * W) {
            total[0] += load<double, W>(row + j) * load<double, W>(x + j);
            total[1] += load<double, W>(row + j + W) * load<double, W>(x + j + W);
        }
        double sum;
        fold<double, W, 1>(total[0] + total[1], &sum);
        for (; j < n; ++j) sum += row[j] * x[j];
        x[i] = (x[i] - sum) / row[i];
    }
}

// The same of a group of vectors, whose elements number i stand side by side.
void factor_solve_group(const double* a, std::size_t stride, std::size_t n, double* x) {
    constexpr int W = factor_lanes, V = int(cholesky_group) / W;
    static_assert(V * W == int(cholesky_group));
    for (std::size_t i = 0; i < n; ++i) {
        const double* row = a + i * stride;
        FactorVector factor[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            factor[v] = load<double, W>(x + i * cholesky_group + v * W) / row[i];
            store<double, W>(x + i * cholesky_group + v * W, factor[v]);
        }
        for (std::size_t j = i + 1; j < n; ++j) {
            double* to = x + j * cholesky_group;
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) store<double, W>(to + v * W, load<double, W>(to + v * W) - row[j] * factor[v]);
        }
    }
    for (std::size_t i = n; i-- > 0;) {
        const double* row = a + i * stride;
        FactorVector sum[2][V] = {};
        const auto add = [&](FactorVector* to, std::size_t j) {
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) to[v] += row[j] * load<double, W>(x + j * cholesky_group + v * W);
        };
        std::size_t j = i + 1;
        for (; j + 2 <= n; j += 2) {
            add(sum[0], j);
            add(sum[1], j + 1);
        }
        if (j < n) add(sum[0], j);
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            double* to = x + i * cholesky_group + v * W;
            store<double, W>(to, (load<double, W>(to) - (sum[0][v] + sum[1][v])) / row[i]);
        }
    }
}

}  // namespace
}  // namespace steepest
