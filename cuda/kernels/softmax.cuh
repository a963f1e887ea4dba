// Value and gradient of the softmax loss, and its products with the Hessian, in one pass over X.
//
// A block takes a chunk of rows, tile after tile. A tile lies in shared memory as whole rows, and is read twice there.
// A warp computes the scores of 8 rows and 4 classes at once: its lanes share the columns, and read the parameters of
// the classes through the L1 cache. A row's lanes turn its scores into slopes. Then a thread has the sums of 4 classes
// and 4 columns over the rows of the tile, in T. They are added to those of the chunk, which are double and lie in
// global memory. No other block reads or writes these, so no sum depends on when a block runs.
#pragma once

#include "cpp/math/softmax.hpp"
#include "cuda/kernels/losses.cuh"
#include "cuda/kernels/softmax.hpp"
#include "cuda/kernels/step.cuh"
#include "cuda/kernels/tile_copy.cuh"

namespace steepest::cuda {

template <class S>
struct SoftmaxPass {
    using T = ArithmeticOf<S>;
    Batch<S> rows;
    const T* w;  // a row of parameters for each class
    const T* v;  // null, or the direction of a product
    unsigned n_classes;
    bool intercept;
    SoftmaxShape shape;
    std::size_t n_chunks;
    double* partial;
};

template <class S>
class SoftmaxSums {
  public:
    using T = ArithmeticOf<S>;

    // Of shared memory: the tiles, the scores at w and, for a product, along v, and the losses of warps.
    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(const SoftmaxShape& shape, std::size_t n_classes,
                                                         bool product) {
        return block_warps * sizeof(double) + tile_bytes(shape) +
               (product ? 2 : 1) * scores_of(shape, n_classes) * sizeof(T);
    }

    __device__ SoftmaxSums(unsigned char* shared, const SoftmaxPass<S>& pass)
        : pass_(pass),
          d_(unsigned(pass.rows.n_columns)),
          of_warps_(reinterpret_cast<double*>(shared)),
          tiles_(reinterpret_cast<S*>(shared + block_warps * sizeof(double))),
          scores_(reinterpret_cast<T*>(shared + block_warps * sizeof(double) + tile_bytes(pass.shape))),
          along_(scores_ + scores_of(pass.shape, pass.n_classes)) {}

    __device__ __forceinline__ void sum(const Batch<S>& chunk, double* out) {
        const std::size_t step = pass_.shape.tile.rows;
        double losses = 0.0;  // of the thread's rows
        unsigned started = 0, turn = 0;
        for (std::size_t first = 0; first < chunk.count; first += step, ++turn) {
            for (; started < turn + pass_.shape.tiles && started * step < chunk.count; ++started)
                copy_rows(chunk, started * step, tile_rows(chunk, started * step), 0, d_, tile_at(started),
                          pass_.shape.tile.pitch);
            const unsigned n = tile_rows(chunk, first);
            const Target<T> target = target_of_thread(chunk, first, n);
            if (started > turn + 1) {
                ptx::copy_async_wait_prior<1>();
            } else {
                ptx::copy_async_wait_prior<0>();
            }
            __syncthreads();
            const S* tile = tile_at(turn);
            for (unsigned i = 0; i < (pass_.v ? 2u : 1u); ++i)
                score(tile, n, i == 0 ? pass_.w : pass_.v, i == 0 ? scores_ : along_);
            __syncthreads();
            losses += evaluate(target);
            __syncthreads();
            add_gradient(tile, n, turn > 0, out);
            add_slopes(n, turn > 0, out);
            __syncthreads();
        }
        write_losses(losses, out);
    }

  private:
    static STEEPEST_HOST_DEVICE std::size_t tile_bytes(const SoftmaxShape& shape) {
        return std::size_t(shape.tiles) * shape.tile.rows * shape.tile.pitch * sizeof(S) / 16 * 16 + 16;
    }
    static STEEPEST_HOST_DEVICE std::size_t scores_of(const SoftmaxShape& shape, std::size_t n_classes) {
        return shape.score_parts * n_classes * shape.scores_pitch;
    }
    __device__ __forceinline__ unsigned tile_rows(const Batch<S>& chunk, std::size_t first) const {
        const std::size_t left = chunk.count - first;
        return unsigned(left < pass_.shape.tile.rows ? left : pass_.shape.tile.rows);
    }
    __device__ __forceinline__ S* tile_at(unsigned turn) const {
        return tiles_ + (pass_.shape.tiles == 2 ? turn % 2 : 0) * pass_.shape.tile.rows * pass_.shape.tile.pitch;
    }
    __device__ __forceinline__ std::size_t stride() const { return d_ + pass_.intercept; }

    // A warp takes 8 rows and 4 classes, and a part of the columns where there is too little work for all warps.
    // Neighbouring warps take the same classes, whose parameters they then find in the L1 cache.
    __device__ __forceinline__ void score(const S* tile, unsigned n, const T* parameters, T* z) {
        const unsigned lane = threadIdx.x % 32, k = pass_.n_classes, parts = pass_.shape.score_parts;
        const unsigned groups = unsigned(in_groups(n, score_rows));
        const unsigned items = groups * parts * unsigned(in_groups(k, score_classes));
        for (unsigned item = threadIdx.x / 32; item < items; item += block_warps) {
            const unsigned row = item % groups * score_rows, rest = item / groups;
            const unsigned part = rest % parts, first_class = rest / parts * score_classes;
            T sums[32] = {};
            add_scores(tile, row, n, parameters, first_class, part * 32 * score_columns + lane,
                       32 * score_columns * parts, sums);
            const T score = own_sum(sums, lane);
            const unsigned r = row + lane / score_classes, c = first_class + lane % score_classes;
            if (r < n && c < k) z[(part * k + c) * pass_.shape.scores_pitch + r] = score;
        }
    }

    static_assert(score_rows * score_classes == 32);
    static constexpr unsigned score_columns = sizeof(T) == 4 ? 2 : 1;  // of a lane at once

    // Rows and classes past the last one are those again; nobody reads their scores.
    __device__ __forceinline__ void add_scores(const S* tile, unsigned first_row, unsigned n, const T* parameters,
                                               unsigned first_class, unsigned first, unsigned step, T (&sums)[32]) {
        const auto pitch = unsigned(pass_.shape.tile.pitch);
        const S* x[score_rows];
        const T* w[score_classes];
        STEEPEST_UNROLL
        for (unsigned r = 0; r < score_rows; ++r) x[r] = tile + nearest(first_row + r, n) * pitch + first;
        STEEPEST_UNROLL
        for (unsigned q = 0; q < score_classes; ++q)
            w[q] = parameters + nearest(first_class + q, pass_.n_classes) * stride() + first;
        unsigned j = first;
#pragma unroll 1
        for (; j + 32 * (score_columns - 1) < d_; j += step) add_columns<score_columns>(x, w, step, sums);
        if (j < d_) add_columns<1>(x, w, step, sums);
    }

    // Adds what n columns give that are 32 apart, and goes on by a step.
    template <unsigned n>
    static __device__ __forceinline__ void add_columns(const S* (&x)[score_rows], const T* (&w)[score_classes],
                                                       unsigned step, T (&sums)[32]) {
        S of_row[n][score_rows];
        T of_class[n][score_classes];
        STEEPEST_UNROLL
        for (unsigned i = 0; i < n; ++i) {
            STEEPEST_UNROLL
            for (unsigned q = 0; q < score_classes; ++q) of_class[i][q] = w[q][32 * i];
            STEEPEST_UNROLL
            for (unsigned r = 0; r < score_rows; ++r) of_row[i][r] = x[r][32 * i];
        }
        STEEPEST_UNROLL
        for (unsigned q = 0; q < score_classes; ++q) w[q] += step;
        STEEPEST_UNROLL
        for (unsigned r = 0; r < score_rows; ++r) x[r] += step;
        STEEPEST_UNROLL
        for (unsigned i = 0; i < n; ++i) STEEPEST_UNROLL
        for (unsigned r = 0; r < score_rows; ++r) STEEPEST_UNROLL
        for (unsigned q = 0; q < score_classes; ++q)
            sums[r * score_classes + q] += widen_element(of_row[i][r]) * of_class[i][q];
    }

    // The sum over the lanes of each one's number `lane`: lanes that meet share the sums out.
    static __device__ __forceinline__ T own_sum(T (&sums)[32], unsigned lane) {
        STEEPEST_UNROLL
        for (int bit = 4; bit >= 0; --bit) {
            const int half = 1 << bit;
            const bool upper = (lane & unsigned(half)) != 0;
            STEEPEST_UNROLL
            for (int q = 0; q < 16; ++q) {
                if (q >= half) continue;
                const T kept = upper ? sums[q + half] : sums[q], sent = upper ? sums[q] : sums[q + half];
                sums[q] = kept + __shfl_xor_sync(all_lanes, sent, half);
            }
        }
        return sums[0];
    }

    // How many lanes take a row together: those of a block, or a warp at most.
    __device__ __forceinline__ unsigned lanes_of_row() const {
        unsigned lanes = 1;
        while (lanes < 32 && 2 * lanes * pass_.shape.tile.rows <= unsigned(block_threads)) lanes *= 2;
        return lanes;
    }

    // The target of the row that the thread works on. One that is none has weight 0.
    __device__ __forceinline__ Target<T> target_of_thread(const Batch<S>& chunk, std::size_t first, unsigned n) const {
        const unsigned row = threadIdx.x / lanes_of_row();
        return row < n ? load_target(chunk, first + row) : Target<T>{};
    }

    // Turns the scores of the thread's row into slopes, with the row's other lanes; returns its loss at the first lane.
    // Scores of an absent row, one of weight 0, may overflow, and count as 0.
    __device__ __forceinline__ double evaluate(const Target<T>& target) {
        const unsigned lanes = lanes_of_row(), row = threadIdx.x / lanes, lane = threadIdx.x % lanes;
        const bool absent = target.weight == T(0);
        T* z = scores_ + row;
        T largest = -FloatFormat<T>::largest, of_label = T(0);
        each_score(z, lane, lanes, pass_.w, [&](unsigned c, T score) {
            score = absent ? T(0) : score;
            z[c * pass_.shape.scores_pitch] = score;
            largest = score > largest ? score : largest;
            of_label = T(c) == target.y ? score : of_label;
        });
        for (unsigned offset = lanes / 2; offset > 0; offset /= 2) {
            const T other = __shfl_xor_sync(all_lanes, largest, offset);
            largest = other > largest ? other : largest;
            of_label += __shfl_xor_sync(all_lanes, of_label, offset);
        }
        T own = T(0), others = T(0);
        each(z, lane, lanes, [&](unsigned c, T score) {
            const T e = exponential_of(score, largest);
            z[c * pass_.shape.scores_pitch] = e;
            own = T(c) == target.y ? e : own;
            others += T(c) == target.y ? T(0) : e;
        });
        own = over_lanes(own, lanes);
        others = over_lanes(others, lanes);
        const T share = T(1) / (own + others);
        if (pass_.v) {
            curve(z, lane, lanes, share, target.weight);
        } else {
            each(z, lane, lanes, [&](unsigned c, T e) {
                z[c * pass_.shape.scores_pitch] = Softmax::slope(T(c) == target.y, e, others, share * target.weight);
            });
        }
        return lane == 0 ? double(weighted(target.weight, Softmax::value(of_label, largest, own, others))) : 0.0;
    }

    // The changes of a row's slopes along v, in place of its exponentials.
    __device__ __forceinline__ void curve(T* z, unsigned lane, unsigned lanes, T share, T weight) {
        struct Pair {
            T e, u;
        };
        const unsigned pitch = pass_.shape.scores_pitch;
        T *along = along_ + (z - scores_), mean = T(0);
        const bool absent = weight == T(0);
        each_score(along, lane, lanes, pass_.v, [&](unsigned c, T u) {
            u = absent ? T(0) : u;
            along[c * pitch] = u;
            mean += z[c * pitch] * share * u;
        });
        mean = over_lanes(mean, lanes);
        in_order<4>(
            lane, pass_.n_classes, lanes, [&](unsigned c) { return Pair{z[c * pitch], along[c * pitch]}; },
            [&](unsigned c, const Pair& of) { z[c * pitch] = Softmax::curvature(of.e, share * weight, of.u, mean); });
    }

    // use(c, z[c]) for the lane's classes.
    template <class Use>
    __device__ __forceinline__ void each(const T* z, unsigned lane, unsigned lanes, Use use) const {
        in_order<4>(lane, pass_.n_classes, lanes, [&](unsigned c) { return z[c * pass_.shape.scores_pitch]; }, use);
    }

    // The same with the parts of a score added up, and the intercept.
    template <class Use>
    __device__ __forceinline__ void each_score(const T* z, unsigned lane, unsigned lanes, const T* parameters,
                                               Use use) const {
        const unsigned k = pass_.n_classes, parts = pass_.shape.score_parts;
        in_order<4>(
            lane, k, lanes,
            [&](unsigned c) {
                T score = pass_.intercept ? parameters[c * stride() + d_] : T(0);
                for (unsigned part = 0; part < parts; ++part) score += z[(part * k + c) * pass_.shape.scores_pitch];
                return score;
            },
            use);
    }

    static __device__ __forceinline__ T exponential_of(T score, T largest) {
        using Number = NumberOfLoss<T>;
        using Of = typename Number::type;
        return Number::value(Softmax::exponential(Of(score), Of(largest)));
    }
    static __device__ __forceinline__ T over_lanes(T sum, unsigned lanes) {
        for (unsigned offset = lanes / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(all_lanes, sum, offset);
        return sum;
    }
    static __device__ __forceinline__ unsigned nearest(unsigned i, unsigned n) { return i < n ? i : n - 1; }

    // A warp takes 4 classes and some columns; groups of its lanes, and the slots, share the rows.
    __device__ __forceinline__ void add_gradient(const S* tile, unsigned n, bool begun, double* out) {
        const unsigned lanes = pass_.shape.lanes, slots = pass_.shape.slots, k = pass_.n_classes;
        const unsigned columns = gradient_columns * lanes, n_columns = unsigned(in_groups(d_, columns));
        const auto items = unsigned(gradient_items(k, d_, lanes));
        const unsigned lane = threadIdx.x % 32, share = lane / lanes, shares = 32 / lanes;
        for (unsigned item = threadIdx.x / 32; item < items * slots; item += block_warps) {
            const unsigned slot = item / items, rest = item % items;
            const unsigned first_class = rest / n_columns * gradient_classes;
            const unsigned first_column = rest % n_columns * columns + lane % lanes;
            T sums[gradient_classes][gradient_columns] = {};
            add_rows_of(tile, n, first_class, first_column, slot * shares + share, slots * shares, sums);
            for (unsigned offset = lanes; offset < 32; offset *= 2) STEEPEST_UNROLL
            for (unsigned q = 0; q < gradient_classes; ++q) STEEPEST_UNROLL
            for (unsigned t = 0; t < gradient_columns; ++t)
                sums[q][t] += __shfl_xor_sync(all_lanes, sums[q][t], offset);
            if (share == 0) add_to_chunk(sums, first_class, first_column, begun, out + slot * of_slot());
        }
    }

    // Rows, classes and columns past the last one are those again: slopes of such rows are 0, and nobody reads the sums
    // of such classes and columns.
    __device__ __forceinline__ void add_rows_of(const S* tile, unsigned n, unsigned first_class, unsigned first_column,
                                                unsigned part, unsigned parts,
                                                T (&sums)[gradient_classes][gradient_columns]) {
        constexpr unsigned at_once = 16 / sizeof(T);
        struct alignas(16) Slopes {
            T of[at_once];
        };
        const auto pitch = unsigned(pass_.shape.tile.pitch);
        const S* column[gradient_columns];
        const T* slopes[gradient_classes];
        STEEPEST_UNROLL
        for (unsigned t = 0; t < gradient_columns; ++t)
            column[t] = tile + nearest(first_column + t * pass_.shape.lanes, d_);
        STEEPEST_UNROLL
        for (unsigned q = 0; q < gradient_classes; ++q)
            slopes[q] = scores_ + nearest(first_class + q, pass_.n_classes) * pass_.shape.scores_pitch;
        for (unsigned row = part * at_once; row < n; row += parts * at_once) {
            Slopes of_class[gradient_classes];
            S x[at_once][gradient_columns];
            STEEPEST_UNROLL
            for (unsigned q = 0; q < gradient_classes; ++q)
                of_class[q] = *reinterpret_cast<const Slopes*>(slopes[q] + row);
            STEEPEST_UNROLL
            for (unsigned r = 0; r < at_once; ++r) STEEPEST_UNROLL
            for (unsigned t = 0; t < gradient_columns; ++t) x[r][t] = column[t][nearest(row + r, n) * pitch];
            STEEPEST_UNROLL
            for (unsigned r = 0; r < at_once; ++r) STEEPEST_UNROLL
            for (unsigned q = 0; q < gradient_classes; ++q) STEEPEST_UNROLL
            for (unsigned t = 0; t < gradient_columns; ++t) sums[q][t] += of_class[q].of[r] * widen_element(x[r][t]);
        }
    }

    __device__ __forceinline__ void add_to_chunk(const T (&sums)[gradient_classes][gradient_columns],
                                                 unsigned first_class, unsigned first_column, bool begun, double* out) {
        double before[gradient_classes][gradient_columns] = {};
        const auto place = [&](unsigned q, unsigned t) {
            return out + std::size_t(first_class + q) * (d_ + 1) + first_column + t * pass_.shape.lanes;
        };
        const auto is_one = [&](unsigned q, unsigned t) {
            return first_class + q < pass_.n_classes && first_column + t * pass_.shape.lanes < d_;
        };
        STEEPEST_UNROLL
        for (unsigned q = 0; q < gradient_classes; ++q) STEEPEST_UNROLL
        for (unsigned t = 0; t < gradient_columns; ++t)
            if (begun && is_one(q, t)) before[q][t] = *place(q, t);
        STEEPEST_UNROLL
        for (unsigned q = 0; q < gradient_classes; ++q) STEEPEST_UNROLL
        for (unsigned t = 0; t < gradient_columns; ++t)
            if (is_one(q, t)) *place(q, t) = before[q][t] + double(sums[q][t]);
    }

    // The sums of the slopes: the gradients of the intercepts. Slots but the first have none.
    __device__ __forceinline__ void add_slopes(unsigned n, bool begun, double* out) {
        const unsigned lane = threadIdx.x % 32, k = pass_.n_classes;
        for (unsigned c = threadIdx.x / 32; c < k; c += block_warps) {
            T sum = T(0);
            in_order<4>(
                lane, n, 32u, [&](unsigned r) { return scores_[c * pass_.shape.scores_pitch + r]; },
                [&](unsigned, T slope) { sum += slope; });
            sum = over_lanes(sum, 32);
            double* at = out + std::size_t(c) * (d_ + 1) + d_;
            if (lane == 0) *at = (begun ? *at : 0.0) + double(sum);
            if (!begun && lane > 0 && lane < pass_.shape.slots) at[lane * of_slot()] = 0.0;
        }
    }

    // The rows' owners in their order.
    __device__ __forceinline__ void write_losses(double losses, double* out) {
        for (int offset = 16; offset > 0; offset /= 2) losses += __shfl_xor_sync(all_lanes, losses, offset);
        if (threadIdx.x % 32 == 0) of_warps_[threadIdx.x / 32] = losses;
        __syncthreads();
        if (threadIdx.x < pass_.shape.slots) {
            double sum = 0.0;
            STEEPEST_UNROLL
            for (int warp = 0; warp < block_warps; ++warp) sum += threadIdx.x == 0 ? of_warps_[warp] : 0.0;
            out[(threadIdx.x + 1) * of_slot() - 1] = sum;
        }
        __syncthreads();
    }
    __device__ __forceinline__ std::size_t of_slot() const { return softmax_sums(pass_.n_classes, d_); }

    const SoftmaxPass<S>& pass_;
    unsigned d_;
    double* of_warps_;
    S* tiles_;
    T *scores_, *along_;  // of a class its rows, `scores_pitch` from those of the next
};

template <class S>
__global__ void __launch_bounds__(block_threads, 2) softmax_gradient(const __grid_constant__ SoftmaxPass<S> pass) {
    STEEPEST_SHARED(shared);
    SoftmaxSums<S> sums(shared, pass);
    const std::size_t of_chunk = pass.shape.slots * softmax_sums(pass.n_classes, pass.rows.n_columns);
    sums.sum(pass.rows.chunk(blockIdx.x, pass.n_chunks), pass.partial + blockIdx.x * of_chunk);
}

// What becomes of the sums: they go to the host as they are, or they become scale * sum + l2 * penalised.
template <class T>
struct SoftmaxFinish {
    const double* partial;
    std::size_t n_parts, n_classes, n_columns;
    bool intercept;
    double* sums;  // with the loss; null where a gradient is written
    const T* penalised;
    T* gradient;
    double scale;
    T l2;
    double* loss;
};

template <class T>
__device__ __forceinline__ void finish_class_column(const SoftmaxFinish<T>& f, std::size_t i, double sum) {
    const std::size_t d = f.n_columns, c = i / (d + 1), j = i % (d + 1);
    if (i + 1 == softmax_sums(f.n_classes, d)) {
        *f.loss = sum;
    } else if (j < d || f.intercept) {
        const std::size_t at = c * (d + f.intercept) + j;
        f.gradient[at] = T(f.scale * sum + (j < d ? double(f.l2) * double(f.penalised[at]) : 0.0));
    }
}

constexpr unsigned softmax_finish_columns = 32;  // of a block

template <class T>
__global__ void __launch_bounds__(block_threads, 2) softmax_finish(const __grid_constant__ SoftmaxFinish<T> f) {
    STEEPEST_SHARED(shared);
    double* scratch = reinterpret_cast<double*>(shared);
    double* sums = scratch + block_threads;
    const Columns share{softmax_finish_columns, block_threads / softmax_finish_columns};
    const std::size_t stride = softmax_sums(f.n_classes, f.n_columns);
    const std::size_t first = std::size_t(blockIdx.x) * softmax_finish_columns, i = first + threadIdx.x;
    sum_chunks(f.partial, f.n_parts, stride, first, share, scratch, sums);
    if (threadIdx.x >= softmax_finish_columns || i >= stride) return;
    if (f.sums) {
        f.sums[i] = sums[threadIdx.x];
    } else {
        finish_class_column(f, i, sums[threadIdx.x]);
    }
}

}  // namespace steepest::cuda
