// Loops that ask for several loads before they wait for the first one. `#pragma unroll` does not do that where the
// number of turns is known at run time alone: the compiler may not load what a turn that does not come would have
// loaded.
#pragma once

#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

// Calls use(i, load(i)) for i = first, first + step, ... below last, in this order. The loads of `at_once` turns come
// before their uses.
template <int at_once, class Index, class Load, class Use>
__device__ __forceinline__ void in_order(Index first, Index last, Index step, Load load, Use use) {
    using Loaded = decltype(load(first));
    Index i = first;
    for (; i < last && last - i > Index(at_once - 1) * step; i += Index(at_once) * step) {
        Loaded loaded[at_once];
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k) loaded[k] = load(i + Index(k) * step);
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k) use(i + Index(k) * step, loaded[k]);
    }
    if (i >= last) return;
    constexpr int most = at_once > 1 ? at_once - 1 : 1;  // that are left
    Loaded loaded[most] = {};
    STEEPEST_UNROLL
    for (int k = 0; k < most; ++k)
        if (i + Index(k) * step < last) loaded[k] = load(i + Index(k) * step);
    STEEPEST_UNROLL
    for (int k = 0; k < most; ++k)
        if (i + Index(k) * step < last) use(i + Index(k) * step, loaded[k]);
}

// The same where what is loaded says what else to load: use(load(i), gather(load(i))).
template <int at_once, class Index, class Load, class Gather, class Use>
__device__ __forceinline__ void in_order(Index first, Index last, Index step, Load load, Gather gather, Use use) {
    using Loaded = decltype(load(first));
    using Gathered = decltype(gather(load(first)));
    for (Index i = first; i < last; i += Index(at_once) * step) {
        Loaded loaded[at_once] = {};
        Gathered gathered[at_once] = {};
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k)
            if (i + Index(k) * step < last) loaded[k] = load(i + Index(k) * step);
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k)
            if (i + Index(k) * step < last) gathered[k] = gather(loaded[k]);
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k)
            if (i + Index(k) * step < last) use(loaded[k], gathered[k]);
    }
}

}  // namespace steepest::cuda
