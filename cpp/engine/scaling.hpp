// Implicit standardisation: the objective of the columns (x_j - centre_j) / scale_j, made from passes over X as it is.
// With u_j = w_j / scale_j the score is x . u + b - sum_j centre_j u_j, and the gradient of w_j is
// (g_j - centre_j g_b) / scale_j, where g are sums over the raw columns and g_b is that of the slopes. Where the means
// are so large that these differences lose digits, or a scale so large or small that w_j / scale_j may leave the range
// of T, the columns are standardised block by block instead.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "cpp/engine/memory.hpp"
#include "cpp/math/matrix.hpp"

namespace steepest {

// Of n_columns each.
struct Scaling {
    const double* centre = nullptr;
    const double* inverse = nullptr;  // 1 / scale
    bool blockwise = false;           // whether blocks of rows are standardised before they reach a kernel
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

// The parameters of the same scores over raw columns, where each score has an intercept; they are kept in `raw`.
template <class T>
Coefficients<T> over_raw_columns(const Scaling& scaling, const Coefficients<T>& point, Buffer<T>& raw) {
    const std::size_t d = point.n_columns;
    raw.resize(point.n_scores * (d + 1));
    for (std::size_t c = 0; c < point.n_scores; ++c) {
        T* u = raw.data() + c * (d + 1);
        u[d] = write_raw(scaling, point.of(c), point.bias(c), d, u);
    }
    return {raw.data(), point.n_scores, d + 1, d, point.row_offsets};
}

// From sums over raw columns, beside that of the slopes, to those over standardised ones.
inline void standardise_sums(const Scaling& scaling, double slope, double* sums, std::size_t d) {
    for (std::size_t j = 0; j < d; ++j) sums[j] = (sums[j] - scaling.centre[j] * slope) * scaling.inverse[j];
}

}  // namespace steepest
