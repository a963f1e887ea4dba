// Copies of tiles of rows into shared memory, two of them in turn: by the copy engine, by every thread 16 bytes at a
// time, or element by element where rows are not aligned or X is column-major.
#pragma once

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/plan.hpp"
#include "cuda/kernels/step.cuh"

namespace steepest::cuda {

// Columns [first_column, first_column + n_columns) of n rows, row after row, `pitch` elements apart. The block's
// threads share the work; who reads the tile waits for the copies and then for the block.
template <class S>
__device__ __forceinline__ void copy_rows(const Batch<S>& rows, std::size_t first_row, unsigned n,
                                          std::size_t first_column, std::size_t n_columns, S* tile, std::size_t pitch) {
    if (rows.aligned) {
        constexpr std::size_t width = 16 / sizeof(S);
        const std::size_t vectors = n_columns / width;
        for (std::size_t i = threadIdx.x; i < n * vectors; i += block_threads) {
            const std::size_t r = i / vectors, column = i % vectors * width;
            ptx::copy_async_16(tile + r * pitch + column,
                               rows.X + rows.row(first_row + r) * rows.n_columns + first_column + column);
        }
    } else if (rows.row_major) {
        for (unsigned r = threadIdx.x / 32; r < n; r += block_warps) {
            const S* x = rows.X + rows.row(first_row + r) * rows.n_columns + first_column;
#pragma unroll 4
            for (std::size_t j = threadIdx.x % 32; j < n_columns; j += 32) tile[r * pitch + j] = x[j];
        }
    } else {
#pragma unroll 4
        for (std::size_t i = threadIdx.x; i < n * n_columns; i += block_threads) {
            const std::size_t r = i % n, j = i / n;
            tile[r * pitch + j] = rows.X[(first_column + j) * rows.n_rows + rows.row(first_row + r)];
        }
    }
    ptx::copy_async_commit();
}

template <class S, bool bulk>
class TileCopy {
  public:
    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(const TileShape& shape) {
        return header_bytes + 2 * std::size_t(shape.rows) * shape.pitch * sizeof(S);
    }

    __device__ TileCopy(unsigned char* shared, std::size_t d, const TileShape& shape)
        : header_(shared),
          barriers_(reinterpret_cast<ptx::Barrier*>(shared)),
          tiles_(reinterpret_cast<S*>(shared + header_bytes)),
          d_(d),
          pitch_(shape.pitch),
          tile_size_(shape.rows * shape.pitch) {
        if constexpr (bulk) {
            if (threadIdx.x == 0) {
                ptx::barrier_init(barriers_, 1);
                ptx::barrier_init(barriers_ + 1, 1);
                ptx::fence_barrier_init();
                ptx::fence_proxy_async();
            }
            __syncthreads();
        }
    }

    __device__ __forceinline__ std::size_t pitch() const { return pitch_; }
    // 64 bytes that no copy uses.
    __device__ __forceinline__ unsigned char* spare() const { return header_ + 64; }

    // Starts the copy of n rows into the tile that is not read now.
    __device__ __forceinline__ void start(const Batch<S>& rows, std::size_t first, unsigned n) {
        S* tile = tiles_ + started_ % 2 * tile_size_;
        if constexpr (bulk) {
            if (threadIdx.x < 32) {
                const unsigned bytes = unsigned(d_ * sizeof(S));
                ptx::Barrier* barrier = barriers_ + started_ % 2;
                if (threadIdx.x == 0) ptx::barrier_expect(barrier, n * bytes);
                __syncwarp();
                for (unsigned r = threadIdx.x; r < n; r += 32)
                    ptx::bulk_copy(tile + r * pitch_, rows.X + rows.row(first + r) * d_, bytes, barrier);
            }
        } else {
            copy_rows(rows, first, n, 0, d_, tile, pitch_);
        }
        ++started_;
    }

    // Waits for the calling thread's part of the oldest tile that was started; `more`: another one was started since.
    __device__ __forceinline__ const S* wait(bool more) {
        const unsigned tile = waited_ % 2;
        if constexpr (bulk) {
            ptx::barrier_wait(barriers_ + tile, waited_ / 2 % 2);
        } else if (more) {
            ptx::copy_async_wait_prior<1>();
        } else {
            ptx::copy_async_wait_prior<0>();
        }
        ++waited_;
        return tiles_ + tile * tile_size_;
    }

    __device__ __forceinline__ void drain() {
        while (waited_ != started_) wait(false);
    }

  private:
    static constexpr std::size_t header_bytes = 128;

    unsigned char* header_;
    ptx::Barrier* barriers_;
    S* tiles_;
    std::size_t d_, pitch_, tile_size_;
    unsigned started_ = 0, waited_ = 0;
};

}  // namespace steepest::cuda
