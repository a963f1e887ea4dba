// What an objective says of its parameters alone: the elastic-net penalty, and the norm of the gradient beside an L1
// part.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace steepest {

// l1 |w|_1 + l2 / 2 |w|^2 over the d parameters that are penalised.
template <class T>
double penalty(double l1, double l2, const T* w, std::size_t d) {
    if (l1 == 0.0 && l2 == 0.0) return 0.0;
    double absolute = 0.0, squared = 0.0;
    for (std::size_t j = 0; j < d; ++j) {
        absolute += std::fabs(double(w[j]));
        squared += double(w[j]) * double(w[j]);
    }
    return l1 * absolute + 0.5 * l2 * squared;
}

// Of the gradient g at w beside l1 |w|, the subgradient nearest to 0.
template <class T>
double smallest_subgradient(double l1, T w, T gradient) {
    const double g = double(gradient);
    if (!(l1 > 0.0)) return g;
    if (w != T(0)) return g + (w > T(0) ? l1 : -l1);
    return std::copysign(std::max(std::fabs(g) - l1, 0.0), g);
}

template <class Coordinate>
double norm_of(std::size_t n, Coordinate coordinate) {
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        const double g = coordinate(j);
        sum += g * g;
    }
    return std::sqrt(sum);
}

// Euclidean norm of the gradient of n parameters; with L1, on the first d, that of the subgradient nearest to 0.
template <class T>
double gradient_norm(double l1, const T* w, const T* gradient, std::size_t d, std::size_t n) {
    return norm_of(n, [=](std::size_t j) { return smallest_subgradient(j < d ? l1 : 0.0, w[j], gradient[j]); });
}

}  // namespace steepest
