// What an objective says of its parameters alone: the elastic-net penalty, and the norm of the gradient beside an L1
// part.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace steepest {

// n parameters in rows of `row`, of each of which the first `penalised` are under the penalty.
struct Layout {
    std::size_t n, row, penalised;
};

// `sum` and the of_element(j) over j < n. Above long_sum they are added in parts that do not wait for each other.
constexpr std::size_t long_sum = std::size_t(1) << 16;
template <class Element>
double add_over(double sum, std::size_t n, Element of_element) {
    constexpr std::size_t n_parts = 8;
    const std::size_t part = n > long_sum ? n / n_parts : 0;
    double sums[n_parts] = {};
    for (std::size_t j = 0; j < part; ++j)
        for (std::size_t p = 0; p < n_parts; ++p) sums[p] += of_element(p * part + j);
    for (std::size_t p = 0; part && p < n_parts; ++p) sum += sums[p];
    for (std::size_t j = part * n_parts; j < n; ++j) sum += of_element(j);
    return sum;
}

// l1 |w|_1 + l2 / 2 |w|^2 over the parameters that are penalised.
template <class T>
double penalty(double l1, double l2, const T* w, const Layout& layout) {
    if (l1 == 0.0 && l2 == 0.0) return 0.0;
    double absolute = 0.0, squared = 0.0;
    for (const T* row = w; row < w + layout.n; row += layout.row) {
        const std::size_t n = layout.penalised;
        if (l1 != 0.0) absolute = add_over(absolute, n, [=](std::size_t j) { return std::fabs(double(row[j])); });
        if (l2 != 0.0) squared = add_over(squared, n, [=](std::size_t j) { return double(row[j]) * double(row[j]); });
    }
    return l1 * absolute + 0.5 * l2 * squared;
}

// The same with the penalty of column j times factors[j]. A column of factor infinity is left out: its parameter is 0.
template <class T>
double penalty(double l1, double l2, const double* factors, const T* w, const Layout& layout) {
    double sum = 0.0;
    for (const T* row = w; row < w + layout.n; row += layout.row) {
        for (std::size_t j = 0; j < layout.penalised; ++j) {
            const double v = double(row[j]);
            if (v == 0.0 || factors[j] == 0.0) continue;
            if (std::isinf(factors[j])) return factors[j];
            sum += factors[j] * (l1 * std::fabs(v) + 0.5 * l2 * v * v);
        }
    }
    return sum;
}

// The factor of a column's penalty; null: 1. The parameter of a column that is left out is 0, so it counts for nothing.
inline double factor_of(const double* factors, std::size_t column) {
    return !factors ? 1.0 : std::isinf(factors[column]) ? 0.0 : factors[column];
}

// Calls body(first, last, factor) for the runs of columns of [first, last) that have the same factor.
template <class Body>
void for_each_factor(const double* factors, std::size_t first, std::size_t last, Body body) {
    if (!factors) return body(first, last, 1.0);
    for (std::size_t from = first, to = first; from < last; from = to) {
        for (to = from + 1; to < last && factors[to] == factors[from]; ++to) {
        }
        body(from, to, factor_of(factors, from));
    }
}

// Of the gradient g at w beside l1 |w|, the subgradient nearest to 0.
template <class T>
double smallest_subgradient(double l1, T w, T gradient) {
    const double g = double(gradient);
    if (!(l1 > 0.0)) return g;
    if (w != T(0)) return g + (w > T(0) ? l1 : -l1);
    return std::copysign(std::max(std::fabs(g) - l1, 0.0), g);
}

// The largest magnitude among coordinate(j, whether it is penalised); NaN where there is one.
template <class Coordinate>
double largest_of(const Layout& layout, Coordinate coordinate) {
    double largest = 0.0;
    for (std::size_t start = 0; start < layout.n; start += layout.row) {
        for (std::size_t j = 0; j < layout.row; ++j) {
            const double g = std::fabs(coordinate(start + j, j < layout.penalised));
            largest = g <= largest ? largest : g;
            if (std::isnan(largest)) return largest;
        }
    }
    return largest;
}

// The Euclidean norm of the same, over `unit`, a power of two.
template <class Coordinate>
double norm_of(const Layout& layout, Coordinate coordinate, double unit = 1.0) {
    constexpr double most = 1e300, least = 1e-280;  // beyond them squares overflow, or lose digits
    double sum = 0.0;
    for (std::size_t start = 0; start < layout.n; start += layout.row) {
        sum = add_over(sum, layout.row, [&](std::size_t j) {
            const double g = coordinate(start + j, j < layout.penalised) / unit;
            return g * g;
        });
    }
    if (sum <= most && sum >= least) return std::sqrt(sum) * unit;
    const double largest = unit == 1.0 ? largest_of(layout, coordinate) : 0.0;
    if (!(largest > 0.0 && std::isfinite(largest))) return unit == 1.0 ? largest : std::sqrt(sum) * unit;
    return norm_of(layout, coordinate, std::ldexp(1.0, std::clamp(std::ilogb(largest), -1021, 1022)));
}

// Euclidean norm of the gradient; with L1, where it acts, that of the subgradient nearest to 0.
template <class T>
double gradient_norm(double l1, const T* w, const T* gradient, const Layout& layout, const double* factors = nullptr) {
    if (!factors) {
        return norm_of(layout, [=](std::size_t j, bool penalised) {
            return smallest_subgradient(penalised ? l1 : 0.0, w[j], gradient[j]);
        });
    }
    return norm_of(layout, [=](std::size_t j, bool penalised) {
        const double factor = penalised ? factor_of(factors, j % layout.row) : 0.0;
        return smallest_subgradient(l1 * factor, w[j], gradient[j]);
    });
}

}  // namespace steepest
