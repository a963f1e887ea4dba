// Rows of X through registers: a group of lanes takes a row, or some, each lane K vectors of 16 bytes of it. A lane's
// columns are the same for every row, so that its share of w and of the gradient stays in registers too.
#pragma once

#include "cuda/kernels/butterfly.cuh"
#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/granules.cuh"
#include "cuda/kernels/losses.cuh"
#include "cuda/kernels/step.cuh"

namespace steepest::cuda {

// Blocks for which a multiprocessor has registers: two, but for the longest rows of a type.
template <class S, int K>
constexpr int blocks_of_lanes = K * 16 / int(sizeof(S)) <= (sizeof(S) == sizeof(double) ? 4 : 16) ? 2 : 1;

constexpr std::size_t flush_rows = 256;  // of a group, before its float sums go to double

// Elements so short that a row which starts anywhere is read by granules: element by element takes many loads.
template <class S>
constexpr bool by_granules = sizeof(S) <= 2;

// A row's vectors as they lie in memory, its target and its weight.
template <class S, int K>
struct RowInRegisters {
    using T = ArithmeticOf<S>;
    static constexpr int width = 16 / sizeof(S);
    uint4 x[K + by_granules<S>];  // the last one is of granules, of a group's first lane
    unsigned offset;  // of the row in its first granule
    T y, weight;  // the weight of what is no row is 0
};

template <class S>
__device__ __forceinline__ uint4 load_vector(const S* x, std::size_t column, std::size_t d, bool aligned) {
    constexpr int width = 16 / sizeof(S);
    uint4 vector = {0u, 0u, 0u, 0u};
    if (aligned) {
        if (column < d) vector = __ldcs(reinterpret_cast<const uint4*>(x + column));
    } else if constexpr (by_granules<S>) {  // at the ends of X alone: slowly, and in few registers
#pragma unroll 1
        for (int v = width - 1; v >= 0; --v) vector = shifted_in(vector, column + v < d ? x[column + v] : S{});
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

    // The same with several rows, of which the first `end` are real. rows[r] has the target of the row lanes.own + r.
    template <int n>
    __device__ __forceinline__ void add(const RowInRegisters<S, K> (&rows)[n], int end, const T (&w)[elements], T bias,
                                        const LossChoice& loss, const Butterfly<T, n>& lanes) {
        T z[n] = {};
        STEEPEST_UNROLL
        for (int q = 0; q < n; ++q)
            for (int e = 0; e < elements; ++e) z[q] += element<S>(rows[q].x[e / width], e % width) * w[e];
        lanes.add_shares(z);
        EvaluatedRow<T> found[n];
        STEEPEST_UNROLL
        for (int q = 0; q < n; ++q) found[q] = {z[q], rows[q].y, rows[q].weight};
        lanes.evaluate(loss, bias, end, found);
        STEEPEST_UNROLL
        for (int q = 0; q < n; ++q) {
            const LossAndSlope<T> of_row = lanes.of_row(found, q);
            for (int e = 0; e < elements; ++e) g[e] += of_row.slope * element<S>(rows[q].x[e / width], e % width);
            slopes += of_row.slope;
            losses += of_row.loss;
        }
    }
};

// How the threads of a block of lanes meet.
struct WholeBlock {
    __device__ __forceinline__ static void sync() { __syncthreads(); }
};

// Rows that a group takes at once where a lane has one vector of each: as many as there are registers for.
template <class S, int K>
constexpr int rows_at_once = K > 1 || sizeof(S) == 1      ? 1
                             : sizeof(S) == sizeof(float) ? 4
                                                          : 2;

// The sums of one block over a chunk of rows.
template <class S, int K>
class LaneSums {
  public:
    using T = ArithmeticOf<S>;
    static constexpr int width = 16 / sizeof(S), elements = K * width, at_once = rows_at_once<S, K>;

    // Of shared memory: a slot for each warp's sums, then the chunk's in double.
    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(std::size_t d) {
        return sums_of(d) * (block_warps * sizeof(T) + sizeof(double)) + 2 * sizeof(unsigned);
    }

    __device__ LaneSums(unsigned char* shared, std::size_t d, int lanes)
        : at_(lanes),
          lanes_(at_.lanes, at_.lane),
          d_(d),
          total_(reinterpret_cast<double*>(shared)),
          of_warps_(reinterpret_cast<T*>(total_ + sums_of(d))) {}

    // Two numbers that no sum uses.
    __device__ __forceinline__ unsigned* spare() const {
        return reinterpret_cast<unsigned*>(of_warps_ + block_warps * sums_of(d_));
    }

    // Asks for the group's first rows of a chunk: what a step can have before its w is known.
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
        for (std::size_t j = threadIdx.x; j < sums_of(d_); j += block_threads) __stcg(out + j, total_[j]);
    }
    // The same where there are registers for several sums.
    __device__ __forceinline__ void write_several(double* out) const {
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
    // The group's rows from `at` on, and the targets of those that the lane evaluates.
    __device__ __forceinline__ void load(const Batch<S>& chunk, std::size_t at) {
        std::size_t row[at_once];
        STEEPEST_UNROLL
        for (int q = 0; q < at_once; ++q)
            row[q] =
                at + std::size_t(q * at_.groups) < chunk.count ? chunk.row(at + std::size_t(q * at_.groups)) : none;
        STEEPEST_UNROLL
        for (int q = 0; q < at_once; ++q) load_row(chunk, row[q], next_[q]);
        STEEPEST_UNROLL
        for (int r = 0; r < at_once; ++r) {
            if (r >= lanes_.held) break;
            std::size_t own = row[0];
            for (int q = 1; q < at_once; ++q)
                if (lanes_.own + r == q) own = row[q];
            next_[r].y = own != none ? chunk.y[own] : T(0);
            next_[r].weight = own == none ? T(0) : chunk.weight ? chunk.weight[own] : T(1);
        }
    }

    __device__ __forceinline__ void load_row(const Batch<S>& chunk, std::size_t number,
                                             RowInRegisters<S, K>& row) const {
        const bool known = number != none;
        const S* x = chunk.X + (known ? number : 0) * d_;
        if (by_granules<S> && !chunk.aligned && known && granules_are_in(chunk, x, d_)) {
            load_granules(x, row);
        } else {
            for (int k = 0; k < K; ++k) row.x[k] = load_vector(x, column(k * width), known ? d_ : 0, chunk.aligned);
            row.offset = 0;
        }
    }

    // Granules in the order of the vectors: they are these once a neighbour's bytes have been moved in.
    __device__ __forceinline__ void load_granules(const S* x, RowInRegisters<S, K>& row) const {
        const uint4* from = granule_of(x);
        const auto n = int(granule_of(x + d_ - 1) - from) + 1;
        row.offset = granule_offset(x);
        for (int k = 0; k < K; ++k) {
            const int i = k * at_.lanes + at_.lane;
            row.x[k] = i < n ? __ldcs(from + i) : uint4{0u, 0u, 0u, 0u};
        }
        const bool more = at_.lane == 0 && K * at_.lanes < n;
        if constexpr (by_granules<S>) row.x[K] = more ? __ldcs(from + K * at_.lanes) : uint4{0u, 0u, 0u, 0u};
    }

    // Moves what a lane has of granules, and what its neighbour has of them, to the lane's columns.
    __device__ __forceinline__ void align(RowInRegisters<S, K>& row) const {
        const int neighbour = (at_.lane + 1) % at_.lanes;  // of the last lane, the first one with its next granule
        for (int k = 0; k < K; ++k) {
            uint4 own = row.x[k];
            if (at_.lane == 0) own = row.x[k + 1];
            const uint4 beside = {__shfl_sync(all_lanes, own.x, neighbour, at_.lanes),
                                  __shfl_sync(all_lanes, own.y, neighbour, at_.lanes),
                                  __shfl_sync(all_lanes, own.z, neighbour, at_.lanes),
                                  __shfl_sync(all_lanes, own.w, neighbour, at_.lanes)};
            row.x[k] = joined(row.x[k], beside, row.offset);
            const std::size_t first = column(k * width);
            if (first + width > d_) row.x[k] = first_elements<S>(row.x[k], first < d_ ? d_ - first : 0);
        }
    }

    // Rows [first, last) of the chunk; all threads of the block make as many turns.
    __device__ __forceinline__ void sum_run(const Batch<S>& chunk, std::size_t first, std::size_t last,
                                            const T (&w)[elements], T bias) {
        GroupSums<S, K> sums;
        const auto step = std::size_t(at_once * at_.groups);
        for (std::size_t turn = first; turn < last; turn += step) {
            RowInRegisters<S, K> rows[at_once];
            int end = 0;  // of the group's rows
            STEEPEST_UNROLL
            for (int q = 0; q < at_once; ++q) {
                rows[q] = next_[q];
                end += turn + std::size_t(q * at_.groups + at_.group) < last;
            }
            load(chunk, turn + step + std::size_t(at_.group));
            if constexpr (by_granules<S>)
                for (int q = 0; q < at_once; ++q)
                    if (!chunk.aligned) align(rows[q]);
            if constexpr (at_once == 1) {
                sums.add(rows[0], end > 0, w, bias, chunk.loss, at_.lanes);
            } else {
                sums.add(rows, end, w, bias, chunk.loss, lanes_);
            }
        }
        flush<WholeBlock>(sums);
    }

    static constexpr std::size_t none = ~std::size_t(0);

    Place at_;
    Butterfly<T, at_once> lanes_;
    std::size_t d_;
    double* total_;
    T* of_warps_;
    RowInRegisters<S, K> next_[at_once] = {};
};

}  // namespace steepest::cuda
