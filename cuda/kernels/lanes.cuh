// Rows of X through registers: a group of lanes takes a row, each lane K vectors of 16 bytes of it. A lane's columns
// are the same for every row, so that its share of w and of the gradient stays in registers too.
#pragma once

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/losses.cuh"
#include "cuda/kernels/step.cuh"

namespace steepest::cuda {

// Blocks for which a multiprocessor has registers: two, but for the longest rows of a type.
template <class S, int K>
constexpr int blocks_of_lanes = K * 16 / int(sizeof(S)) <= (sizeof(S) == sizeof(double) ? 4 : 16) ? 2 : 1;

constexpr std::size_t flush_rows = 256;  // of a group, before its float sums go to double

// A row's vectors as they lie in memory, its target and its weight.
template <class S, int K>
struct RowInRegisters {
    using T = ArithmeticOf<S>;
    static constexpr int width = 16 / sizeof(S);
    uint4 x[K];
    T y, weight;  // the weight of what is no row is 0
};

template <class S>
__device__ __forceinline__ uint4 load_vector(const S* x, std::size_t column, std::size_t d, bool aligned) {
    constexpr int width = 16 / sizeof(S);
    uint4 vector = {0u, 0u, 0u, 0u};
    if (aligned) {
        if (column < d) vector = __ldcs(reinterpret_cast<const uint4*>(x + column));
    } else {
        S lane[width] = {};
        for (int v = 0; v < width; ++v)
            if (column + v < d) lane[v] = x[column + v];
        __builtin_memcpy(&vector, lane, sizeof(vector));
    }
    return vector;
}

template <class S>
__device__ __forceinline__ ArithmeticOf<S> element(const uint4& vector, int v) {
    S lane[16 / sizeof(S)];
    __builtin_memcpy(lane, &vector, sizeof(vector));
    return widen_element(lane[v]);
}

// Where a thread stands: `lanes` (a power of 2) threads take a row.
struct Place {
    int lanes, lane, group, groups;
    __device__ explicit Place(int lanes_)
        : lanes(lanes_),
          lane(int(threadIdx.x) % lanes_),
          group(int(threadIdx.x) / lanes_),
          groups(block_threads / lanes_) {}
};

// What a group of lanes has added up of its rows.
template <class S, int K>
struct GroupSums {
    using T = ArithmeticOf<S>;
    static constexpr int width = 16 / sizeof(S), elements = K * width;
    T g[elements] = {}, slopes = T(0), losses = T(0);

    // Adds the row that the group holds, or nothing where it holds none: its weight and elements are 0 then. All lanes
    // of a warp call it.
    __device__ __forceinline__ void add(const RowInRegisters<S, K>& row, bool real, const T (&w)[elements], T bias,
                                        const LossChoice& loss, int lanes) {
        T z = T(0);
        for (int e = 0; e < elements; ++e) z += element<S>(row.x[e / width], e % width) * w[e];
        for (int offset = lanes / 2; offset > 0; offset /= 2) z += __shfl_xor_sync(all_lanes, z, offset);
        const LossAndSlope<T> of_row = loss_and_slope(loss, z + bias, row.y);
        // A row that is none has weight 0, but its loss must not be one that is not finite times 0.
        const T slope = real ? weighted(row.weight, of_row.slope) : T(0);
        for (int e = 0; e < elements; ++e) g[e] += slope * element<S>(row.x[e / width], e % width);
        slopes += slope;
        losses += real ? weighted(row.weight, of_row.loss) : T(0);
    }
};

// How the threads of a block of lanes meet.
struct WholeBlock {
    __device__ __forceinline__ static void sync() { __syncthreads(); }
};

// The sums of one block over a chunk of rows.
template <class S, int K>
class LaneSums {
  public:
    using T = ArithmeticOf<S>;
    static constexpr int width = 16 / sizeof(S), elements = K * width;

    // Of shared memory: a slot for each warp's sums, then the chunk's in double.
    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(std::size_t d) {
        return sums_of(d) * (block_warps * sizeof(T) + sizeof(double)) + 8;
    }

    __device__ LaneSums(unsigned char* shared, std::size_t d, int lanes)
        : at_(lanes),
          d_(d),
          total_(reinterpret_cast<double*>(shared)),
          of_warps_(reinterpret_cast<T*>(total_ + sums_of(d))) {}

    // Asks for the group's first row of a chunk: what a step can have before its w is known.
    __device__ __forceinline__ void prefetch(const Batch<S>& chunk) { load(chunk, std::size_t(at_.group)); }

    // Waits for what was prefetched and is not wanted: nothing, a register waits by itself.
    __device__ __forceinline__ void drain() {}

    // Sums the chunk, whose first rows were prefetched, and writes it to out.
    __device__ __forceinline__ void sum(const Batch<S>& chunk, const T* w, T bias, double* out) {
        clear();
        T wk[elements];
        load_parameters(w, wk);
        const std::size_t run = flush_rows * std::size_t(at_.groups);
        for (std::size_t first = 0; first < chunk.count; first += run)
            sum_run(chunk, first, first + run < chunk.count ? first + run : chunk.count, wk, bias);
        write(out);
    }

    // The parts of a sum. A thread clears, flushes and writes the same columns.
    __device__ __forceinline__ void clear() {
        for (std::size_t j = threadIdx.x; j < sums_of(d_); j += block_threads) total_[j] = 0.0;
    }
    __device__ __forceinline__ void load_parameters(const T* w, T (&wk)[elements]) const {
        for (int e = 0; e < elements; ++e) wk[e] = column(e) < d_ ? w[column(e)] : T(0);
    }
    __device__ __forceinline__ void write(double* out) const {
        in_order<4>(
            std::size_t(threadIdx.x), sums_of(d_), std::size_t(block_threads), [&](std::size_t j) { return total_[j]; },
            [&](std::size_t j, double sum) { __stcg(out + j, sum); });
    }

    // Adds the groups of a warp, then the warps in their order, to the chunk's sums.
    template <class Threads>
    __device__ __forceinline__ void flush(GroupSums<S, K>& sums) {
        for (int offset = at_.lanes; offset < 32; offset *= 2) {
            for (int e = 0; e < elements; ++e) sums.g[e] += __shfl_xor_sync(all_lanes, sums.g[e], offset);
            sums.slopes += __shfl_xor_sync(all_lanes, sums.slopes, offset);
            sums.losses += __shfl_xor_sync(all_lanes, sums.losses, offset);
        }
        T* of_warp = of_warps_ + threadIdx.x / 32 * sums_of(d_);
        if (threadIdx.x % 32 < unsigned(at_.lanes))
            for (int e = 0; e < elements; ++e)
                if (column(e) < d_) of_warp[column(e)] = sums.g[e];
        if (threadIdx.x % 32 == 0) {
            of_warp[d_] = sums.slopes;
            of_warp[d_ + 1] = sums.losses;
        }
        Threads::sync();
        for (std::size_t j = threadIdx.x; j < sums_of(d_); j += block_threads) {
            T sum = of_warps_[j];
            for (int warp = 1; warp < block_warps; ++warp) sum += of_warps_[std::size_t(warp) * sums_of(d_) + j];
            total_[j] += double(sum);
        }
        Threads::sync();
    }

    __device__ __forceinline__ std::size_t column(int e) const {
        return std::size_t((e / width) * at_.lanes + at_.lane) * width + e % width;
    }

  private:
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
                                            const T (&w)[elements], T bias) {
        GroupSums<S, K> sums;
        for (std::size_t turn = first; turn < last; turn += std::size_t(at_.groups)) {
            const RowInRegisters<S, K> row = next_;
            load(chunk, turn + std::size_t(at_.groups + at_.group));
            sums.add(row, turn + std::size_t(at_.group) < last, w, bias, chunk.loss, at_.lanes);
        }
        flush<WholeBlock>(sums);
    }

    Place at_;
    std::size_t d_;
    double* total_;
    T* of_warps_;
    RowInRegisters<S, K> next_;
};

}  // namespace steepest::cuda
