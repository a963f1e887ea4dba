// The minimum of a quadratic model beside an L1 penalty, by coordinate descent.
#pragma once

#include <cstddef>

#include "cpp/engine/interrupt.hpp"

namespace steepest {

// slope . (z - w) + (z - w) . matrix (z - w) / 2 + sum l1 |z|, of n coordinates; `matrix` is positive definite, with a
// diagonal above 0.
struct QuadraticModel {
    const double* matrix;
    const double* slope;
    const double* w;
    const double* l1;
    const double* lower;  // of z, which must not begin below it; null: no bounds
    std::size_t n;
};

// Moves z, where it begins, in at most `max_sweeps` sweeps: over all coordinates, then over those that are not 0, or
// moved, until these have settled, and over all again. Returns whether at last no coordinate moved by more than
// `tolerance` times the largest coordinate at the start, or the longest move, each in units of its curvature.
bool coordinate_descent(const QuadraticModel& model, double* z, std::size_t max_sweeps, double tolerance,
                        Interrupt& interrupt);

}  // namespace steepest
