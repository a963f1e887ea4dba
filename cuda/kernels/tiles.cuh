// Rows of X through shared memory: while a block works on one tile of rows the next one is copied. For rows too long
// for registers, and for a column-major X, whose tiles are turned into rows by the copy.
#pragma once

#include "cuda/kernels/losses.cuh"
#include "cuda/kernels/step.cuh"
#include "cuda/kernels/tile_copy.cuh"

namespace steepest::cuda {

// The sums of one block over a chunk of rows. `bulk`: by the copy engine of sm_90, for aligned rows.
template <class S, bool bulk>
class TileSums {
  public:
    using T = ArithmeticOf<S>;

    // Of shared memory: two tiles with their barriers, the gradient's parts, then scores, slopes and losses of a tile.
    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(std::size_t d, const TileShape& shape) {
        const std::size_t numbers = gradient_size(d) + (parts_of(shape.rows) + 2) * std::size_t(shape.rows);
        return (TileCopy<S, bulk>::shared_bytes(shape) + numbers * sizeof(T) + 15) / 16 * 16;
    }

    __device__ TileSums(unsigned char* shared, std::size_t d, const TileShape& shape)
        : copy_(shared, d, shape),
          d_(d),
          rows_(shape.rows),
          parts_(parts_of(shape.rows)),
          share_(share_columns(d)),
          gradient_(reinterpret_cast<T*>(shared + TileCopy<S, bulk>::shared_bytes(shape))),
          scores_(gradient_ + gradient_size(d)),
          slopes_(scores_ + parts_ * rows_),
          losses_(slopes_ + rows_) {}

    // Two numbers that no sum uses.
    __device__ __forceinline__ unsigned* spare() const { return reinterpret_cast<unsigned*>(copy_.spare() + 32); }

    // Asks for the first tile of a chunk: what a step can have before its w is known.
    __device__ __forceinline__ void prefetch(const Batch<S>& chunk) {
        if (chunk.count > 0) start(chunk, 0);
    }

    // Waits for a copy that was prefetched and is not wanted: it must not land when the block has gone.
    __device__ __forceinline__ void drain() { copy_.drain(); }

    // Sums the chunk, whose first tile was prefetched, and writes it to out. w lies in shared memory.
    __device__ __forceinline__ void sum(const Batch<S>& chunk, const T* w, T bias, double* out) {
        for (std::size_t j = threadIdx.x; j < gradient_size(d_); j += block_threads) gradient_[j] = T(0);
        double slopes = 0.0, losses = 0.0;  // of the thread's row in each tile
        for (std::size_t first = 0; first < chunk.count; first += rows_) {
            const unsigned n = tile_rows(chunk, first);
            const Target<T> target = next_;
            if (first + rows_ < chunk.count) start(chunk, first + rows_);
            const S* tile = copy_.wait(first + rows_ < chunk.count);
            __syncthreads();
            score(tile, n, w);
            __syncthreads();
            if (threadIdx.x < n) {
                finish_row(chunk.loss, target, bias);
                slopes += double(slopes_[threadIdx.x]);
                losses += double(losses_[threadIdx.x]);
            }
            __syncthreads();
            accumulate(tile, n);
            __syncthreads();
        }
        write(slopes, losses, out);
    }

  private:
    static STEEPEST_HOST_DEVICE unsigned parts_of(unsigned rows) { return rows < block_warps ? block_warps / rows : 1; }
    static STEEPEST_HOST_DEVICE std::size_t gradient_size(std::size_t d) {
        return d < block_threads ? std::size_t(block_threads) : d;
    }
    __device__ __forceinline__ unsigned tile_rows(const Batch<S>& chunk, std::size_t first) const {
        return unsigned(chunk.count - first < rows_ ? chunk.count - first : rows_);
    }

    // Asks for a tile and, with it, for the thread's target in it.
    __device__ __forceinline__ void start(const Batch<S>& chunk, std::size_t first) {
        const unsigned n = tile_rows(chunk, first);
        copy_.start(chunk, first, n);
        if (threadIdx.x < n) next_ = load_target(chunk, first + threadIdx.x);
    }

    // A warp takes a row, or a part of one where there are more warps than rows.
    __device__ __forceinline__ void score(const S* tile, unsigned n, const T* w) {
        const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        const unsigned part = parts_ > 1 ? warp / rows_ : 0;
        for (unsigned r = parts_ > 1 ? warp % rows_ : warp; r < n; r += parts_ > 1 ? rows_ : block_warps) {
            T z = add_products(T(0), tile + r * copy_.pitch(), w, part * 32 + lane, d_, 32 * parts_);
            for (int offset = 16; offset > 0; offset /= 2) z += __shfl_xor_sync(all_lanes, z, offset);
            if (lane == 0) scores_[r * parts_ + part] = z;
        }
    }

    // The thread's row of the tile: its score, then its slope and loss.
    __device__ __forceinline__ void finish_row(const LossChoice& loss, const Target<T>& target, T bias) {
        T z = bias;
        in_order<block_warps>(
            0u, parts_, 1u, [&](unsigned part) { return scores_[threadIdx.x * parts_ + part]; },
            [&](unsigned, T score) { z += score; });
        const LossAndSlope<T> of_row = loss_and_slope(loss, z, target.y);
        slopes_[threadIdx.x] = weighted(target.weight, of_row.slope);
        losses_[threadIdx.x] = weighted(target.weight, of_row.loss);
    }

    // A thread takes its columns; where there are fewer columns than threads, a part of the rows too.
    __device__ __forceinline__ void accumulate(const S* tile, unsigned n) {
        const unsigned column = threadIdx.x % share_.width, part = threadIdx.x / share_.width;
        for (std::size_t j = column; j < d_; j += share_.width) {
            T& sum = gradient_[part * share_.width + j];
            sum = add_rows(sum, tile + j, copy_.pitch(), slopes_, part, n, share_.parts);
        }
    }

    __device__ __forceinline__ void write(double slopes, double losses, double* out) {
        __syncthreads();
        for (std::size_t j = threadIdx.x; j < d_; j += block_threads) {
            T sum = gradient_[j];
            in_order<7>(
                1u, share_.parts, 1u, [&](unsigned part) { return gradient_[part * share_.width + j]; },
                [&](unsigned, T of_part) { sum += of_part; });
            __stcg(out + j, double(sum));
        }
        // The rows' owners in their order: max_tile_rows is two warps of threads.
        double* of_warps = reinterpret_cast<double*>(copy_.spare());
        for (int offset = 16; offset > 0; offset /= 2) {
            slopes += __shfl_xor_sync(all_lanes, slopes, offset);
            losses += __shfl_xor_sync(all_lanes, losses, offset);
        }
        static_assert(max_tile_rows <= 64);
        if (threadIdx.x == 32) {
            of_warps[0] = slopes;
            of_warps[1] = losses;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            __stcg(out + d_, slopes + of_warps[0]);
            __stcg(out + d_ + 1, losses + of_warps[1]);
        }
        __syncthreads();
    }

    TileCopy<S, bulk> copy_;
    Target<T> next_;
    std::size_t d_;
    unsigned rows_, parts_;
    Columns share_;
    T *gradient_, *scores_, *slopes_, *losses_;
};

}  // namespace steepest::cuda
