// The kernels of a pass over rows of X.
#pragma once

#include "cuda/kernels/chunks.cuh"
#include "cuda/kernels/lanes.cuh"
#include "cuda/kernels/split.cuh"
#include "cuda/kernels/tiles.cuh"

namespace steepest::cuda {

template <class S>
struct Pass {
    using T = ArithmeticOf<S>;
    Batch<S> rows;
    const T* w;
    bool intercept;
    std::size_t n_chunks;
    double* partial;
    int lanes;
    TileShape tile;
    unsigned* next_chunk;  // 0 before a pass and after it
};

template <class S, class Sums>
__device__ __forceinline__ void sum_chunks_of_block(const Pass<S>& pass, Sums& sums, const ArithmeticOf<S>* w) {
    const std::size_t d = pass.rows.n_columns;
    const ArithmeticOf<S> bias = pass.intercept ? pass.w[d] : ArithmeticOf<S>(0);
    for (DealtChunks chunks(pass.next_chunk, pass.n_chunks, sums.spare()); chunks.any(); chunks.next()) {
        const Batch<S> chunk = pass.rows.chunk(chunks.number(), pass.n_chunks);
        sums.prefetch(chunk);
        chunks.ask();
        sums.sum(chunk, w, bias, pass.partial + chunks.number() * sums_of(d));
    }
}

template <class S, int K>
__global__ void __launch_bounds__(block_threads, blocks_of_lanes<S, K>)
    lanes_gradient(const __grid_constant__ Pass<S> pass) {
    STEEPEST_SHARED(shared);
    LaneSums<S, K> sums(shared, pass.rows.n_columns, pass.lanes);
    sum_chunks_of_block(pass, sums, pass.w);
}

template <class S, bool bulk>
__global__ void __launch_bounds__(block_threads, 2) tile_gradient(const __grid_constant__ Pass<S> pass) {
    using T = ArithmeticOf<S>;
    STEEPEST_SHARED(shared);
    const std::size_t d = pass.rows.n_columns;
    TileSums<S, bulk> sums(shared, d, pass.tile);
    T* w = reinterpret_cast<T*>(shared + TileSums<S, bulk>::shared_bytes(d, pass.tile));
    for (std::size_t j = threadIdx.x; j < d; j += block_threads) w[j] = pass.w[j];
    sum_chunks_of_block(pass, sums, w);  // syncs before it reads w
}

template <class S>
__global__ void __launch_bounds__(block_threads, 2) split_gradient(const __grid_constant__ Split<S> split) {
    STEEPEST_SHARED(shared);
    SplitSums<S>(shared, split).run();
}

}  // namespace steepest::cuda
