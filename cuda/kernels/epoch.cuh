// The persistent kernel: many mini-batch steps in one launch. Every block keeps a copy of the parameters and their
// state in shared memory and takes each step itself from the sums of all blocks, so that a step has one grid-wide sync.
#pragma once

#include <cooperative_groups.h>

#include "cuda/kernels/lanes.cuh"
#include "cuda/kernels/tiles.cuh"

namespace steepest::cuda {

template <class S>
struct Epoch {
    using T = ArithmeticOf<S>;
    Batch<S> rows;  // of all steps, one batch after the other
    std::size_t batch_size, n_steps;
    Step<T> step;  // scale: of a batch's sum of gradients, times its rows
    std::size_t n_chunks;
    double* partial;  // of two steps
    T* path;  // null, or n_parameters for each step
    Status* status;
    int lanes;
    TileShape tile;

    STEEPEST_HOST_DEVICE Batch<S> batch(std::size_t at) const {
        const std::size_t first = at * batch_size, left = rows.count - first;
        return rows.part(first, left < batch_size ? left : batch_size);
    }
};

// Of shared memory, after what the sums need: parameters, states, scratch and the summed columns.
template <class T>
STEEPEST_HOST_DEVICE std::size_t parameter_bytes(std::size_t d) {
    const std::size_t columns = (sums_of(d) + block_threads - 1) / block_threads * block_threads;
    return (block_threads + columns) * sizeof(double) + (1 + max_states) * (d + 1) * sizeof(T) + sizeof(double);
}

// One block's copy of what a step changes.
template <class T>
class Replica {
  public:
    __device__ Replica(unsigned char* shared, const Step<T>& step)
        : step_(step),
          d_(step.n_columns),
          scratch_(reinterpret_cast<double*>(shared)),
          sums_(scratch_ + block_threads),
          w_(reinterpret_cast<T*>(sums_ + (sums_of(d_) + block_threads - 1) / block_threads * block_threads)) {
        for (int k = 0; k < max_states; ++k) state_[k] = w_ + (1 + k) * (d_ + 1);
    }

    __device__ __forceinline__ const T* w() const { return w_; }
    __device__ __forceinline__ T bias() const { return step_.intercept ? w_[d_] : T(0); }
    __device__ __forceinline__ double loss() const { return sums_[d_ + 1]; }

    __device__ __forceinline__ void load() {
        for (std::size_t j = threadIdx.x; j < step_.n_parameters(); j += block_threads) {
            const T w = step_.w[j];
            T state[max_states];
            for (int k = 0; k < max_states; ++k) state[k] = step_.state[k] ? step_.state[k][j] : T(0);
            w_[j] = w;
            for (int k = 0; k < max_states; ++k) state_[k][j] = state[k];
        }
        __syncthreads();
    }

    __device__ __forceinline__ void store() const {
        for (std::size_t j = threadIdx.x; j < step_.n_parameters(); j += block_threads) {
            const T w = w_[j];
            T state[max_states];
            for (int k = 0; k < max_states; ++k) state[k] = state_[k][j];
            step_.w[j] = w;
            for (int k = 0; k < max_states; ++k)
                if (step_.state[k]) step_.state[k][j] = state[k];
        }
    }

    __device__ __forceinline__ void add_up(const double* partial, std::size_t n_chunks) {
        if (sums_of(d_) > block_threads) {
            sum_wide_chunks(partial, n_chunks, sums_of(d_), sums_);
        } else {
            sum_chunks(partial, n_chunks, sums_of(d_), 0, share_columns(sums_of(d_)), scratch_, sums_);
        }
    }

    __device__ __forceinline__ void take(std::size_t at, double scale) {
        for (std::size_t j = threadIdx.x; j < step_.n_parameters(); j += block_threads) {
            const bool penalised = j < d_;
            T w = w_[j], state[max_states];
            for (int k = 0; k < max_states; ++k) state[k] = state_[k][j];
            const T g = T(scale * sums_[j] + (penalised ? double(step_.l2) * double(w) : 0.0));
            take_step(step_, at, w, g, state, penalised ? step_.l1 : T(0));
            w_[j] = w;
            for (int k = 0; k < max_states; ++k) state_[k][j] = state[k];
        }
        __syncthreads();
    }

  private:
    const Step<T>& step_;
    std::size_t d_;
    double *scratch_, *sums_;
    T *w_, *state_[max_states];
};

template <class S, class Sums>
__device__ __forceinline__ void run_epoch(const Epoch<S>& e, Sums& sums, unsigned char* shared) {
    const std::size_t d = e.rows.n_columns, stride = sums_of(d), n_parameters = e.step.n_parameters();
    Replica<ArithmeticOf<S>> replica(shared, e.step);
    replica.load();
    sums.prefetch(e.batch(0).chunk(blockIdx.x, e.n_chunks));
    std::size_t steps = 0;
    for (; steps < e.n_steps; ++steps) {
        const Batch<S> batch = e.batch(steps);
        double* partial = e.partial + steps % 2 * e.n_chunks * stride;
        for (std::size_t i = blockIdx.x; i < e.n_chunks; i += gridDim.x) {
            const Batch<S> chunk = batch.chunk(i, e.n_chunks);
            if (i != blockIdx.x) sums.prefetch(chunk);
            sums.sum(chunk, replica.w(), replica.bias(), partial + i * stride);
        }
        if (steps + 1 < e.n_steps) sums.prefetch(e.batch(steps + 1).chunk(blockIdx.x, e.n_chunks));
        cooperative_groups::this_grid().sync();
        replica.add_up(partial, e.n_chunks);
        if (!finite(replica.loss())) break;
        replica.take(steps, e.step.scale / double(batch.count));
        if (e.path && blockIdx.x == 0)
            for (std::size_t j = threadIdx.x; j < n_parameters; j += block_threads)
                e.path[steps * n_parameters + j] = replica.w()[j];
    }
    sums.drain();
    if (blockIdx.x != 0) return;
    replica.store();
    if (threadIdx.x == 0) {
        e.status->loss = replica.loss();
        e.status->steps += steps;
        if (steps < e.n_steps) e.status->diverged = 1;
    }
}

template <class S, int K>
__global__ void __launch_bounds__(block_threads, blocks_of_lanes<S, K>)
    lanes_epoch(const __grid_constant__ Epoch<S> e) {
    STEEPEST_SHARED(shared);
    const std::size_t d = e.rows.n_columns;
    LaneSums<S, K> sums(shared, d, e.lanes);
    run_epoch(e, sums, shared + LaneSums<S, K>::shared_bytes(d));
}

template <class S, bool bulk>
__global__ void __launch_bounds__(block_threads, 2) tile_epoch(const __grid_constant__ Epoch<S> e) {
    STEEPEST_SHARED(shared);
    const std::size_t d = e.rows.n_columns;
    TileSums<S, bulk> sums(shared, d, e.tile);
    run_epoch(e, sums, shared + TileSums<S, bulk>::shared_bytes(d, e.tile));
}

}  // namespace steepest::cuda
