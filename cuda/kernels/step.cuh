// The second stage of a pass: partial sums are added in the order of their chunks, and the rule takes its step.
#pragma once

#include "cuda/kernels/in_order.cuh"

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

constexpr int chunks_at_once = 8;  // of a thread, since each comes from the L2 cache

// Adds what the threads of a column have of it into sums[0, width), in shared memory; `scratch` has block_threads
// elements there.
__device__ __forceinline__ void add_parts(double sum, Columns share, double* scratch, double* sums) {
    const unsigned column = threadIdx.x % share.width;
    scratch[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x < share.width) {
        in_order<7>(
            1u, share.parts, 1u, [&](unsigned p) { return scratch[p * share.width + column]; },
            [&](unsigned, double part) { sum += part; });
        sums[column] = sum;
    }
    __syncthreads();
}

// Adds the chunks of columns [first, first + width) into sums. Partials may have been written in this launch: they are
// read past the L1 cache.
__device__ __forceinline__ void sum_chunks(const double* partial, std::size_t n_chunks, std::size_t stride,
                                           std::size_t first, Columns share, double* scratch, double* sums) {
    const unsigned column = threadIdx.x % share.width, part = threadIdx.x / share.width;
    double sum = 0.0;
    if (first + column < stride) {
        const double* at = partial + first + column;
        in_order<chunks_at_once>(
            std::size_t(part), n_chunks, std::size_t(share.parts),
            [&](std::size_t chunk) { return __ldcg(at + chunk * stride); },
            [&](std::size_t, double of_chunk) { sum += of_chunk; });
    }
    add_parts(sum, share, scratch, sums);
}

// Adds the chunks of all columns, more than a block has threads, into sums: four columns a thread at once.
__device__ __forceinline__ void sum_wide_chunks(const double* partial, std::size_t n_chunks, std::size_t stride,
                                                double* sums) {
    constexpr int at_once = 4;
    struct Numbers {
        double of[at_once];
    };
    for (std::size_t first = threadIdx.x; first < stride; first += at_once * block_threads) {
        Numbers sum = {};
        in_order<chunks_at_once / at_once>(
            std::size_t(0), n_chunks, std::size_t(1),
            [&](std::size_t chunk) {
                Numbers found = {};
                for (int k = 0; k < at_once; ++k)
                    if (first + k * block_threads < stride)
                        found.of[k] = __ldcg(partial + chunk * stride + first + k * block_threads);
                return found;
            },
            [&](std::size_t, const Numbers& of_chunk) {
                for (int k = 0; k < at_once; ++k) sum.of[k] += of_chunk.of[k];
            });
        for (int k = 0; k < at_once; ++k)
            if (first + k * block_threads < stride) sums[first + k * block_threads] = sum.of[k];
    }
    __syncthreads();
}

}  // namespace steepest::cuda
