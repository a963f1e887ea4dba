// Products with the Hessian, rows through shared memory: as tiles.cuh, with a direction v beside w.
#pragma once

#include "cuda/kernels/hessian_lanes.cuh"
#include "cuda/kernels/tile_copy.cuh"

namespace steepest::cuda {

constexpr int products_at_once = 4;  // of a thread, so that what they wait for comes together

template <class S, bool bulk>
class TileProducts {
  public:
    using T = ArithmeticOf<S>;

    // Of shared memory: two tiles with their barriers, the product's parts, the scores along w and v and the slopes of
    // a tile, then w and v.
    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(std::size_t d, const TileShape& shape) {
        const std::size_t parts = parts_of(shape.rows), rows = shape.rows;
        return TileCopy<S, bulk>::shared_bytes(shape) + (product_size(d) + (2 * parts + 1) * rows + 2 * d) * sizeof(T);
    }

    __device__ TileProducts(unsigned char* shared, std::size_t d, const TileShape& shape)
        : copy_(shared, d, shape),
          d_(d),
          rows_(shape.rows),
          parts_(parts_of(shape.rows)),
          share_(share_columns(d)),
          product_(reinterpret_cast<T*>(shared + TileCopy<S, bulk>::shared_bytes(shape))),
          z_(product_ + product_size(d)),
          u_(z_ + parts_ * rows_),
          slopes_(u_ + parts_ * rows_),
          w_(slopes_ + rows_),
          v_(w_ + d) {}

    // Call it once; `sum` syncs before it reads what this writes.
    __device__ __forceinline__ void load(const Direction<T>& at) {
        for (std::size_t j = threadIdx.x; j < d_; j += block_threads) {
            w_[j] = at.w[j];
            v_[j] = at.v[j];
        }
        bias_ = at.bias(d_);
        along_ = at.along(d_);
    }

    // Two numbers that no sum uses.
    __device__ __forceinline__ unsigned* spare() const { return reinterpret_cast<unsigned*>(copy_.spare() + 32); }

    // Asks for the first tile of a chunk.
    __device__ __forceinline__ void prefetch(const Batch<S>& chunk) {
        if (chunk.count > 0) copy_.start(chunk, 0, tile_rows(chunk, 0));
    }

    __device__ __forceinline__ void sum(const Batch<S>& chunk, double* out) {
        for (std::size_t j = threadIdx.x; j < product_size(d_); j += block_threads) product_[j] = T(0);
        double slopes = 0.0;  // of the thread's row in each tile
        for (std::size_t first = 0; first < chunk.count; first += rows_) {
            const unsigned n = tile_rows(chunk, first);
            if (first + rows_ < chunk.count) copy_.start(chunk, first + rows_, tile_rows(chunk, first + rows_));
            const S* tile = copy_.wait(first + rows_ < chunk.count);
            __syncthreads();
            score(tile, n);
            __syncthreads();
            if (threadIdx.x < n) {
                slopes_[threadIdx.x] = slope_of(chunk, first);
                slopes += double(slopes_[threadIdx.x]);
            }
            __syncthreads();
            accumulate(tile, n);
            __syncthreads();
        }
        write(slopes, out);
    }

  private:
    static STEEPEST_HOST_DEVICE unsigned parts_of(unsigned rows) { return rows < block_warps ? block_warps / rows : 1; }
    static STEEPEST_HOST_DEVICE std::size_t product_size(std::size_t d) {
        return d < block_threads ? std::size_t(block_threads) : d;
    }
    __device__ __forceinline__ unsigned tile_rows(const Batch<S>& chunk, std::size_t first) const {
        return unsigned(chunk.count - first < rows_ ? chunk.count - first : rows_);
    }

    // A warp takes a row, or a part of one where there are more warps than rows.
    __device__ __forceinline__ void score(const S* tile, unsigned n) {
        const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        const unsigned part = parts_ > 1 ? warp / rows_ : 0;
        const std::size_t step = 32 * std::size_t(parts_);
        for (unsigned r = parts_ > 1 ? warp % rows_ : warp; r < n; r += parts_ > 1 ? rows_ : block_warps) {
            const S* row = tile + r * copy_.pitch();
            T z = T(0), u = T(0);
            for (std::size_t j = part * 32 + lane; j < d_; j += products_at_once * step) {
                T x[products_at_once], w[products_at_once], v[products_at_once];
                STEEPEST_UNROLL
                for (int k = 0; k < products_at_once; ++k) {
                    const std::size_t at = j + std::size_t(k) * step;
                    x[k] = at < d_ ? widen_element(row[at]) : T(0);
                    w[k] = at < d_ ? w_[at] : T(0);
                    v[k] = at < d_ ? v_[at] : T(0);
                }
                STEEPEST_UNROLL
                for (int k = 0; k < products_at_once; ++k) {
                    z += x[k] * w[k];
                    u += x[k] * v[k];
                }
            }
            for (int offset = 16; offset > 0; offset /= 2) {
                z += __shfl_xor_sync(all_lanes, z, offset);
                u += __shfl_xor_sync(all_lanes, u, offset);
            }
            if (lane == 0) {
                z_[r * parts_ + part] = z;
                u_[r * parts_ + part] = u;
            }
        }
    }

    // Of the thread's row of the tile.
    __device__ __forceinline__ T slope_of(const Batch<S>& chunk, std::size_t first) const {
        const std::size_t row = chunk.row(first + threadIdx.x);
        const T y = chunk.y[row], weight = chunk.weight ? chunk.weight[row] : T(1);
        T z = bias_, u = along_;
        for (unsigned part = 0; part < parts_; ++part) {
            z += z_[threadIdx.x * parts_ + part];
            u += u_[threadIdx.x * parts_ + part];
        }
        return curved(chunk.loss, weight, z, u, y);
    }

    // A thread takes its columns; where there are fewer columns than threads, a part of the rows too.
    __device__ __forceinline__ void accumulate(const S* tile, unsigned n) {
        const unsigned column = threadIdx.x % share_.width, part = threadIdx.x / share_.width;
        for (std::size_t j = column; j < d_; j += share_.width) {
            T sum = product_[part * share_.width + j];
            for (unsigned r = part; r < n; r += products_at_once * share_.parts) {
                T x[products_at_once], slope[products_at_once];
                STEEPEST_UNROLL
                for (int k = 0; k < products_at_once; ++k) {
                    const unsigned at = r + unsigned(k) * share_.parts;
                    x[k] = at < n ? widen_element(tile[at * copy_.pitch() + j]) : T(0);
                    slope[k] = at < n ? slopes_[at] : T(0);
                }
                STEEPEST_UNROLL
                for (int k = 0; k < products_at_once; ++k) sum += slope[k] * x[k];
            }
            product_[part * share_.width + j] = sum;
        }
    }

    __device__ __forceinline__ void write(double slopes, double* out) {
        __syncthreads();
        for (std::size_t j = threadIdx.x; j < d_; j += block_threads) {
            T sum = product_[j];
            for (unsigned part = 1; part < share_.parts; ++part) sum += product_[part * share_.width + j];
            __stcg(out + j, double(sum));
        }
        // The rows' owners in their order: max_tile_rows is two warps of threads.
        double* of_warp = reinterpret_cast<double*>(copy_.spare());
        for (int offset = 16; offset > 0; offset /= 2) slopes += __shfl_xor_sync(all_lanes, slopes, offset);
        static_assert(max_tile_rows <= 64);
        if (threadIdx.x == 32) *of_warp = slopes;
        __syncthreads();
        if (threadIdx.x == 0) {
            __stcg(out + d_, slopes + *of_warp);
            __stcg(out + d_ + 1, 0.0);
        }
        __syncthreads();
    }

    TileCopy<S, bulk> copy_;
    std::size_t d_;
    unsigned rows_, parts_;
    Columns share_;
    T *product_, *z_, *u_, *slopes_, *w_, *v_;
    T bias_ = T(0), along_ = T(0);
};

}  // namespace steepest::cuda
