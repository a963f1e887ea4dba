// The order in which an epoch takes its rows, made where it is used. Entries of the permutation that are no rows are
// left out: the blocks count the rows among their shares of the entries, one block adds the counts up, and the blocks
// write.
#pragma once

#include "cpp/math/permutation.hpp"
#include "cuda/kernels/batch.hpp"
#include "cuda/kernels/elements.cuh"

namespace steepest::cuda {

constexpr std::uint32_t entries_of_a_warp = 512;
constexpr std::uint32_t entries_of_a_share = block_warps * entries_of_a_warp;

struct Order {
    std::uint32_t keys[turns_of_permutation];
    int low_bits, high_bits;
    std::uint64_t n_entries;  // 2^(low_bits + high_bits)
    std::uint64_t n_rows;     // entries below it are rows
    std::size_t n_shares;
    std::uint32_t* counts;    // of each share: its rows, then the rows of the shares before it
    std::uint32_t* rows;

    STEEPEST_HOST_DEVICE std::uint32_t entry(std::uint32_t at) const {
        return permuted(keys, low_bits, (1u << low_bits) - 1, (1u << high_bits) - 1, at);
    }
};

// The rows among the warp's entries of a share, in all lanes.
__device__ __forceinline__ std::uint32_t rows_of_warp(const Order& o, std::uint64_t first) {
    std::uint32_t count = 0;
    for (std::uint32_t i = threadIdx.x % 32; i < entries_of_a_warp; i += 32)
        count += first + i < o.n_entries && o.entry(std::uint32_t(first + i)) < o.n_rows;
    for (int offset = 16; offset > 0; offset /= 2) count += __shfl_xor_sync(all_lanes, count, offset);
    return count;
}

// Leaves in of_warps[] what rows the warps of the block have in the share.
__device__ __forceinline__ std::uint64_t count_share(const Order& o, std::size_t share, std::uint32_t* of_warps) {
    const unsigned warp = threadIdx.x / 32;
    const std::uint64_t first = std::uint64_t(share) * entries_of_a_share + warp * entries_of_a_warp;
    const std::uint32_t count = rows_of_warp(o, first);
    __syncthreads();
    if (threadIdx.x % 32 == 0) of_warps[warp] = count;
    __syncthreads();
    return first;
}

__global__ void __launch_bounds__(block_threads, 2) order_count(const __grid_constant__ Order o) {
    STEEPEST_SHARED(shared);
    std::uint32_t* of_warps = reinterpret_cast<std::uint32_t*>(shared);
    for (std::size_t share = blockIdx.x; share < o.n_shares; share += gridDim.x) {
        count_share(o, share, of_warps);
        if (threadIdx.x != 0) continue;
        std::uint32_t sum = 0;
        for (int warp = 0; warp < block_warps; ++warp) sum += of_warps[warp];
        o.counts[share] = sum;
    }
}

// One block: each thread adds up neighbouring shares, then begins where those before it end.
__global__ void __launch_bounds__(block_threads, 2) order_offsets(const __grid_constant__ Order o) {
    STEEPEST_SHARED(shared);
    constexpr int at_once = 8;  // loads under way
    std::uint32_t* of_threads = reinterpret_cast<std::uint32_t*>(shared);
    const std::size_t first = o.n_shares * threadIdx.x / block_threads;
    const std::size_t last = o.n_shares * (threadIdx.x + 1) / block_threads;
    std::uint32_t sum = 0;
    for (std::size_t i = first; i < last; i += at_once) {
        std::uint32_t counts[at_once];
        for (int k = 0; k < at_once; ++k) counts[k] = i + k < last ? o.counts[i + k] : 0;
        for (int k = 0; k < at_once; ++k) sum += counts[k];
    }
    of_threads[threadIdx.x] = sum;
    __syncthreads();
    std::uint32_t before = 0;
    for (unsigned t = 0; t < threadIdx.x; ++t) before += of_threads[t];
    for (std::size_t i = first; i < last; i += at_once) {
        std::uint32_t counts[at_once];
        for (int k = 0; k < at_once; ++k) counts[k] = i + k < last ? o.counts[i + k] : 0;
        for (int k = 0; k < at_once; ++k) {
            if (i + k < last) o.counts[i + k] = before;
            before += counts[k];
        }
    }
}

__global__ void __launch_bounds__(block_threads, 2) order_write(const __grid_constant__ Order o) {
    STEEPEST_SHARED(shared);
    std::uint32_t* of_warps = reinterpret_cast<std::uint32_t*>(shared);
    const unsigned lane = threadIdx.x % 32, earlier = (1u << lane) - 1;
    for (std::size_t share = blockIdx.x; share < o.n_shares; share += gridDim.x) {
        const std::uint64_t first = count_share(o, share, of_warps);
        std::uint64_t at = o.counts[share];
        for (unsigned warp = 0; warp < threadIdx.x / 32; ++warp) at += of_warps[warp];
        for (std::uint32_t i = lane; i < entries_of_a_warp; i += 32) {
            const bool inside = first + i < o.n_entries;
            const std::uint32_t entry = inside ? o.entry(std::uint32_t(first + i)) : 0;
            const bool is_row = inside && entry < o.n_rows;
            const unsigned found = __ballot_sync(all_lanes, is_row);
            if (is_row) o.rows[at + unsigned(__popc(found & earlier))] = entry;
            at += unsigned(__popc(found));
        }
    }
}

}  // namespace steepest::cuda
