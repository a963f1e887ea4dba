// A ring of stages in shared memory, each with some rows of X in sequence, their targets and their weights. A warp, the
// producer, asks for stages ahead of their use; the other warps of the block, the consumers, take them in turn. A stage
// has two barriers: "full" ends when what was asked for has landed, "empty" when all consumers have read it.
#pragma once

#include <ptx.cuh>

#include "cuda/kernels/plan.hpp"

namespace steepest::cuda {

constexpr int ring_threads = block_threads + 32;  // the last warp is the producer

// What lies in a stage: `n` rows of a chunk; `last` are the chunk's last ones.
struct Stage {
    unsigned chunk, n, last;
    unsigned x, y, weight;  // bytes before the first of each
};

// Bytes for so many that begin anywhere within 16 bytes and come by whole 16 bytes.
STEEPEST_HOST_DEVICE constexpr std::size_t padded(std::size_t bytes) { return (bytes + 15) / 16 * 16 + 16; }

// n elements of an array, and the whole 16 bytes around them that lie in it. Before the array's first element they may
// reach back to a multiple of 16, which is in the same memory.
template <class E>
struct Around {
    const unsigned char* begin;
    const E* first;
    unsigned bytes, n, shift;
    unsigned covered;  // elements that the whole 16 bytes hold; those after them end the array

    __device__ __forceinline__ Around(const E* first_, unsigned n_, const E* end) : first(first_), n(n_) {
        constexpr std::uintptr_t below = ~std::uintptr_t(15);
        const auto at = reinterpret_cast<std::uintptr_t>(first);
        const std::uintptr_t after = (at + n * sizeof(E) + 15) & below,
                             most = reinterpret_cast<std::uintptr_t>(end) & below;
        const std::uintptr_t stop = after < most ? after : most;
        begin = reinterpret_cast<const unsigned char*>(at & below);
        shift = unsigned(at % 16);
        bytes = stop > (at & below) ? unsigned(stop - (at & below)) : 0;
        const std::uintptr_t held = stop > at ? (stop - at) / sizeof(E) : 0;
        covered = held < n ? unsigned(held) : n;
    }

    // The elements that end the array, by the lanes of a warp.
    __device__ __forceinline__ void copy_rest(unsigned char* target) const {
        E* elements = reinterpret_cast<E*>(target + shift);
        for (unsigned i = covered + threadIdx.x % 32; i < n; i += 32) elements[i] = first[i];
    }
    __device__ __forceinline__ void copy_bulk(unsigned char* target, ptx::Barrier* full) const {
        if (bytes > 0) ptx::bulk_copy(target, begin, bytes, full);
    }
    __device__ __forceinline__ void copy_async(unsigned char* target) const {
        for (unsigned i = threadIdx.x % 32 * 16; i < bytes; i += 32 * 16) ptx::copy_async_16(target + i, begin + i);
    }
};

template <class S>
class Ring {
  public:
    using T = ArithmeticOf<S>;

    static STEEPEST_HOST_DEVICE constexpr std::size_t stage_bytes(unsigned rows, std::size_t d) {
        return padded(rows * d * sizeof(S)) + 2 * padded(rows * sizeof(T));
    }
    static STEEPEST_HOST_DEVICE constexpr std::size_t shared_bytes(const RingShape& shape, std::size_t d) {
        return header_bytes + shape.stages * stage_bytes(shape.rows, d);
    }

    __device__ Ring(unsigned char* shared, const RingShape& shape, std::size_t d)
        : full_(reinterpret_cast<ptx::Barrier*>(shared)),
          empty_(full_ + max_stages),
          headers_(reinterpret_cast<Stage*>(empty_ + max_stages)),
          stages_(shared + header_bytes),
          shape_(shape),
          d_(d) {
        if (threadIdx.x == 0) {
            for (unsigned s = 0; s < shape.stages; ++s) {
                // Lane 0 arrives with the bytes of bulk copies, or each lane when its copies have landed, and lane 0.
                ptx::barrier_init(full_ + s, ptx::has_bulk_copies() ? 1 : 33);
                ptx::barrier_init(empty_ + s, block_warps);
            }
            ptx::fence_barrier_init();
            ptx::fence_proxy_async();
        }
        __syncthreads();
    }

    // The producer's next stage: rows [first, first + n) of a chunk.
    __device__ __forceinline__ void fill(const Batch<S>& chunk, unsigned number, std::size_t first, unsigned n,
                                         bool last) {
        const std::size_t row = chunk.begin + first;
        const Around<S> x(chunk.X + row * d_, unsigned(n * d_), chunk.X + chunk.n_rows * d_);
        const Around<T> y(chunk.y + row, n, chunk.y + chunk.n_rows);
        const T* weights = chunk.weight ? chunk.weight : chunk.y;
        const Around<T> weight(weights + row, chunk.weight ? n : 0, weights + chunk.n_rows);
        unsigned char *x_at = claim(), *y_at = x_at + padded(shape_.rows * d_ * sizeof(S)),
                      *weight_at = y_at + padded(shape_.rows * sizeof(T));
        if (threadIdx.x % 32 == 0) headers_[stage_] = {number, n, last, x.shift, y.shift, weight.shift};
        x.copy_rest(x_at);
        y.copy_rest(y_at);
        weight.copy_rest(weight_at);
        __syncwarp();
        ptx::Barrier* full = full_ + stage_;
        const unsigned weight_bytes = chunk.weight ? weight.bytes : 0;
        if (!ptx::has_bulk_copies()) {
            x.copy_async(x_at);
            y.copy_async(y_at);
            if (weight_bytes) weight.copy_async(weight_at);
            ptx::barrier_arrive_after_copies(full);
            if (threadIdx.x % 32 == 0) ptx::barrier_arrive(full);
        } else if (threadIdx.x % 32 == 0) {
            ptx::barrier_expect(full, x.bytes + y.bytes + weight_bytes);
            x.copy_bulk(x_at, full);
            y.copy_bulk(y_at, full);
            if (weight_bytes) weight.copy_bulk(weight_at, full);
        }
        step();
    }

    // Tells the consumers that there is no more: a stage of the chunk `number`.
    __device__ __forceinline__ void end(unsigned number) {
        claim();
        if (threadIdx.x % 32 == 0) headers_[stage_] = {number, 0, 1, 0, 0, 0};
        __syncwarp();
        ptx::Barrier* full = full_ + stage_;
        if (!ptx::has_bulk_copies()) {
            ptx::barrier_arrive_after_copies(full);
            ptx::copy_async_commit();
            ptx::copy_async_wait_prior<0>();  // a thread does not end before its copies
        }
        if (threadIdx.x % 32 == 0) ptx::barrier_arrive(full);
    }

    // The consumers' next stage, once it is full.
    __device__ __forceinline__ Stage next() const {
        ptx::barrier_wait(full_ + stage_, phase_);
        return headers_[stage_];
    }
    __device__ __forceinline__ const S* rows(const Stage& stage) const {
        return reinterpret_cast<const S*>(at() + stage.x);
    }
    __device__ __forceinline__ const T* targets(const Stage& stage) const {
        return reinterpret_cast<const T*>(at() + padded(shape_.rows * d_ * sizeof(S)) + stage.y);
    }
    __device__ __forceinline__ const T* weights(const Stage& stage) const {
        return reinterpret_cast<const T*>(at() + padded(shape_.rows * d_ * sizeof(S)) +
                                          padded(shape_.rows * sizeof(T)) + stage.weight);
    }
    // The warp has read the stage.
    __device__ __forceinline__ void give_back() {
        __syncwarp();
        if (threadIdx.x % 32 == 0) ptx::barrier_arrive(empty_ + stage_);
        step();
    }

  private:
    static constexpr std::size_t header_bytes =
        (max_stages * (2 * sizeof(ptx::Barrier) + sizeof(Stage)) + 127) / 128 * 128;

    __device__ __forceinline__ unsigned char* at() const { return stages_ + stage_ * stage_bytes(shape_.rows, d_); }

    // Waits until the stage is free; at first all are.
    __device__ __forceinline__ unsigned char* claim() {
        ptx::barrier_wait(empty_ + stage_, phase_ ^ 1u);
        return at();
    }
    __device__ __forceinline__ void step() {
        if (++stage_ < shape_.stages) return;
        stage_ = 0;
        phase_ ^= 1u;
    }

    ptx::Barrier *full_, *empty_;
    Stage* headers_;
    unsigned char* stages_;
    RingShape shape_;
    std::size_t d_;
    unsigned stage_ = 0, phase_ = 0;  // of the producer, or of a consumer
};

}  // namespace steepest::cuda
