// Coordinate descent on a quadratic model beside an L1 penalty.
#pragma once

#include <cstdint>

#include "cpp/kernels/simd.hpp"

namespace steepest {
namespace {

// See PassTable.
double descend_coordinates(const double* matrix, std::size_t n, const double* l1, const double* lower,
                           const std::uint32_t* which, std::size_t count, double* z, double* slope) {
    double largest = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
        const std::size_t i = which[k];
        const double* row = matrix + i * n;
        const double curvature = row[i], aim = z[i] - slope[i] / curvature;
        const double threshold = l1[i] / curvature;
        const double free = aim > threshold ? aim - threshold : aim < -threshold ? aim + threshold : 0.0;
        const double found = lower && free < lower[i] ? lower[i] : free;
        const double change = found - z[i];
        if (change == 0.0) continue;
        z[i] += change;
        STEEPEST_VECTORIZE
        for (std::size_t j = 0; j < n; ++j) slope[j] += change * row[j];
        const double moved = change * change * curvature;
        if (moved > largest) largest = moved;
    }
    return largest;
}

}  // namespace
}  // namespace steepest
