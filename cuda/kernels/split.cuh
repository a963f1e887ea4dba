// Rows whose columns are shared among all blocks of the grid, for a d beyond one block's shared memory: a tile's scores
// are summed over the blocks with one grid-wide sync, while the tile waits in shared memory to be added to the
// gradient.
#pragma once

#include <cooperative_groups.h>

#include "cuda/kernels/losses.cuh"
#include "cuda/kernels/tile_copy.cuh"

namespace steepest::cuda {

template <class S>
struct Split {
    using T = ArithmeticOf<S>;
    Batch<S> rows;
    const T* w;
    bool intercept;
    TileShape tile;
    std::size_t columns;  // of a block
    T* scores;  // of two tiles, of each row by each block
    double* out;  // sums_of(d)
};

constexpr std::size_t split_flush_rows = 256;  // before float sums go to double

// Bytes of two tiles, up to where numbers of the arithmetic may stand.
template <class S>
STEEPEST_HOST_DEVICE std::size_t two_tiles_bytes(const TileShape& tile) {
    constexpr std::size_t number = sizeof(ArithmeticOf<S>);
    return (2 * tile.rows * tile.pitch * sizeof(S) + number - 1) / number * number;
}

// Of shared memory: two tiles, the block's w and its sums in both precisions, then a tile's targets and weights, which
// become its losses and slopes.
template <class S>
STEEPEST_HOST_DEVICE std::size_t split_bytes(const TileShape& tile, std::size_t columns) {
    using T = ArithmeticOf<S>;
    return columns * sizeof(double) + two_tiles_bytes<S>(tile) + 2 * columns * sizeof(T) + 2 * tile.rows * sizeof(T);
}

template <class S>
class SplitSums {
    using T = ArithmeticOf<S>;

  public:
    __device__ SplitSums(unsigned char* shared, const Split<S>& split)
        : split_(split),
          first_(blockIdx.x * split.columns),
          n_(first_ >= split.rows.n_columns                  ? 0
             : split.rows.n_columns - first_ < split.columns ? split.rows.n_columns - first_
                                                             : split.columns),
          total_(reinterpret_cast<double*>(shared)),
          tiles_(reinterpret_cast<S*>(total_ + split.columns)),
          w_(reinterpret_cast<T*>(reinterpret_cast<unsigned char*>(tiles_) + two_tiles_bytes<S>(split.tile))),
          gradient_(w_ + split.columns),
          slopes_(gradient_ + split.columns),
          losses_(slopes_ + split.tile.rows) {}

    __device__ __forceinline__ void run() {
        const std::size_t count = split_.rows.count, step = split_.tile.rows;
        const T bias = split_.intercept ? split_.w[split_.rows.n_columns] : T(0);
        for (std::size_t j = threadIdx.x; j < n_; j += block_threads) {
            w_[j] = split_.w[first_ + j];
            gradient_[j] = T(0);
            total_[j] = 0.0;
        }
        copy_tile(0, 0);
        double slopes = 0.0, losses = 0.0;  // of the block's first thread
        std::size_t unflushed = 0;
        for (std::size_t first = 0, t = 0; first < count; first += step, ++t) {
            const unsigned n = rows_from(first), other = unsigned(t + 1) % 2;
            const S* tile = tiles_ + t % 2 * step * split_.tile.pitch;
            Target<T> target;
            if (threadIdx.x < n) target = load_target(split_.rows, first + threadIdx.x);
            if (first + step < count) {
                copy_tile(first + step, other);
                ptx::copy_async_wait_prior<1>();
            } else {
                ptx::copy_async_wait_prior<0>();
            }
            __syncthreads();
            T* scores = split_.scores + t % 2 * step * gridDim.x;
            score(tile, n, scores);
            if (threadIdx.x < n) {
                losses_[threadIdx.x] = target.y;
                slopes_[threadIdx.x] = target.weight;
            }
            cooperative_groups::this_grid().sync();
            finish_rows(n, scores, bias);
            __syncthreads();
            if (threadIdx.x == 0) {
                in_order<8>(
                    0u, n, 1u, [&](unsigned r) { return LossAndSlope<T>{losses_[r], slopes_[r]}; },
                    [&](unsigned, const LossAndSlope<T>& of_row) {
                        slopes += double(of_row.slope);
                        losses += double(of_row.loss);
                    });
            }
            unflushed += n;
            accumulate(tile, n, unflushed >= split_flush_rows || first + step >= count);
            unflushed = unflushed >= split_flush_rows ? 0 : unflushed;
            __syncthreads();
        }
        for (std::size_t j = threadIdx.x; j < n_; j += block_threads) split_.out[first_ + j] = total_[j];
        if (blockIdx.x == 0 && threadIdx.x == 0) {
            split_.out[split_.rows.n_columns] = slopes;
            split_.out[split_.rows.n_columns + 1] = losses;
        }
    }

  private:
    __device__ __forceinline__ unsigned rows_from(std::size_t first) const {
        const std::size_t left = split_.rows.count - first;
        return unsigned(left < split_.tile.rows ? left : split_.tile.rows);
    }

    __device__ __forceinline__ void copy_tile(std::size_t first, unsigned which) {
        copy_rows(split_.rows, first, rows_from(first), first_, n_,
                  tiles_ + which * split_.tile.rows * split_.tile.pitch, split_.tile.pitch);
    }

    // The block's share of the rows' scores; a warp takes a row.
    __device__ __forceinline__ void score(const S* tile, unsigned n, T* scores) {
        for (unsigned r = threadIdx.x / 32; r < n; r += block_warps) {
            T z = add_products(T(0), tile + r * split_.tile.pitch, w_, threadIdx.x % 32, n_, 32);
            for (int offset = 16; offset > 0; offset /= 2) z += __shfl_xor_sync(all_lanes, z, offset);
            if (threadIdx.x % 32 == 0) __stcg(scores + r * gridDim.x + blockIdx.x, z);
        }
    }

    // The rows' scores from all blocks, their slopes and losses; every block finds the same.
    __device__ __forceinline__ void finish_rows(unsigned n, const T* scores, T bias) {
        constexpr int at_once = max_tile_rows / block_warps;  // of a warp, so that their scores come together
        const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        T z[at_once] = {};
        for (unsigned b = lane; b < gridDim.x; b += 32) {
            T of_block[at_once];  // of a row that is none: those of the last one, which nobody takes
            for (int k = 0; k < at_once; ++k) {
                const unsigned r = warp + k * block_warps;
                of_block[k] = __ldcg(scores + (r < n ? r : n - 1) * gridDim.x + b);
            }
            for (int k = 0; k < at_once; ++k) z[k] += of_block[k];
        }
        for (int k = 0; k < at_once; ++k)
            for (int offset = 16; offset > 0; offset /= 2) z[k] += __shfl_xor_sync(all_lanes, z[k], offset);
        for (int k = 0; k < at_once; ++k) {
            const unsigned r = warp + k * block_warps;
            if (lane != 0 || r >= n) continue;
            const T weight = slopes_[r];
            const LossAndSlope<T> of_row = loss_and_slope(split_.rows.loss, z[k] + bias, losses_[r]);
            slopes_[r] = weighted(weight, of_row.slope);
            losses_[r] = weighted(weight, of_row.loss);
        }
    }

    __device__ __forceinline__ void accumulate(const S* tile, unsigned n, bool flush) {
        for (std::size_t j = threadIdx.x; j < n_; j += block_threads) {
            T sum = add_rows(gradient_[j], tile + j, split_.tile.pitch, slopes_, 0, n, 1);
            if (flush) {
                total_[j] += double(sum);
                sum = T(0);
            }
            gradient_[j] = sum;
        }
    }

    const Split<S>& split_;
    std::size_t first_, n_;
    double* total_;
    S* tiles_;
    T *w_, *gradient_, *slopes_, *losses_;
};

}  // namespace steepest::cuda
