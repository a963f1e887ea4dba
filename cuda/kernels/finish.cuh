// The second stage of a pass as a kernel: a block adds the chunks of 32 columns.
#pragma once

#include <ptx.cuh>

#include "cuda/kernels/step.cuh"

namespace steepest::cuda {

constexpr unsigned finish_columns = 32;
constexpr unsigned finish_parts = block_threads / finish_columns;  // threads that a column's chunks are dealt to

template <class T>
struct Finish {
    const double* partial;
    std::size_t n_chunks;
    Step<T> step;
    std::size_t at;
    T* path;  // null, or where the parameters after the step go
    Status* status;
};

// The block's column `c` is parameter c, the intercept the last one; after them comes the loss.
template <class T>
__device__ __forceinline__ void finish_column(const Finish<T>& f, std::size_t c, double sum, bool take) {
    const Step<T>& s = f.step;
    if (c >= s.n_parameters()) return;
    const bool penalised = c < s.n_columns;
    T w = s.w[c];
    const T g = T(s.scale * sum + (penalised ? double(s.l2) * double(w) : 0.0));
    if (s.rule == no_rule) {
        s.gradient[c] = g;
    } else if (take) {
        T state[max_states] = {};
        for (int k = 0; k < max_states; ++k)
            if (s.state[k]) state[k] = s.state[k][c];
        take_step(s, f.at, w, g, state, penalised ? s.l1 : T(0));
        s.w[c] = w;
        for (int k = 0; k < max_states; ++k)
            if (s.state[k]) s.state[k][c] = state[k];
    }
    if (f.path) f.path[c] = w;
}

// What one thread tells the host of the pass.
template <class T>
__device__ __forceinline__ void finish_status(const Finish<T>& f, double loss, bool good) {
    f.status->loss = loss;
    if (f.step.rule != no_rule && good) ++f.status->steps;
    if (!finite(loss)) atomicMax(&f.status->diverged, 1u);
}

// Adds the chunks of the block's columns and those of the loss, which every block needs, at the same time.
template <class T>
__device__ __forceinline__ void sum_with_loss(const Finish<T>& f, double* scratch, double* sums, double* loss) {
    struct Pair {
        double of_column, of_loss;
    };
    const Columns share{finish_columns, block_threads / finish_columns};
    const std::size_t stride = sums_of(f.step.n_columns), last = stride - 1;
    const std::size_t column = std::size_t(blockIdx.x) * finish_columns + threadIdx.x % finish_columns;
    const double* at = f.partial + (column < last ? column : last);  // there may be none
    Pair sum = {};
    in_order<chunks_at_once>(
        std::size_t(threadIdx.x / finish_columns), f.n_chunks, std::size_t(share.parts),
        [&](std::size_t chunk) { return Pair{__ldcg(at + chunk * stride), __ldcg(f.partial + chunk * stride + last)}; },
        [&](std::size_t, const Pair& of_chunk) {
            sum.of_column += of_chunk.of_column;
            sum.of_loss += of_chunk.of_loss;
        });
    add_parts(sum.of_column, share, scratch, sums);
    add_parts(sum.of_loss, share, scratch, loss);
}

template <class T>
__global__ void __launch_bounds__(block_threads, 2) finish(const __grid_constant__ Finish<T> f) {
    STEEPEST_SHARED(shared);
    double* scratch = reinterpret_cast<double*>(shared);
    double *sums = scratch + block_threads, *loss = sums + finish_columns;
    const std::size_t first = std::size_t(blockIdx.x) * finish_columns;
    sum_with_loss(f, scratch, sums, loss);
    // Once a loss was not finite no later launch takes a step either. Every block finds the same.
    const bool good = finite(loss[0]) && atomicAdd(&f.status->diverged, 0u) == 0;
    if (threadIdx.x < finish_columns) finish_column(f, first + threadIdx.x, sums[threadIdx.x], good);
    if (blockIdx.x == 0 && threadIdx.x == 0) finish_status(f, loss[0], good);
}

}  // namespace steepest::cuda
