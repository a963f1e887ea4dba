// Which chunks of a pass a block sums: first that of its own number, then what a counter says, so that no block waits
// for chunks while another one has several left.
#pragma once

#include <ptx.cuh>

#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

// The counter is 0 before a pass. In it, n blocks of which each ends at the first number beyond the chunks ask as often
// as there are chunks: the last one to ask leaves a 0 again.
class DealtChunks {
  public:
    // `told`: two numbers in shared memory that nothing else uses.
    __device__ DealtChunks(unsigned* counter, std::size_t n, unsigned* told)
        : counter_(counter), told_(told), n_(unsigned(n)), now_(blockIdx.x) {}

    __device__ __forceinline__ bool any() const { return now_ < n_; }
    __device__ __forceinline__ std::size_t number() const { return now_; }

    // Asks for the chunk after this one. The next call may come when all threads have called `next`.
    __device__ __forceinline__ void ask() {
        if (threadIdx.x == 0) told_[turn_ % 2] = gridDim.x + atomicInc(counter_, n_ - 1);
    }

    __device__ __forceinline__ void next() {
        __syncthreads();
        now_ = told_[turn_++ % 2];
    }

  private:
    unsigned *counter_, *told_;
    unsigned n_, now_, turn_ = 0;
};

}  // namespace steepest::cuda
