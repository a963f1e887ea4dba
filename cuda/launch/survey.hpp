// What the checks of targets and weights must know of an array, found on the device.
#pragma once

#include <cstddef>

#include "cuda/launch/device.hpp"

namespace steepest::cuda {

struct Survey {
    std::size_t first_not_finite, first_not_label;  // not 0 or 1; the array's length where there is none
    double minimum, sum;
};

// Waits until it is done.
template <class T>
Survey survey(const T* data, std::size_t n, Stream);

}  // namespace steepest::cuda
