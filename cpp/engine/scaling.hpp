// Implicit standardisation: the objective of the columns (x_j - centre_j) / scale_j, made from passes over X as it is.
// With u_j = w_j / scale_j the score is x . u + b - sum_j centre_j u_j, and the gradient of w_j is
// (g_j - centre_j g_b) / scale_j, where g are sums over the raw columns and g_b is that of the slopes. Where the means
// are so large that these differences lose digits, or a scale so large or small that w_j / scale_j may leave the range
// of T, the columns are standardised block by block instead.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "cpp/engine/dispatch.hpp"
#include "cpp/math/matrix.hpp"

namespace steepest {

// Of n_columns each; null where there is none.
struct Scaling {
    const double* centre = nullptr;
    const double* inverse = nullptr;  // 1 / scale
    bool blockwise = false;           // whether blocks of rows are standardised before they reach a kernel

    explicit operator bool() const { return centre; }
};

// Of the means in deviations, which is about what raw scores are larger than standardised ones: beyond this norm they
// cost more digits than T can spare.
template <class T>
constexpr double largest_shift = sizeof(T) == 4 ? 200.0 : 1e5;

// Of a scale and its inverse: beyond it w / scale, or a sum of x over raw columns, may leave the range of T.
template <class T>
constexpr double largest_unit = sizeof(T) == 4 ? 0x1p40 : 0x1p400;

// Below it a column counts for nothing in either way of standardising.
constexpr double scaled_away = 1e-150;

template <class T>
Scaling scaling_of(const double* centre, const double* inverse, std::size_t d) {
    double squared = 0.0;
    bool moderate = true;
    for (std::size_t j = 0; j < d; ++j) {
        squared += centre[j] * inverse[j] * (centre[j] * inverse[j]);
        const bool away = inverse[j] < scaled_away;
        moderate &= away || (inverse[j] <= largest_unit<T> && inverse[j] * largest_unit<T> >= 1.0);
    }
    return {centre, inverse, !moderate || !(std::sqrt(squared) <= largest_shift<T>)};
}

// Writes the u of a score; returns the bias over raw columns, which is that of the rounded u, so that their rounding
// moves no score by more than it changes w.
template <class T>
T write_raw(const Scaling& scaling, const T* w, T bias, std::size_t d, T* u) {
    double shifted = double(bias);
    for (std::size_t j = 0; j < d; ++j) {
        u[j] = T(double(w[j]) * scaling.inverse[j]);
        shifted -= scaling.centre[j] * double(u[j]);
    }
    return T(shifted);
}

// The parameters of the same scores over raw columns; they are kept in `raw`.
template <class T>
Linear<T> over_raw_columns(const Scaling& scaling, Linear<T> point, std::size_t d, std::vector<T>& raw) {
    if (!scaling || scaling.blockwise) return point;
    raw.resize(d);
    const T bias = write_raw(scaling, point.w, point.bias, d, raw.data());
    return {raw.data(), bias};
}

// The same of several scores. Over raw columns each has an intercept.
template <class T>
Scores<T> over_raw_columns(const Scaling& scaling, const Scores<T>& point, std::vector<T>& raw) {
    if (!scaling || scaling.blockwise) return point;
    const std::size_t d = point.n_columns;
    raw.resize(point.k * (d + 1));
    for (std::size_t c = 0; c < point.k; ++c) {
        T* u = raw.data() + c * (d + 1);
        u[d] = write_raw(scaling, point.of(c), point.bias(c), d, u);
    }
    return {raw.data(), point.k, d + 1, d};
}

// From sums over raw columns, beside that of the slopes, to those over standardised ones.
inline void standardise_sums(const Scaling& scaling, double slope, double* sums, std::size_t d) {
    if (!scaling || scaling.blockwise) return;
    for (std::size_t j = 0; j < d; ++j) sums[j] = (sums[j] - scaling.centre[j] * slope) * scaling.inverse[j];
}

// Blocks of rows of S as standardised columns of T, in buffers of one thread.
template <class S>
class StandardisedBlocks {
  public:
    using T = ArithmeticOf<S>;

    static std::size_t block_rows(const Matrix<S>& X) {
        const bool in_rows = X.order == Order::row_major;
        const std::size_t fit = (std::size_t(1) << (in_rows ? 16 : 18)) / X.n_columns;
        return std::min(std::clamp<std::size_t>(fit, in_rows ? 16 : 64, in_rows ? 256 : 512), X.n_rows);
    }
    static std::size_t scratch_size(const Matrix<S>& X) { return block_rows(X) * (X.n_columns + 2); }
    // Of the shape and order of the largest block.
    static Matrix<T> block(const Matrix<S>& X) { return {nullptr, block_rows(X), X.n_columns, X.order}; }

    // Calls kernel(rows of T) over all rows, with scratch_size elements of scratch.
    template <class Kernel>
    static void for_each(const Rows<S>& rows, const Scaling& scaling, T* scratch, Kernel kernel) {
        const std::size_t d = rows.X.n_columns, most = block_rows(rows.X);
        const Order order = rows.index ? Order::row_major : rows.X.order;
        const auto standardise = columns_of<S>().standardise;
        T *x = scratch, *y = x + most * d, *weight = y + most;
        for (std::size_t first = 0; first < rows.count; first += most) {
            const std::size_t n = std::min(most, rows.count - first);
            standardise(rows, first, n, scaling.centre, scaling.inverse, x, y, weight);
            kernel(Rows<T>{{x, n, d, order}, y, rows.weight ? weight : nullptr, nullptr, 0, n, 0});
        }
    }
};

}  // namespace steepest
