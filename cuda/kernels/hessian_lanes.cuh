// Products with the Hessian, rows through registers: as lanes.cuh, with a direction v beside w. A row adds its
// curvature times its product with v.
#pragma once

#include "cuda/kernels/lanes.cuh"

namespace steepest::cuda {

// A point and a direction, as kernels take them: the intercepts are the last numbers.
template <class T>
struct Direction {
    const T *w, *v;
    bool intercept;

    STEEPEST_HOST_DEVICE T bias(std::size_t d) const { return intercept ? w[d] : T(0); }
    STEEPEST_HOST_DEVICE T along(std::size_t d) const { return intercept ? v[d] : T(0); }
};

// What a row with the score z adds along v, where its product with v is u.
template <class T>
__device__ __forceinline__ T curved(const LossChoice& loss, T weight, T z, T u, T y) {
    return weighted(weight, curvature_of(loss, z, y) * u);
}

// The sums of one block over a chunk of rows: d of the product, that of the intercept, and a 0 where passes have a
// loss.
template <class S, int K>
class LaneProducts {
  public:
    using T = ArithmeticOf<S>;
    static constexpr int width = 16 / sizeof(S), elements = K * width;

    // Of shared memory: a slot for each warp's sums, then the chunk's in double.
    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(std::size_t d) {
        return sums_of(d) * (block_warps * sizeof(T) + sizeof(double)) + 2 * sizeof(unsigned);
    }

    __device__ LaneProducts(unsigned char* shared, std::size_t d, int lanes)
        : at_(lanes),
          d_(d),
          total_(reinterpret_cast<double*>(shared)),
          of_warps_(reinterpret_cast<T*>(total_ + sums_of(d))) {}

    // Two numbers that no sum uses.
    __device__ __forceinline__ unsigned* spare() const {
        return reinterpret_cast<unsigned*>(of_warps_ + block_warps * sums_of(d_));
    }

    // Asks for the group's first row of a chunk.
    __device__ __forceinline__ void prefetch(const Batch<S>& chunk) { load(chunk, std::size_t(at_.group)); }

    __device__ __forceinline__ void sum(const Batch<S>& chunk, const Direction<T>& at, double* out) {
        for (std::size_t j = threadIdx.x; j < sums_of(d_); j += block_threads) total_[j] = 0.0;
        T w[elements], v[elements];
        for (int e = 0; e < elements; ++e) {
            w[e] = column(e) < d_ ? at.w[column(e)] : T(0);
            v[e] = column(e) < d_ ? at.v[column(e)] : T(0);
        }
        const std::size_t run = flush_rows * std::size_t(at_.groups);
        for (std::size_t first = 0; first < chunk.count; first += run)
            sum_run(chunk, first, first + run < chunk.count ? first + run : chunk.count, w, v, at);
        for (std::size_t j = threadIdx.x; j < sums_of(d_); j += block_threads) __stcg(out + j, total_[j]);
    }

  private:
    __device__ __forceinline__ std::size_t column(int e) const {
        return std::size_t((e / width) * at_.lanes + at_.lane) * width + e % width;
    }

    __device__ __forceinline__ void load(const Batch<S>& chunk, std::size_t at) {
        const bool known = at < chunk.count;
        const std::size_t row = known ? chunk.row(at) : 0;
        const S* x = chunk.X + row * d_;
        for (int k = 0; k < K; ++k) next_.x[k] = load_vector(x, column(k * width), known ? d_ : 0, chunk.aligned);
        next_.y = known ? chunk.y[row] : T(0);
        next_.weight = !known ? T(0) : chunk.weight ? chunk.weight[row] : T(1);
    }

    // Rows [first, last) of the chunk; all threads of the block make as many turns.
    __device__ __forceinline__ void sum_run(const Batch<S>& chunk, std::size_t first, std::size_t last,
                                            const T (&w)[elements], const T (&v)[elements], const Direction<T>& at) {
        T g[elements] = {}, slopes = T(0);
        const T bias = at.bias(d_), along = at.along(d_);
        for (std::size_t turn = first; turn < last; turn += std::size_t(at_.groups)) {
            const RowInRegisters<S, K> row = next_;
            load(chunk, turn + std::size_t(at_.groups + at_.group));
            T z = T(0), u = T(0);
            for (int e = 0; e < elements; ++e) {
                const T x = element<S>(row.x[e / width], e % width);
                z += x * w[e];
                u += x * v[e];
            }
            for (int offset = at_.lanes / 2; offset > 0; offset /= 2) {
                z += __shfl_xor_sync(all_lanes, z, offset);
                u += __shfl_xor_sync(all_lanes, u, offset);
            }
            const bool real = turn + std::size_t(at_.group) < last;
            const T slope = real ? curved(chunk.loss, row.weight, z + bias, u + along, row.y) : T(0);
            for (int e = 0; e < elements; ++e) g[e] += slope * element<S>(row.x[e / width], e % width);
            slopes += slope;
        }
        flush(g, slopes);
    }

    // Adds the groups of a warp, then the warps in their order, to the chunk's sums.
    __device__ __forceinline__ void flush(T (&g)[elements], T slopes) {
        for (int offset = at_.lanes; offset < 32; offset *= 2) {
            for (int e = 0; e < elements; ++e) g[e] += __shfl_xor_sync(all_lanes, g[e], offset);
            slopes += __shfl_xor_sync(all_lanes, slopes, offset);
        }
        T* of_warp = of_warps_ + threadIdx.x / 32 * sums_of(d_);
        if (threadIdx.x % 32 < unsigned(at_.lanes))
            for (int e = 0; e < elements; ++e)
                if (column(e) < d_) of_warp[column(e)] = g[e];
        if (threadIdx.x % 32 == 0) {
            of_warp[d_] = slopes;
            of_warp[d_ + 1] = T(0);
        }
        __syncthreads();
        for (std::size_t j = threadIdx.x; j < sums_of(d_); j += block_threads) {
            T of[block_warps], sum = T(0);
            STEEPEST_UNROLL
            for (int warp = 0; warp < block_warps; ++warp) of[warp] = of_warps_[std::size_t(warp) * sums_of(d_) + j];
            STEEPEST_UNROLL
            for (int warp = 0; warp < block_warps; ++warp) sum += of[warp];
            total_[j] += double(sum);
        }
        __syncthreads();
    }

    Place at_;
    std::size_t d_;
    double* total_;
    T* of_warps_;
    RowInRegisters<S, K> next_;
};

}  // namespace steepest::cuda
