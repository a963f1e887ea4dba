// The columns of a sparse X: what their terms may be, and the sums of these in integers (see sparse.hpp).
#pragma once

#include "cuda/kernels/sparse.cuh"

namespace steepest::cuda {

// The first row whose starts fall or leave the entries, and the first entry that names no column.
template <class I>
struct CheckSparse {
    SparseMatrix<float, I> X;
    std::size_t n_entries;  // of the array of columns
    Limb* found;            // begins with n_rows and n_entries
};

template <class I>
__global__ void __launch_bounds__(block_threads, 2) sparse_check(const __grid_constant__ CheckSparse<I> c) {
    const std::size_t stride = std::size_t(gridDim.x) * blockDim.x;
    const std::size_t thread = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x;
    struct Ends {
        std::size_t first, last;
    };
    in_order<4>(
        thread, c.X.n_rows, stride, [&](std::size_t row) { return Ends{c.X.start(row), c.X.start(row + 1)}; },
        [&](std::size_t row, const Ends& ends) {
            if (ends.last < ends.first || ends.last > c.n_entries) atomicMin(&c.found[0], Limb(row));
        });
    const std::size_t n = c.X.n_elements() < c.n_entries ? c.X.n_elements() : c.n_entries;
    in_order<8>(
        thread, n, stride, [&](std::size_t e) { return std::size_t(c.X.columns[e]); },  // a negative number is large
        [&](std::size_t e, std::size_t column) {
            if (column >= c.X.n_columns) atomicMin(&c.found[1], Limb(e));
        });
}

// The number of entries of each column and the bits of their largest magnitude, over the rows that are not absent.
template <class V, class I>
struct Measure {
    SparseMatrix<V, I> X;
    const ArithmeticOf<V>* weight;
    Shares shares;
    Limb* count;
    Limb* largest;
};

template <class V, class I>
__global__ void __launch_bounds__(block_threads, 2) sparse_measure(const __grid_constant__ Measure<V, I> m) {
    struct Entry {
        I column;
        double x;
    };
    const Group group(m.shares.lanes);
    const auto part = [&](std::size_t row, std::size_t first, std::size_t last) {
        if (first == last || (m.weight && m.weight[row] == ArithmeticOf<V>(0))) return;
        in_order<entries_at_once>(
            first + std::size_t(group.lane), last, std::size_t(group.lanes),
            [&](std::size_t e) { return Entry{m.X.columns[e], double(m.X.value(e))}; },
            [&](std::size_t, const Entry& entry) {
                atomicAdd(m.count + entry.column, Limb(1));
                atomicMax(m.largest + entry.column, bits_as<Limb>(magnitude(entry.x)));
            });
    };
    for (std::size_t share = group.number; share < m.shares.count; share += group.count)
        over_share(m.X, share, part, part);
}

// What the kernels know of each column. Which of the slots a hot column gets depends on the order of the threads, and
// no result on the slot.
template <class T>
struct Describe {
    const Limb* count;
    const Limb* largest;
    std::size_t n_columns, n_entries;
    Column* columns;
    unsigned* n_hot;        // begins with 0
    std::size_t* of_slots;  // the column of each slot
};

template <class T>
__global__ void __launch_bounds__(block_threads, 2) sparse_describe(const __grid_constant__ Describe<T> d) {
    const std::size_t stride = std::size_t(gridDim.x) * blockDim.x;
    for (std::size_t j = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x; j < d.n_columns; j += stride) {
        Column column = column_of(d.count[j], d.largest[j]);
        if (d.count[j] > 0 && d.count[j] >= d.n_entries / hot_columns + 1) {
            const unsigned slot = atomicAdd(d.n_hot, 1u);
            column.slot = std::int16_t(slot);
            d.of_slots[slot] = j;
        }
        d.columns[j] = column;
    }
}

// Adds slope * x of all entries to the sums of their columns.
template <class V, class I>
struct Scatter {
    SparseMatrix<V, I> X;
    const ArithmeticOf<V>* weight;
    const double* slopes;
    Shares shares;
    const Column* columns;
    const unsigned* n_hot;
    const std::size_t* of_slots;
    Limb* high;
    Limb* low;
    SparseTotals* totals;
};

// To a sum in shared memory, in two halves: 32 bits are the widest that are added there without a loop.
__device__ __forceinline__ void add_shared(unsigned* halves, Limb term) {
    const unsigned low = unsigned(term), before = atomicAdd(halves, low);
    atomicAdd(halves + 1, unsigned(term >> 32) + (before + low < low ? 1u : 0u));
}

template <class V, class I>
__device__ __forceinline__ void add_term(const Scatter<V, I>& s, unsigned* hot, std::size_t j, const Column& column,
                                         double slope, double x) {
    if (!column.finite) return;
    const double term = slope * (x * power_of_two(column.shift)), whole = rint(term);
    if (!(magnitude(term) <= power_of_two(column.low - 1))) {
        atomicMax(&s.totals->changed, 1u);
        return;
    }
    const auto high = Limb(static_cast<long long>(whole));
    const auto low = Limb(static_cast<long long>(rint((term - whole) * power_of_two(column.low))));
    if (column.slot >= 0) {
        add_shared(hot + 4 * column.slot, high);
        add_shared(hot + 4 * column.slot + 2, low);
    } else {
        if (high != 0) atomicAdd(s.high + j, high);
        if (low != 0) atomicAdd(s.low + j, low);
    }
}

// Adds the terms of a row, or of a part of it.
template <class V, class I>
__device__ __forceinline__ void add_row(const Scatter<V, I>& s, unsigned* hot, double slope, std::size_t first,
                                        std::size_t last, const Group& group) {
    struct Entry {
        std::size_t column;
        double x;
    };
    in_order<entries_at_once>(
        first + std::size_t(group.lane), last, std::size_t(group.lanes),
        [&](std::size_t e) { return Entry{std::size_t(s.X.columns[e]), double(s.X.value(e))}; },
        [&](const Entry& entry) { return s.columns[entry.column]; },
        [&](const Entry& entry, const Column& column) { add_term(s, hot, entry.column, column, slope, entry.x); });
}

template <class V, class I>
__global__ void __launch_bounds__(block_threads, 2) sparse_scatter(const __grid_constant__ Scatter<V, I> s) {
    STEEPEST_SHARED(shared);
    auto* hot = reinterpret_cast<unsigned*>(shared);  // two halves of both limbs of each
    for (unsigned i = threadIdx.x; i < 4 * hot_columns; i += block_threads) hot[i] = 0;
    __syncthreads();
    const Group group(s.shares.lanes);
    const double unit = power_of_two(-s.totals->exponent);
    const auto part = [&](std::size_t row, std::size_t first, std::size_t last) {
        if (first == last || (s.weight && s.weight[row] == ArithmeticOf<V>(0))) return;
        add_row(s, hot, s.slopes[row] * unit, first, last, group);
    };
    if (s.totals->all_finite)  // else the gradient is NaN
        for (std::size_t share = group.number; share < s.shares.count; share += group.count)
            over_share(s.X, share, part, part);
    __syncthreads();
    struct Hot {
        Limb sum;
        std::size_t column;
    };
    in_order<2>(
        threadIdx.x, 2 * *s.n_hot, unsigned(block_threads),
        [&](unsigned i) { return Hot{Limb(hot[2 * i]) | Limb(hot[2 * i + 1]) << 32, s.of_slots[i / 2]}; },
        [&](unsigned i, const Hot& of_slot) {
            if (of_slot.sum != 0) atomicAdd((i % 2 ? s.low : s.high) + of_slot.column, of_slot.sum);
        });
}

// The integers become the sums that `finish` reads.
template <class T>
struct Settle {
    std::size_t n_columns;
    const Column* columns;
    Limb* high;  // becomes the sum
    const Limb* low;
    const SparseTotals* totals;
};

template <class T>
__global__ void __launch_bounds__(block_threads, 2) sparse_settle(const __grid_constant__ Settle<T> s) {
    const std::size_t stride = std::size_t(gridDim.x) * blockDim.x;
    const int exponent = s.totals->exponent;
    const bool good = s.totals->all_finite && !s.totals->changed;
    for (std::size_t j = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x; j < s.n_columns; j += stride) {
        const Column column = s.columns[j];
        const double high = double(static_cast<long long>(s.high[j])), low = double(static_cast<long long>(s.low[j]));
        const double sum = ldexp(high + low * power_of_two(-column.low), exponent - column.shift);
        s.high[j] = bits_as<Limb>(good && column.finite ? sum : __builtin_nan(""));
    }
}

}  // namespace steepest::cuda
