// The set that a constraint keeps parameters in: its nearest point, and the gradient's norm beside its border.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "cpp/math/penalty.hpp"

namespace steepest {

// What makes v a coordinate of the nearest point of a simplex. Kept in two parts, so that large numbers keep their
// digits.
struct SimplexCut {
    double largest, rest;
    double operator()(double v) const {
        const double x = (v - largest) - rest;
        return x < 0.0 ? 0.0 : x;  // a NaN stays one
    }
};

// The cut of value(0), ..., value(d - 1): with it they sum up to total. Newton's method for the threshold, from below
// (Michelot 1986; the threshold is that of Duchi et al. 2008): what is not above it is dropped, until nothing is. Each
// pass divides by 4 or more what the sum is too large by times how many are left: O(d log d) at worst, mostly few
// passes. Numbers that are not finite have no nearest point, and all become NaN. `kept` has room for d numbers.
template <class Value>
SimplexCut simplex_cut(std::size_t d, double total, std::vector<double>& kept, Value value) {
    double largest = -std::numeric_limits<double>::infinity();
    bool finite = true;
    for (std::size_t j = 0; j < d; ++j) {
        largest = std::max(largest, value(j));
        finite = finite && std::isfinite(value(j));
    }
    if (!finite) return {largest, std::numeric_limits<double>::quiet_NaN()};
    std::size_t n = 0;
    double sum = 0.0;
    const auto keep = [&](double v, double above) {
        kept[n] = v;
        n += v > above;
        sum += v > above ? v : 0.0;
    };
    for (std::size_t j = 0; j < d; ++j) keep(value(j) - largest, -total);
    while (true) {
        const std::size_t before = n;
        const double threshold = (sum - total) / double(n);
        n = 0;
        sum = 0.0;
        for (std::size_t i = 0; i < before; ++i) keep(kept[i], threshold);
        if (n == before) return {largest, threshold};
    }
}

template <class T>
class Constraint {
  public:
    Constraint() = default;  // none

    // lower <= w <= upper, of n parameters; the arrays are the caller's.
    static Constraint box(const T* lower, const T* upper, std::size_t n) {
        Constraint c;
        c.lower_ = lower;
        c.upper_ = upper;
        c.n_ = n;
        return c;
    }
    // w >= 0 with the sum `total` above 0, of the first n parameters.
    static Constraint simplex(double total, std::size_t n) {
        Constraint c;
        c.total_ = total;
        c.n_ = n;
        c.kept_.resize(n);
        return c;
    }

    bool is_none() const { return !lower_ && total_ == 0.0; }

    // Makes w the nearest point of the set.
    void project(T* w) {
        if (lower_) {
            for (std::size_t j = 0; j < n_; ++j) {  // a NaN stays one
                const T raised = w[j] < lower_[j] ? lower_[j] : w[j];
                w[j] = raised > upper_[j] ? upper_[j] : raised;
            }
        } else if (total_ > 0.0) {
            const SimplexCut cut = simplex_cut(n_, total_, kept_, [w](std::size_t j) { return double(w[j]); });
            for (std::size_t j = 0; j < n_; ++j) w[j] = T(cut(double(w[j])));
        }
    }

    // As gradient_norm of penalty.hpp, and 0 at a minimum in the set: of a box without the coordinates at a bound that
    // would leave it (the projected gradient; Bertsekas, Nonlinear Programming), of the simplex |w - P(w - g)|.
    double gradient_norm(double l1, const T* w, const T* gradient, const Layout& layout,
                         const double* factors = nullptr) {
        if (lower_) {
            return norm_of(layout, [&](std::size_t j, bool penalised) {
                const double factor = penalised && factors ? factor_of(factors, j % layout.row) : 1.0;
                const double g = smallest_subgradient(penalised ? l1 * factor : 0.0, w[j], gradient[j]);
                const bool leaves = (g > 0.0 && w[j] <= lower_[j]) || (g < 0.0 && w[j] >= upper_[j]);
                return leaves ? 0.0 : g;
            });
        }
        if (total_ > 0.0) {
            const auto moved = [&](std::size_t j) { return double(w[j]) - double(gradient[j]); };
            const SimplexCut cut = simplex_cut(n_, total_, kept_, moved);
            return norm_of(layout, [&](std::size_t j, bool) {
                return j < n_ ? double(w[j]) - cut(moved(j)) : double(gradient[j]);
            });
        }
        return steepest::gradient_norm(l1, w, gradient, layout, factors);
    }

  private:
    const T* lower_ = nullptr;
    const T* upper_ = nullptr;
    double total_ = 0.0;
    std::size_t n_ = 0;
    std::vector<double> kept_;
};

}  // namespace steepest
