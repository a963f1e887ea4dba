// Small kernels that test the emulator. Those called no_ or unaligned_ and the like are wrong on purpose: a wrong
// result, the emulator or a sanitizer must tell.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <ptx.cuh>

#include "driver.hpp"

namespace {

using namespace drivers;  // NOLINT

__device__ float sum_warp(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(all, x, offset);
    return x;
}

// The sum of a block's values, in its first thread.
template <bool sync>
__device__ float sum_block(float x, float* of_warps) {
    x = sum_warp(x);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = x;
    if (sync) __syncthreads();
    float sum = 0;
    if (threadIdx.x == 0)
        for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += of_warps[warp];
    return sum;
}

template <bool sync>
__global__ void sum_blocks(const float* x, float* sums) {
    STEEPEST_SHARED(shared);
    const float sum = sum_block<sync>(x[blockIdx.x * blockDim.x + threadIdx.x], reinterpret_cast<float*>(shared));
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <bool sync>
bool reduction() {
    const std::vector<float> values = ramp(8 * threads);
    const Array<float> x(values), sums(8);
    launch(8, threads / 32 * sizeof(float), false, &sum_blocks<sync>, x.data, sums.data);
    return sum_of(sums.host()) == sum_of(values);
}

__global__ void use_lanes(unsigned* out) {
    const unsigned lane = threadIdx.x % 32, half = lane < 16 ? 0xffffu : 0xffff0000u;
    unsigned wrong = 0;
    wrong += __shfl_sync(all, lane, 5) != 5;
    wrong += __shfl_xor_sync(half, lane, 3) != (lane ^ 3u);
    wrong += __shfl_down_sync(all, double(lane), 2) != double(lane < 30 ? lane + 2 : lane);
    wrong += __ballot_sync(all, lane % 2) != 0xaaaaaaaau;
    wrong += __any_sync(half, lane == 3) != (lane < 16);
    wrong += __syncthreads_or(threadIdx.x == 77 && blockIdx.x == 1) != (blockIdx.x == 1);
    atomicAdd(out, wrong);
    atomicMax(out + 1, threadIdx.x);
    atomicMin(out + 2, threadIdx.x);
}

bool lanes() {
    const Array<unsigned> out(std::vector<unsigned>{0, 0, 9});
    launch(3, 0, false, &use_lanes, out.data);
    return out.host() == std::vector<unsigned>{0, threads - 1, 0};
}

// Each block adds what all blocks wrote in the step before.
template <bool sync>
__global__ void steps(unsigned* written) {
    for (unsigned step = 0; step < 3; ++step) {
        unsigned sum = 1;
        for (unsigned b = 0; step > 0 && b < gridDim.x; ++b) sum += __ldcg(written + (step - 1) * gridDim.x + b);
        if (threadIdx.x == 0) __stcg(written + step * gridDim.x + blockIdx.x, sum);
        if (sync) cooperative_groups::this_grid().sync();
    }
}

template <bool sync>
bool grid_steps() {
    const Array<unsigned> written(12);
    launch(4, 0, true, &steps<sync>, written.data);
    return written.host() == std::vector<unsigned>{1, 1, 1, 1, 5, 5, 5, 5, 21, 21, 21, 21};
}

// The last block to come adds the blocks' sums.
template <bool fence, bool atomic>
__global__ void sum_in_last(const float* x, float* sums, unsigned* counter, float* out) {
    STEEPEST_SHARED(shared);
    const float sum = sum_block<true>(x[blockIdx.x * blockDim.x + threadIdx.x], reinterpret_cast<float*>(shared));
    if (threadIdx.x != 0) return;
    __stcg(sums + blockIdx.x, sum);
    if (fence) __threadfence();
    if (atomic ? atomicAdd(counter, 1u) + 1 != gridDim.x : ++*counter != gridDim.x) return;
    __threadfence();
    float total = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) total += __ldcg(sums + b);
    *out = total;
}

template <bool fence, bool atomic>
bool last_block() {
    const std::vector<float> values = ramp(8 * threads);
    const Array<float> x(values), sums(8), out(1);
    const Array<unsigned> counter(std::vector<unsigned>{0});
    launch(8, threads / 32 * sizeof(float), false, &sum_in_last<fence, atomic>, x.data, sums.data, counter.data,
           out.data);
    return out.host()[0] == sum_of(values);
}

template <bool wait>
__global__ void copy_threads(const float* x, float* out, unsigned shift) {
    STEEPEST_SHARED(shared);
    float* tiles = reinterpret_cast<float*>(shared);
    for (unsigned t = 0; t < 2; ++t) {
        steepest::ptx::copy_async_16(tiles + (t * threads + threadIdx.x) * 4,
                                     x + shift + (t * threads + threadIdx.x) * 4);
        steepest::ptx::copy_async_commit();
    }
    for (unsigned t = 0; t < 2; ++t) {
        if (t == 0) steepest::ptx::copy_async_wait_prior<1>();
        if (t == 1 && wait) steepest::ptx::copy_async_wait_prior<0>();
        __syncthreads();
        const unsigned other = (threadIdx.x + 33) % threads;
        for (unsigned i = 0; i < 4; ++i) out[(t * threads + other) * 4 + i] = tiles[(t * threads + other) * 4 + i];
    }
}

template <bool wait>
bool async_copies(unsigned shift) {
    const std::vector<float> values = ramp(8 * threads + 4);
    const Array<float> x(values), out(8 * threads);
    launch(1, 8 * threads * sizeof(float), false, &copy_threads<wait>, x.data, out.data, shift);
    return out.host() == ramp(8 * threads);
}

// Rows of 64 floats, two of them in flight.
template <bool wait, bool fence = true>
__global__ void copy_bulk(const float* x, float* out, unsigned rows) {
    using namespace steepest::ptx;
    STEEPEST_SHARED(shared);
    auto* barriers = reinterpret_cast<Barrier*>(shared);
    float* tiles = reinterpret_cast<float*>(shared + 128);
    if (threadIdx.x == 0) {
        barrier_init(barriers, 1);
        barrier_init(barriers + 1, 1);
        fence_barrier_init();
        if (fence) fence_proxy_async();
    }
    __syncthreads();
    const auto start = [&](unsigned r) {
        if (threadIdx.x != 0 || r >= rows) return;
        barrier_expect(barriers + r % 2, 256);
        bulk_copy(tiles + r % 2 * 64, x + r * 64, 256, barriers + r % 2);
    };
    start(0);
    for (unsigned r = 0; r < rows; ++r) {
        start(r + 1);
        if (wait) barrier_wait(barriers + r % 2, r / 2 % 2);
        if (threadIdx.x < 64) out[r * 64 + threadIdx.x] = tiles[r % 2 * 64 + threadIdx.x];
        __syncthreads();
    }
    if (!wait && threadIdx.x == 0) barrier_wait(barriers, 0), barrier_wait(barriers + 1, 0);
}

template <bool wait, bool fence = true>
bool bulk_copies() {
    const Array<float> x(ramp(320)), out(320);
    launch(1, 128 + 512, false, &copy_bulk<wait, fence>, x.data, out.data, 5u);
    return out.host() == ramp(320);
}

__global__ void use_vectors(const float* x, float* out) {
    const float4 v = reinterpret_cast<const float4*>(x)[threadIdx.x];
    __stcg(reinterpret_cast<float4*>(out) + threadIdx.x, __ldcs(&v));
}

bool vectors(unsigned shift) {
    const Array<float> x(ramp(4 * threads + 4)), out(4 * threads);
    launch(1, 0, false, &use_vectors, x.data, out.data + shift);
    return out.host() == ramp(4 * threads);
}

bool vector_loads() {
    const Array<float> x(ramp(4 * threads + 4)), out(4 * threads);
    launch(1, 0, false, &use_vectors, x.data + 1, out.data);
    return out.host()[0] == 1;
}

template <bool in_shared>
__global__ void read_beyond(const float* x, float* out, unsigned n) {
    STEEPEST_SHARED(shared);
    float* tile = reinterpret_cast<float*>(shared);
    if (threadIdx.x < n) tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    const float last = in_shared ? tile[n] : x[n];
    if (threadIdx.x == 0) out[0] = last > 0 ? 1 : 0;
}

template <bool in_shared>
bool beyond() {
    const Array<float> x(ramp(100)), out(1);
    launch(1, 100 * sizeof(float), false, &read_beyond<in_shared>, x.data, out.data, 100u);
    return out.host()[0] == 0;
}

// What is in order, then what is not.
const Tests tests = {
    {"lanes", &lanes},
    {"reduction", &reduction<true>},
    {"grid_steps", &grid_steps<true>},
    {"last_block", &last_block<true, true>},
    {"async_copies", [] { return async_copies<true>(0); }},
    {"bulk_copies", &bulk_copies<true>},
    {"vectors", [] { return vectors(0); }},
    {"no_syncthreads", &reduction<false>},
    {"no_grid_sync", &grid_steps<false>},
    {"no_fence", &last_block<false, true>},
    {"plain_counter", &last_block<true, false>},
    {"no_wait_async", [] { return async_copies<false>(0); }},
    {"no_wait_bulk", &bulk_copies<false>},
    {"no_proxy_fence", &bulk_copies<true, false>},
    {"unaligned_async", [] { return async_copies<true>(1); }},
    {"unaligned_store", [] { return vectors(1); }},
    {"unaligned_load", &vector_loads},
    {"beyond_global", &beyond<false>},
    {"beyond_shared", &beyond<true>},
};

}  // namespace

int main(int argc, char** argv) { return run_test(tests, argc, argv); }
