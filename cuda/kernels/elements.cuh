// Elements of X as numbers to compute with.
#pragma once

#include <ptx.cuh>

namespace steepest::cuda {

constexpr unsigned all_lanes = 0xffffffffu;

template <class S>
__device__ __forceinline__ ArithmeticOf<S> widen_element(S x) {
    if constexpr (is_widened<S>) {
        return ptx::widen(x);
    } else {
        return x;
    }
}

}  // namespace steepest::cuda
