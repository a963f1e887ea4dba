// The rows of a sparse X: their products with w, and what the loss makes of these.
#pragma once

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/losses.cuh"
#include "cuda/kernels/sparse.hpp"
#include "cuda/kernels/step.cuh"

namespace steepest::cuda {

// Where a thread stands: `lanes` threads take a share. Other groups of the warp may go another way.
struct Group {
    int lanes, lane;
    unsigned mask;
    std::size_t number, count;
    __device__ explicit Group(int lanes_)
        : lanes(lanes_),
          lane(int(threadIdx.x) % lanes_),
          mask((lanes_ == 32 ? all_lanes : (1u << lanes_) - 1u)
               << (threadIdx.x % 32u / unsigned(lanes_) * unsigned(lanes_))),
          number((std::size_t(blockIdx.x) * block_threads + threadIdx.x) / unsigned(lanes_)),
          count(std::size_t(gridDim.x) * block_threads / unsigned(lanes_)) {}
};

// Rows that have ended before this place of the path; the entries before it are the rest of the way.
template <class V, class I>
__device__ __forceinline__ std::size_t rows_before(const SparseMatrix<V, I>& X, std::size_t place) {
    std::size_t low = 0, high = X.n_rows;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (middle + X.start(middle + 1) < place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Calls part(row, first, last) with the entries of each row that are in the share, and then rest(row, first, last) with
// those of the row that goes on in the next one. Either may have none; the row of the rest may be no row.
template <class V, class I, class Part, class Rest>
__device__ __forceinline__ void over_share(const SparseMatrix<V, I>& X, std::size_t share, Part part, Rest rest) {
    const std::size_t end = X.n_rows + X.n_elements(), begin = share * share_size;
    const std::size_t stop = end - begin < share_size ? end : begin + share_size;
    std::size_t row = rows_before(X, begin), entry = begin - row;
    const std::size_t last_row = rows_before(X, stop), last_entry = stop - last_row;
    std::size_t after = row < last_row ? X.start(row + 1) : 0;
    for (; row < last_row; ++row) {
        const std::size_t next = after;
        if (row + 1 < last_row) after = X.start(row + 2);  // while the row is summed
        part(row, entry, next);
        entry = next;
    }
    rest(last_row, entry, last_entry);
}

template <class V, class I>
struct Products {
    SparseMatrix<V, I> X;
    const ArithmeticOf<V>* w;
    Shares shares;
    double* carry;  // a share: the sum over the row that goes on after it
    double* z;      // a row: the sum over its entries in the share where it ends
};

constexpr int entries_at_once = 4;  // of a thread, since each waits for memory twice

// The sum over entries by a group.
template <class V, class I, class T = ArithmeticOf<V>>
__device__ __forceinline__ double product(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last, const T* w,
                                          const Group& group) {
    struct Entry {
        I column;
        T x;
    };
    double sum = 0.0;
    in_order<entries_at_once>(
        first + std::size_t(group.lane), last, std::size_t(group.lanes),
        [&](std::size_t e) { return Entry{X.columns[e], X.value(e)}; },
        [&](const Entry& entry) { return w[entry.column]; },
        [&](const Entry& entry, T at) { sum += double(entry.x) * double(at); });
    for (int offset = group.lanes / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(group.mask, sum, offset);
    return sum;
}

template <class V, class I>
__global__ void __launch_bounds__(block_threads, 2) sparse_products(const __grid_constant__ Products<V, I> p) {
    const Group group(p.shares.lanes);
    for (std::size_t share = group.number; share < p.shares.count; share += group.count) {
        over_share(
            p.X, share,
            [&](std::size_t row, std::size_t first, std::size_t last) {
                const double sum = product(p.X, first, last, p.w, group);
                if (group.lane == 0) p.z[row] = sum;
            },
            [&](std::size_t, std::size_t first, std::size_t last) {
                const double sum = product(p.X, first, last, p.w, group);
                if (group.lane == 0) p.carry[share] = sum;
            });
    }
}

// What the loss makes of the products: slopes, or with a direction what a Hessian product has in their place.
template <class T>
struct Slopes {
    const void* starts;
    bool wide_starts;
    std::size_t n_rows, n_chunks;
    const T* y;
    const T* weight;  // null: all 1
    LossChoice loss;
    const T* bias;   // null: none
    const T* along;  // of the direction; null: none
    const double* carry;
    const double* carry_u;  // of the direction; null: a gradient
    double* z;              // become the slopes
    const double* u;
    SparseTotals* partial;  // of each chunk

    STEEPEST_HOST_DEVICE std::size_t start(std::size_t row) const {
        return SparseMatrix<T, std::int32_t>{nullptr, nullptr, starts, wide_starts, n_rows, 0}.start(row);
    }
};

// Adds what the shares before the one where a row ends hold of it. All lanes of the warp call it, each for its row.
__device__ __forceinline__ double with_carry(double sum, const double* carry, std::size_t first, std::size_t last) {
    const bool by_warp = last - first > many_shares;
    const auto of_share = [&](std::size_t share) { return carry[share]; };
    if (!by_warp) in_order<4>(first, last, std::size_t(1), of_share, [&](std::size_t, double found) { sum += found; });
    const unsigned those = __ballot_sync(all_lanes, by_warp);
    for (int lane = 0; lane < 32; ++lane) {
        if (!(those >> lane & 1u)) continue;
        const auto from = std::size_t(__shfl_sync(all_lanes, Limb(first), lane));
        const auto to = std::size_t(__shfl_sync(all_lanes, Limb(last), lane));
        double found = 0.0;
        in_order<8>(from + threadIdx.x % 32, to, std::size_t(32), of_share,
                    [&](std::size_t, double more) { found += more; });
        for (int offset = 16; offset > 0; offset /= 2) found += __shfl_xor_sync(all_lanes, found, offset);
        if (int(threadIdx.x % 32) == lane) sum += found;
    }
    return sum;
}

__device__ __forceinline__ void add(SparseTotals& sum, const SparseTotals& other) {
    sum.slope += other.slope;
    sum.loss += other.loss;
    sum.largest = other.largest > sum.largest ? other.largest : sum.largest;
    sum.all_finite &= other.all_finite;
}

// The sum of the block's threads in a fixed order, at its first thread; `of_warps` are block_warps in shared memory.
__device__ __forceinline__ SparseTotals sum_of_block(SparseTotals own, SparseTotals* of_warps) {
    for (int offset = 16; offset > 0; offset /= 2) {
        add(own, {__shfl_xor_sync(all_lanes, own.slope, offset), __shfl_xor_sync(all_lanes, own.loss, offset),
                  __shfl_xor_sync(all_lanes, own.largest, offset), 0,
                  __shfl_xor_sync(all_lanes, own.all_finite, offset), 0});
    }
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = own;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int warp = 1; warp < block_warps; ++warp) add(own, of_warps[warp]);
    return own;
}

// A block a chunk of rows.
template <class T>
__global__ void __launch_bounds__(block_threads, 2) sparse_slopes(const __grid_constant__ Slopes<T> s) {
    STEEPEST_SHARED(shared);
    const std::size_t first = s.n_rows * blockIdx.x / s.n_chunks, last = s.n_rows * (blockIdx.x + 1) / s.n_chunks;
    const T bias = s.bias ? *s.bias : T(0), along = s.along ? *s.along : T(0);
    SparseTotals own{0.0, 0.0, 0.0, 0, 1u, 0u};
    for (std::size_t turn = first; turn < last; turn += block_threads) {
        const bool real = turn + threadIdx.x < last;
        const std::size_t row = real ? turn + threadIdx.x : turn;
        const std::size_t from = (row + s.start(row)) / share_size,
                          to = real ? (row + s.start(row + 1)) / share_size : from;
        const T z = T(with_carry(real ? s.z[row] : 0.0, s.carry, from, to)) + bias;
        const T u = s.carry_u ? T(with_carry(real ? s.u[row] : 0.0, s.carry_u, from, to)) + along : T(0);
        if (!real) continue;
        const T weight = s.weight ? s.weight[row] : T(1);
        LossAndSlope<T> of_row{T(0), T(0)};
        if (s.carry_u) {
            of_row.slope = curvature_of(s.loss, z, s.y[row]) * u;
        } else {
            of_row = loss_and_slope(s.loss, z, s.y[row]);
        }
        const double slope = double(weighted(weight, of_row.slope));
        s.z[row] = slope;
        const double size = finite(slope) ? magnitude(slope) : 0.0;
        add(own, {slope, double(weighted(weight, of_row.loss)), size, 0, finite(slope), 0u});
    }
    own = sum_of_block(own, reinterpret_cast<SparseTotals*>(shared));
    if (threadIdx.x == 0) s.partial[blockIdx.x] = own;
}

// A template, as all kernels are, by whose names the machine code is read.
template <class T>
struct Total {
    const SparseTotals* partial;
    std::size_t n_chunks;
    SparseTotals* totals;
    double* sums;  // of the slopes and the losses, where `finish` reads them
};

// One block.
template <class T>
__global__ void __launch_bounds__(block_threads, 2) sparse_total(const __grid_constant__ Total<T> t) {
    STEEPEST_SHARED(shared);
    SparseTotals own{0.0, 0.0, 0.0, 0, 1u, 0u};
    in_order<4>(
        std::size_t(threadIdx.x), t.n_chunks, std::size_t(block_threads),
        [&](std::size_t chunk) { return t.partial[chunk]; },
        [&](std::size_t, const SparseTotals& of_chunk) { add(own, of_chunk); });
    own = sum_of_block(own, reinterpret_cast<SparseTotals*>(shared));
    if (threadIdx.x > 0) return;
    own.exponent = slope_exponent(own.largest);
    *t.totals = own;
    t.sums[0] = own.slope;
    t.sums[1] = own.loss;
}

}  // namespace steepest::cuda
