// Products with the Hessian, rows too long for shared memory: one kernel finds the slope of each row along v, another
// one adds the rows up. X is read twice, and no block waits for another one.
#pragma once

#include "cuda/kernels/hessian_lanes.cuh"

namespace steepest::cuda {

constexpr int long_at_once = 8;  // elements of X that a thread asks for together
constexpr std::size_t columns_of_a_float_sum = 256;

template <class S>
struct LongRows {
    using T = ArithmeticOf<S>;
    Batch<S> rows;
    Direction<T> at;
    T* slopes;  // a row
    std::size_t n_chunks;
    double* partial;

    STEEPEST_HOST_DEVICE std::size_t place(std::size_t row, std::size_t column) const {
        return rows.row_major ? row * rows.n_columns + column : column * rows.n_rows + row;
    }
};

// A row's products with w and v over the columns `first`, `first + step`, ...
template <class S>
__device__ __forceinline__ void long_products(const LongRows<S>& p, std::size_t row, std::size_t first,
                                              std::size_t step, double& z, double& u) {
    using T = ArithmeticOf<S>;
    const std::size_t d = p.rows.n_columns;
    for (std::size_t j = first; j < d;) {
        T near_z = T(0), near_u = T(0);
        for (std::size_t done = 0; done < columns_of_a_float_sum && j < d; done += long_at_once) {
            T x[long_at_once], w[long_at_once], v[long_at_once];
            STEEPEST_UNROLL
            for (int k = 0; k < long_at_once; ++k) {
                const std::size_t at = j + std::size_t(k) * step;
                x[k] = at < d ? widen_element(p.rows.X[p.place(row, at)]) : T(0);
                w[k] = at < d ? p.at.w[at] : T(0);
                v[k] = at < d ? p.at.v[at] : T(0);
            }
            STEEPEST_UNROLL
            for (int k = 0; k < long_at_once; ++k) {
                near_z += x[k] * w[k];
                near_u += x[k] * v[k];
            }
            j += long_at_once * step;
        }
        z += double(near_z);
        u += double(near_u);
    }
}

// A warp takes a row of a row-major X, whose lanes read side by side, and a thread one of a column-major X.
template <class S>
__global__ void __launch_bounds__(block_threads, 1) long_slopes(const __grid_constant__ LongRows<S> p) {
    using T = ArithmeticOf<S>;
    const std::size_t d = p.rows.n_columns, thread = std::size_t(blockIdx.x) * block_threads + threadIdx.x;
    const unsigned lanes = p.rows.row_major ? 32 : 1, lane = threadIdx.x % lanes;
    const std::size_t step = std::size_t(gridDim.x) * block_threads / lanes;
    for (std::size_t i = thread / lanes; i < p.rows.count; i += step) {
        const std::size_t row = p.rows.row(i);
        double z = 0.0, u = 0.0;
        long_products(p, row, lane, lanes, z, u);
        for (unsigned offset = lanes / 2; offset > 0; offset /= 2) {
            z += __shfl_xor_sync(all_lanes, z, int(offset));
            u += __shfl_xor_sync(all_lanes, u, int(offset));
        }
        const T y = p.rows.y[row], weight = p.rows.weight ? p.rows.weight[row] : T(1);
        const T slope = curved(p.rows.loss, weight, T(z) + p.at.bias(d), T(u) + p.at.along(d), y);
        if (lane == 0) p.slopes[i] = slope;
    }
}

// A block takes some columns of a chunk: 256 of a row-major X, a thread each, or 8 of a column-major one, a warp each.
// The column after the last one has the sums of the slopes, and the one after it zeros.
template <class S>
__global__ void __launch_bounds__(block_threads, 2) long_sums(const __grid_constant__ LongRows<S> p) {
    using T = ArithmeticOf<S>;
    const std::size_t d = p.rows.n_columns;
    const unsigned lanes = p.rows.row_major ? 1 : 32, lane = threadIdx.x % lanes, width = block_threads / lanes;
    const std::size_t tiles = (sums_of(d) + width - 1) / width, chunk = blockIdx.x / tiles;
    const std::size_t j = blockIdx.x % tiles * width + threadIdx.x / lanes;
    const std::size_t first = p.rows.count * chunk / p.n_chunks, last = p.rows.count * (chunk + 1) / p.n_chunks;
    T sum = T(0);
    if (j <= d) {
        for (std::size_t i = first + lane; i < last; i += std::size_t(long_at_once) * lanes) {
            T x[long_at_once], slope[long_at_once];
            STEEPEST_UNROLL
            for (int k = 0; k < long_at_once; ++k) {
                const std::size_t at = i + std::size_t(k) * lanes;
                x[k] = at >= last ? T(0) : j == d ? T(1) : widen_element(p.rows.X[p.place(p.rows.row(at), j)]);
                slope[k] = at < last ? p.slopes[at] : T(0);
            }
            STEEPEST_UNROLL
            for (int k = 0; k < long_at_once; ++k) sum += slope[k] * x[k];
        }
    }
    for (unsigned offset = lanes / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(all_lanes, sum, int(offset));
    if (lane == 0 && j < sums_of(d)) __stcg(p.partial + chunk * sums_of(d) + j, double(sum));
}

}  // namespace steepest::cuda
