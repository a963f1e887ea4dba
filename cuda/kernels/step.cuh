// The second stage of a pass: partial sums are added in the order of their chunks, and the rule takes its step.
#pragma once

#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

template <class T>
__device__ __forceinline__ bool finite(T x) {
    return x - x == T(0);
}

// One parameter's step with the numbers of step `at`.
template <class T>
__device__ __forceinline__ void take_step(const Step<T>& step, std::size_t at, T& w, T g, T* state, T l1) {
    T rate = T(0);
    switch (step.rule) {
#define STEEPEST_CASE(Rule, name)                                        \
    case id_of_##Rule:                                                   \
        rate = static_cast<const Rule<T>*>(step.rules)[at](w, g, state); \
        break;
        STEEPEST_FOR_EACH_RULE(STEEPEST_CASE)
#undef STEEPEST_CASE
    }
    if (l1 > T(0)) w = soft_threshold(w, l1 * rate);
}

// How a block shares the columns of the sums: `width` columns side by side, the chunks dealt to `parts` threads each.
struct Columns {
    unsigned width, parts;
};

__device__ __forceinline__ Columns share_columns(std::size_t n) {
    unsigned width = 32;
    while (width < n && width < block_threads) width *= 2;
    return {width, block_threads / width};
}

// Adds the chunks of columns [first, first + width) into sums[0, width), in shared memory; `scratch` has block_threads
// elements there. Partials may have been written in this launch: they are read past the L1 cache.
__device__ __forceinline__ void sum_chunks(const double* partial, std::size_t n_chunks, std::size_t stride,
                                           std::size_t first, Columns share, double* scratch, double* sums) {
    const unsigned column = threadIdx.x % share.width, part = threadIdx.x / share.width;
    double sum = 0.0;
    if (first + column < stride) {
        const double* at = partial + first + column;
#pragma unroll 8
        for (std::size_t chunk = part; chunk < n_chunks; chunk += share.parts) sum += __ldcg(at + chunk * stride);
    }
    scratch[threadIdx.x] = sum;
    __syncthreads();
    if (part == 0) {
        for (unsigned p = 1; p < share.parts; ++p) sum += scratch[p * share.width + column];
        sums[column] = sum;
    }
    __syncthreads();
}

// Adds the chunks of all columns, more than a block has threads, into sums: four columns a thread at once, since each
// addition waits for its number to come from another block.
__device__ __forceinline__ void sum_wide_chunks(const double* partial, std::size_t n_chunks, std::size_t stride,
                                                double* sums) {
    constexpr int at_once = 4;
    for (std::size_t first = threadIdx.x; first < stride; first += at_once * block_threads) {
        double sum[at_once] = {};
#pragma unroll 4
        for (std::size_t chunk = 0; chunk < n_chunks; ++chunk)
            for (int k = 0; k < at_once; ++k)
                if (first + k * block_threads < stride)
                    sum[k] += __ldcg(partial + chunk * stride + first + k * block_threads);
        for (int k = 0; k < at_once; ++k)
            if (first + k * block_threads < stride) sums[first + k * block_threads] = sum[k];
    }
    __syncthreads();
}

}  // namespace steepest::cuda
