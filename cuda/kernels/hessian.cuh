// The kernels of a product with the Hessian, X^T (c * (X v)), where c are the curvatures of the rows.
#pragma once

#include "cuda/kernels/chunks.cuh"
#include "cuda/kernels/hessian_lanes.cuh"
#include "cuda/kernels/hessian_long.cuh"
#include "cuda/kernels/hessian_tiles.cuh"

namespace steepest::cuda {

template <class S>
struct Product {
    using T = ArithmeticOf<S>;
    Batch<S> rows;
    Direction<T> at;
    std::size_t n_chunks;
    double* partial;
    int lanes;
    TileShape tile;
    unsigned* next_chunk;  // 0 before a product and after it
};

template <class S, int K>
__global__ void __launch_bounds__(block_threads, 1) lanes_product(const __grid_constant__ Product<S> p) {
    STEEPEST_SHARED(shared);
    const std::size_t stride = sums_of(p.rows.n_columns);
    LaneProducts<S, K> products(shared, p.rows.n_columns, p.lanes);
    for (DealtChunks chunks(p.next_chunk, p.n_chunks, products.spare()); chunks.any(); chunks.next()) {
        const Batch<S> chunk = p.rows.chunk(chunks.number(), p.n_chunks);
        products.prefetch(chunk);
        chunks.ask();
        products.sum(chunk, p.at, p.partial + chunks.number() * stride);
    }
}

template <class S, bool bulk>
__global__ void __launch_bounds__(block_threads, 2) tile_product(const __grid_constant__ Product<S> p) {
    STEEPEST_SHARED(shared);
    const std::size_t stride = sums_of(p.rows.n_columns);
    TileProducts<S, bulk> products(shared, p.rows.n_columns, p.tile);
    products.load(p.at);
    for (DealtChunks chunks(p.next_chunk, p.n_chunks, products.spare()); chunks.any(); chunks.next()) {
        const Batch<S> chunk = p.rows.chunk(chunks.number(), p.n_chunks);
        products.prefetch(chunk);
        chunks.ask();
        products.sum(chunk, p.partial + chunks.number() * stride);
    }
}

// Adds the chunks of each column in their order, where sums go to the host as they are.
template <class T>
struct ChunkSums {
    const T* partial;
    std::size_t n_chunks, stride;
    T* sums;
};

template <class T>
__global__ void __launch_bounds__(block_threads, 2) chunk_sums(const __grid_constant__ ChunkSums<T> c) {
    constexpr int at_once = 8;
    const std::size_t j = std::size_t(blockIdx.x) * block_threads + threadIdx.x;
    if (j >= c.stride) return;
    T sum = T(0);
    for (std::size_t chunk = 0; chunk < c.n_chunks; chunk += at_once) {
        T of[at_once];
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k)
            of[k] = chunk + std::size_t(k) < c.n_chunks ? c.partial[(chunk + std::size_t(k)) * c.stride + j] : T(0);
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k) sum += of[k];
    }
    c.sums[j] = sum;
}

}  // namespace steepest::cuda
