// Weighted moments of the columns of X in double, about a number near their means, and copies of some rows.
#pragma once

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/step.cuh"

namespace steepest::cuda {

constexpr int columns_at_once = 8;  // elements of X that a thread asks for together

// How a block shares the columns of rows that lie one after the other.
STEEPEST_HOST_DEVICE constexpr Columns side_by_side(std::size_t n_columns) {
    unsigned width = 32;
    while (width < n_columns && width < unsigned(block_threads)) width *= 2;
    return {width, unsigned(block_threads) / width};
}

template <class S>
struct Moments {
    using T = ArithmeticOf<S>;
    const S* X;
    const T* weight;  // null: all 1
    std::size_t n_rows, n_columns;
    bool row_major;
    const double* unit;     // that a column is multiplied by; null: 1
    const long long* some;  // rows of a weight above 0, the first of them first
    std::size_t n_some;
    double* shift;  // near a column's mean, and equal to its numbers where these are equal
    std::size_t n_chunks;
    double* partial;  // of a chunk the four numbers of `Moment`, of each column

    STEEPEST_HOST_DEVICE std::size_t place(std::size_t row, std::size_t column) const {
        return row_major ? row * n_columns + column : column * n_rows + row;
    }
};

// Sums over some rows of a column; what a row of weight 0 holds is not looked at.
struct Moment {
    double weight, first, second, largest;  // the last one a magnitude

    __device__ __forceinline__ void add(double s, double x, double shift) {
        if (s == 0.0) return;
        const double away = x - shift, size = magnitude(x);
        weight += s;
        first += s * away;
        second += s * away * away;
        largest = size > largest ? size : largest;
    }
    __device__ __forceinline__ void add(const Moment& other) {
        weight += other.weight;
        first += other.first;
        second += other.second;
        largest = other.largest > largest ? other.largest : largest;
    }
};

// A thread a column.
template <class S>
__global__ void __launch_bounds__(block_threads, 2) column_shifts(const __grid_constant__ Moments<S> m) {
    const std::size_t j = std::size_t(blockIdx.x) * block_threads + threadIdx.x;
    if (j >= m.n_columns) return;
    const double unit = m.unit ? m.unit[j] : 1.0;
    const double start = double(widen_element(m.X[m.place(std::size_t(m.some[0]), j)])) * unit;
    double sum = 0.0;
    for (std::size_t i = 0; i < m.n_some; i += columns_at_once) {
        std::size_t rows[columns_at_once];
        S x[columns_at_once];
        STEEPEST_UNROLL
        for (int k = 0; k < columns_at_once; ++k)  // past the last one the first, which adds 0
            rows[k] = std::size_t(m.some[i + std::size_t(k) < m.n_some ? i + std::size_t(k) : 0]);
        STEEPEST_UNROLL
        for (int k = 0; k < columns_at_once; ++k) x[k] = m.X[m.place(rows[k], j)];
        STEEPEST_UNROLL
        for (int k = 0; k < columns_at_once; ++k) sum += double(widen_element(x[k])) * unit - start;
    }
    m.shift[j] = start + sum / double(m.n_some);
}

// Adds the parts of a column, those of the threads of one column, at its first one.
__device__ __forceinline__ Moment sum_of_parts(Moment own, unsigned part, unsigned parts, unsigned stride,
                                               Moment* scratch) {
    Moment* mine = scratch + threadIdx.x;
    for (unsigned half = parts / 2; half > 0; half /= 2) {
        *mine = own;
        __syncthreads();
        if (part < half) own.add(mine[half * stride]);
        __syncthreads();
    }
    return own;
}

// A block takes some columns of a chunk of rows: side by side of a row-major X, a warp each of a column-major one.
template <class S>
__global__ void __launch_bounds__(block_threads, 2) column_moments(const __grid_constant__ Moments<S> m) {
    STEEPEST_SHARED(shared);
    const Columns share = m.row_major ? side_by_side(m.n_columns) : Columns{unsigned(block_warps), 32u};
    const unsigned column = m.row_major ? threadIdx.x % share.width : threadIdx.x / 32;
    const unsigned part = m.row_major ? threadIdx.x / share.width : threadIdx.x % 32;
    const std::size_t tiles = (m.n_columns + share.width - 1) / share.width, chunk = blockIdx.x / tiles;
    const std::size_t j = blockIdx.x % tiles * share.width + column;
    const std::size_t first = m.n_rows * chunk / m.n_chunks, last = m.n_rows * (chunk + 1) / m.n_chunks;
    Moment own{0.0, 0.0, 0.0, 0.0};
    if (j < m.n_columns) {
        const double shift = m.shift[j], unit = m.unit ? m.unit[j] : 1.0;
        for (std::size_t row = first + part; row < last; row += columns_at_once * share.parts) {
            double x[columns_at_once], s[columns_at_once];
            STEEPEST_UNROLL
            for (int k = 0; k < columns_at_once; ++k) {
                const std::size_t at = row + std::size_t(k) * share.parts;
                x[k] = at < last ? double(widen_element(m.X[m.place(at, j)])) : 0.0;
                s[k] = at >= last ? 0.0 : m.weight ? double(m.weight[at]) : 1.0;
            }
            STEEPEST_UNROLL
            for (int k = 0; k < columns_at_once; ++k) own.add(s[k], x[k] * unit, shift);
        }
    }
    own = sum_of_parts(own, part, share.parts, m.row_major ? share.width : 1, reinterpret_cast<Moment*>(shared));
    if (part > 0 || j >= m.n_columns) return;
    reinterpret_cast<Moment*>(m.partial)[chunk * m.n_columns + j] = own;
}

template <class T>
struct ColumnTotals {
    const T* partial;
    std::size_t n_chunks, n_columns;
    const T* shift;
    T* out;  // n_columns means, as many deviations and as many magnitudes
};

// A thread a column: the chunks in their order.
template <class T>
__global__ void __launch_bounds__(block_threads, 2) column_totals(const __grid_constant__ ColumnTotals<T> c) {
    constexpr int at_once = 4;
    const std::size_t j = std::size_t(blockIdx.x) * block_threads + threadIdx.x;
    if (j >= c.n_columns) return;
    const Moment* moments = reinterpret_cast<const Moment*>(c.partial);
    Moment all{0.0, 0.0, 0.0, 0.0};
    for (std::size_t chunk = 0; chunk < c.n_chunks; chunk += at_once) {
        Moment of[at_once];
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k) {
            const std::size_t at = chunk + std::size_t(k);
            of[k] = at < c.n_chunks ? moments[at * c.n_columns + j] : Moment{0.0, 0.0, 0.0, 0.0};
        }
        STEEPEST_UNROLL
        for (int k = 0; k < at_once; ++k) all.add(of[k]);
    }
    const T mean = all.first / all.weight, square = all.second / all.weight - mean * mean;
    c.out[j] = c.shift[j] + mean;
    c.out[c.n_columns + j] = square < 0.0 ? 0.0 : sqrt(square);
    c.out[2 * c.n_columns + j] = all.largest;
}

// Copies rows by their numbers, row after row, of elements as large as E.
template <class E>
struct Gather {
    const E* X;
    std::size_t n_rows, n_columns;
    bool row_major;
    const long long* index;
    std::size_t count;
    E* out;
};

template <class E>
__global__ void __launch_bounds__(block_threads, 2) gather_rows(const __grid_constant__ Gather<E> g) {
    constexpr int at_once = 4;
    const Columns share = side_by_side(g.n_columns);
    const unsigned column = threadIdx.x % share.width, part = threadIdx.x / share.width;
    for (std::size_t i = std::size_t(blockIdx.x) * share.parts + part; i < g.count;
         i += std::size_t(gridDim.x) * share.parts) {
        const auto row = std::size_t(g.index[i]);
        const E* x = g.row_major ? g.X + row * g.n_columns : g.X + row;
        const std::size_t stride = g.row_major ? 1 : g.n_rows;
        for (std::size_t j = column; j < g.n_columns; j += at_once * share.width) {
            E of[at_once] = {};
            STEEPEST_UNROLL
            for (int k = 0; k < at_once; ++k) {
                const std::size_t at = j + std::size_t(k) * share.width;
                if (at < g.n_columns) of[k] = x[at * stride];
            }
            STEEPEST_UNROLL
            for (int k = 0; k < at_once; ++k) {
                const std::size_t at = j + std::size_t(k) * share.width;
                if (at < g.n_columns) g.out[i * g.n_columns + at] = of[k];
            }
        }
    }
}

}  // namespace steepest::cuda
