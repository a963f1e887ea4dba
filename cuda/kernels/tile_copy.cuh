// Copies of tiles of rows into shared memory, two of them in turn: by the copy engine, by every thread 16 bytes at a
// time, or through registers where rows are not aligned or X is column-major.
#pragma once

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/granules.cuh"
#include "cuda/kernels/plan.hpp"
#include "cuda/kernels/step.cuh"

namespace steepest::cuda {

// How a block's threads share the rows of a tile: a power of two of them, at least a warp, take a row together.
struct RowShare {
    unsigned row, rows, lane, lanes;
    __device__ explicit RowShare(unsigned n) {
        unsigned shift = 5;
        while ((2u << shift) <= block_threads && (2u << shift) * n <= block_threads) ++shift;
        lanes = 1u << shift;
        rows = block_threads >> shift;
        row = threadIdx.x >> shift;
        lane = threadIdx.x & (lanes - 1);
    }
};

constexpr int elements_at_once = 8, granules_at_once = 4;  // of a thread, on their way through its registers

// sum + the products of an element of the row and its number in w, for the columns j = first, first + step, ...
template <class S, class T>
__device__ __forceinline__ T add_products(T sum, const S* x, const T* w, std::size_t first, std::size_t n,
                                          std::size_t step) {
    struct Pair {
        S x;
        T w;
    };
    in_order<elements_at_once>(
        first, n, step, [&](std::size_t j) { return Pair{x[j], w[j]}; },
        [&](std::size_t, const Pair& pair) { sum += widen_element(pair.x) * pair.w; });
    return sum;
}

// sum + the products of a row's slope and its element of a column, for the rows r = first, first + step, ...
template <class S, class T>
__device__ __forceinline__ T add_rows(T sum, const S* column, std::size_t pitch, const T* slopes, unsigned first,
                                      unsigned n, unsigned step) {
    struct Pair {
        S x;
        T slope;
    };
    in_order<elements_at_once>(
        first, n, step, [&](unsigned r) { return Pair{column[r * pitch], slopes[r]}; },
        [&](unsigned, const Pair& pair) { sum += pair.slope * widen_element(pair.x); });
    return sum;
}

// Columns of n rows that start at multiples of 16 bytes.
template <class S>
__device__ __forceinline__ void copy_vectors(const Batch<S>& rows, std::size_t first_row, unsigned n,
                                             std::size_t first_column, std::size_t n_columns, S* tile,
                                             std::size_t pitch) {
    constexpr std::size_t width = 16 / sizeof(S);
    const RowShare share(n);
    for (unsigned r = share.row; r < n; r += share.rows) {
        const S* x = rows.X + rows.row(first_row + r) * rows.n_columns + first_column;
        S* to = tile + r * pitch;
        const std::size_t first = share.lane * width, step = share.lanes * width;
        if constexpr (ptx::copies_are_asynchronous) {
            for (std::size_t j = first; j < n_columns; j += step) ptx::copy_async_16(to + j, x + j);
        } else {
            in_order<4>(
                first, n_columns, step, [&](std::size_t j) { return *reinterpret_cast<const uint4*>(x + j); },
                [&](std::size_t j, const uint4& vector) { *reinterpret_cast<uint4*>(to + j) = vector; });
        }
    }
}

// Columns of n rows of a row-major X that start anywhere: whole granules, moved on their way through registers. A row
// whose granules reach beyond X is copied element by element.
template <class S>
__device__ __forceinline__ void copy_granules(const Batch<S>& rows, std::size_t first_row, unsigned n,
                                              std::size_t first_column, std::size_t n_columns, S* tile,
                                              std::size_t pitch) {
    struct Pair {
        uint4 first, second;
    };
    constexpr std::size_t width = 16 / sizeof(S);
    const RowShare share(n);
    for (unsigned r = share.row; r < n; r += share.rows) {
        const S* x = rows.X + rows.row(first_row + r) * rows.n_columns + first_column;
        S* to = tile + r * pitch;
        if (!granules_are_in(rows, x, n_columns)) {
            in_order<elements_at_once>(
                std::size_t(share.lane), n_columns, std::size_t(share.lanes), [&](std::size_t j) { return x[j]; },
                [&](std::size_t j, S element) { to[j] = element; });
            continue;
        }
        const unsigned offset = granule_offset(x);
        const uint4* from = granule_of(x);
        const auto last = unsigned(granule_of(x + n_columns - 1) - from);
        in_order<granules_at_once>(
            share.lane, unsigned((n_columns + width - 1) / width), share.lanes,
            [&](unsigned i) { return Pair{__ldcs(from + i), __ldcs(from + (i < last ? i + 1 : i))}; },
            [&](unsigned i, const Pair& pair) {
                reinterpret_cast<uint4*>(to)[i] = joined(pair.first, pair.second, offset);
            });
    }
}

// The same of a column-major X: a thread takes one row, so that neighbours read neighbouring elements of a column.
template <class S>
__device__ __forceinline__ void copy_columns(const Batch<S>& rows, std::size_t first_row, unsigned n,
                                             std::size_t first_column, std::size_t n_columns, S* tile,
                                             std::size_t pitch) {
    unsigned shift = 0;
    while ((1u << shift) < n) ++shift;  // at most max_tile_rows
    const unsigned r = threadIdx.x & ((1u << shift) - 1), columns = block_threads >> shift;
    if (r >= n) return;
    const S* x = rows.X + first_column * rows.n_rows + rows.row(first_row + r);
    S* to = tile + r * pitch;
    in_order<elements_at_once>(
        std::size_t(threadIdx.x >> shift), n_columns, std::size_t(columns),
        [&](std::size_t j) { return x[j * rows.n_rows]; }, [&](std::size_t j, S element) { to[j] = element; });
}

// Columns [first_column, first_column + n_columns) of n rows, row after row, `pitch` elements apart. The block's
// threads share the work; who reads the tile waits for the copies and then for the block.
template <class S>
__device__ __forceinline__ void copy_rows(const Batch<S>& rows, std::size_t first_row, unsigned n,
                                          std::size_t first_column, std::size_t n_columns, S* tile, std::size_t pitch) {
    if (rows.aligned) {
        copy_vectors(rows, first_row, n, first_column, n_columns, tile, pitch);
    } else if (rows.row_major) {
        copy_granules(rows, first_row, n, first_column, n_columns, tile, pitch);
    } else {
        copy_columns(rows, first_row, n, first_column, n_columns, tile, pitch);
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
