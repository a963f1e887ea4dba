// Sums over the pairs of limited-memory BFGS: a few thousand elements of all of them at a time, in the caller's cache.
#pragma once

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

constexpr int pair_lanes = 8, pair_sums = 4;  // the same at every level, so that every level rounds alike
using PairLanes = Vector<double, pair_lanes>;

STEEPEST_INLINE double sum_of(PairLanes v) { return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])); }

template <class T>
STEEPEST_INLINE PairLanes load_lanes(const T* p) {
    return as_doubles<pair_lanes, T>(load<T, pair_lanes>(p));
}

template <class T>
double dot(const T* a, const double* x, std::size_t n) {
    constexpr std::size_t step = pair_lanes * pair_sums;
    PairLanes sums[pair_sums] = {};
    std::size_t j = 0;
    for (; j + step <= n; j += step)
        for (std::size_t s = 0; s < pair_sums; ++s)
            sums[s] += load_lanes(a + j + s * pair_lanes) * load_lanes(x + j + s * pair_lanes);
    double sum = sum_of((sums[0] + sums[2]) + (sums[1] + sums[3]));
    for (; j < n; ++j) sum += double(a[j]) * x[j];
    return sum;
}

template <class T>
void add_multiple(const T* a, double factor, std::size_t n, double* x) {
    std::size_t j = 0;
    for (; j + pair_lanes <= n; j += pair_lanes) {
        const PairLanes sum = load_lanes(x + j) + factor * load_lanes(a + j);
        __builtin_memcpy(x + j, &sum, sizeof(sum));
    }
    for (; j < n; ++j) x[j] += factor * double(a[j]);
}

template <class T>
STEEPEST_INLINE PairLanes round_lanes(PairLanes x, T* to) {
    const Vector<T, pair_lanes> rounded = __builtin_convertvector(x, Vector<T, pair_lanes>);
    __builtin_memcpy(to, &rounded, sizeof(rounded));
    return as_doubles<pair_lanes, T>(rounded);
}

template <class T>
void subtract_pair(const PairEnds<T>& ends, std::size_t first, std::size_t n, T* step, T* change, double* sums) {
    const auto [w, to_w, gradient, to_gradient, diagonal] = ends;
    PairLanes product = {}, of_step = {}, of_change = {};
    std::size_t j = first;
    for (; j + pair_lanes <= first + n; j += pair_lanes) {
        const PairLanes s = round_lanes(load_lanes(to_w + j) - load_lanes(w + j), step + j);
        const PairLanes y = round_lanes(load_lanes(to_gradient + j) - load_lanes(gradient + j), change + j);
        const PairLanes metric = diagonal ? load_lanes(diagonal + j) : PairLanes{} + 1.0;
        product += s * y;
        of_step += s * s * metric;
        of_change += y * y / metric;
    }
    sums[0] += sum_of(product);
    sums[1] += sum_of(of_step);
    sums[2] += sum_of(of_change);
    for (; j < first + n; ++j) {
        step[j] = T(double(to_w[j]) - double(w[j]));
        change[j] = T(to_gradient[j] - gradient[j]);
        const double s = double(step[j]), y = double(change[j]), metric = diagonal ? diagonal[j] : 1.0;
        sums[0] += s * y;
        sums[1] += s * s * metric;
        sums[2] += y * y / metric;
    }
}

}  // namespace
}  // namespace steepest
