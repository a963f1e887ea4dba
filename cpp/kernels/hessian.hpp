// Rows of the lower triangle of the Hessian sum_i c_i x_i x_i^T, and of the gradient below it: blocks of rows packed in
// panels of two vectors' columns, multiplied in tiles of 6 rows by the vectors that reach the diagonal.
#pragma once

#include "cpp/kernels/rows.hpp"

namespace steepest {
namespace {

constexpr std::size_t hessian_block_bytes = 384;  // of a column in a block: panels then stay in the first cache

template <class T>
constexpr std::size_t hessian_block = hessian_block_bytes / sizeof(T);

template <class T>
constexpr std::size_t line = 64 / sizeof(T);  // that packed rows are aligned to

template <class T>
constexpr std::size_t panel_width = 2 * std::size_t(lanes<T>);

constexpr std::size_t hessian_rows = 48;  // of the sums, that a block's rows are scaled for at a time: whole tiles

static_assert(HessianShape{0}.stride() % panel_width<float> == 0);
static_assert(hessian_rows % hessian_tile == 0 && hessian_rows % lanes<float> == 0);
static_assert(hessian_panel / 2 % hessian_rows == 0 && hessian_block<float> <= max_row_block);

// Elements of scratch before those of the rows that are gathered or widened.
template <class T>
STEEPEST_INLINE std::size_t packed_size(std::size_t d) {
    return hessian_block<T> * (round_up(d + 1, panel_width<T>) + hessian_rows) + line<T>;
}

template <class S>
std::size_t hessian_scratch_size(const Matrix<S>& X) {
    using T = ArithmeticOf<S>;
    return packed_size<T>(X.n_columns) + hessian_block<T> * X.n_columns;
}

// out[t, 0 .. V W) += sum_i multipliers[i, t] x[i, 0 .. V W) for the rows of a tile.
template <class T, int V>
__attribute__((noinline)) void add_hessian_tile(const T* x, const T* multipliers, std::size_t stride, std::size_t n,
                                                double* out, std::size_t out_stride) {
    constexpr int W = lanes<T>;
    constexpr int R = int(hessian_tile);
    Vector<T, W> sum[R][V] = {};
    for (std::size_t i = 0; i < n; ++i, x += panel_width<T>, multipliers += stride) {
        Vector<T, W> xi[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) xi[v] = load<T, W>(x + v * W);
#pragma GCC unroll 8
        for (int t = 0; t < R; ++t) {
            const Vector<T, W> c = multipliers[t] - Vector<T, W>{};
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) sum[t][v] += c * xi[v];
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < R; ++t, out += out_stride) {
        T values[V * W];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) store<T, W>(values + v * W, sum[t][v]);
        add_to_double(values, V * W, out);
    }
}

// Copies n elements, n below 2 W.
template <class T, int W>
STEEPEST_INLINE void copy_tail(const T* from, std::size_t n, T* to) {
    if (n & W) {
        store<T, W>(to, load<T, W>(from));
        from += W;
        to += W;
    }
    if constexpr (W > 1) copy_tail<T, W / 2>(from, n, to);
}

// Memory that is asked for in shares, one with each tile of the block before it.
struct Ahead {
    const char *next, *end;
    std::size_t share;

    STEEPEST_INLINE void prefetch() {
        for (std::size_t k = 0; k < share && next < end; ++k, next += 64) __builtin_prefetch(next, 0, 2);
    }
};

// The rows that follow a block in a row-major X.
template <class T>
STEEPEST_INLINE Ahead rows_after(const Rows<T>& rows, std::size_t first, std::size_t n, std::size_t n_tiles) {
    const std::size_t known = rows.X.n_rows - rows.begin, from = first + n, to = from + n < known ? from + n : known;
    if (rows.X.order != Order::row_major || from >= to) return {nullptr, nullptr, 0};
    const T* start = rows.X.data + (rows.begin + from) * rows.X.n_columns;
    const std::size_t bytes = (to - from) * rows.X.n_columns * sizeof(T);
    const char* next = reinterpret_cast<const char*>(start);
    return {next, next + bytes, bytes / 64 / n_tiles + 1};
}

// A block of rows, packed, to be added to rows [first, last) of the sums.
template <class T>
struct HessianBlock {
    static constexpr std::size_t width = panel_width<T>, panel = hessian_block<T> * width, W = std::size_t(lanes<T>);
    T *packed, *multipliers, *gathered;
    std::size_t d, first, last;
    std::size_t stride;  // of a row's multipliers
    HessianShape shape;

    HessianBlock(T* scratch, std::size_t d_, bool intercept, std::size_t first_, std::size_t last_)
        : packed(scratch + (-reinterpret_cast<std::uintptr_t>(scratch) % 64) / sizeof(T)),
          d(d_),
          first(first_),
          last(last_),
          shape{d_ + intercept} {
        multipliers = packed + hessian_block<T> * round_up(d + 1, width);
        gathered = multipliers + hessian_block<T> * hessian_rows;
        const std::size_t n = last - first < hessian_rows ? last - first : hessian_rows;
        stride = round_up(round_up(n, hessian_tile), W);
        const std::size_t filled = last < d ? last : d, needed = last < shape.size ? last : shape.size;
        for (std::size_t i = 0; i < hessian_block<T>; ++i) {
            for (std::size_t j = filled; j < round_up(needed, width); ++j) *at(i, j) = T(0);
            if (intercept && last > d) *at(i, d) = T(1);
        }
    }

    bool with_gradient() const { return last > shape.size; }
    // About how many tiles there are.
    std::size_t n_tiles() const { return (last - first) * (last + first) / (2 * hessian_tile * width) + 1; }
    T* at(std::size_t row, std::size_t column) const {
        return packed + column / width * panel + row * width + column % width;
    }

    // Packs the columns of row number i that the sums need.
    STEEPEST_INLINE void pack(const T* x, std::size_t i) const {
        const std::size_t end = last < d ? last : d;
        std::size_t j = 0;
        T* to = packed + i * width;
        for (; j + width <= end; j += width, to += panel) {
            store<T, int(W)>(to, load<T, int(W)>(x + j));
            store<T, int(W)>(to + W, load<T, int(W)>(x + j + W));
        }
        copy_tail<T, int(W)>(x + j, end - j, to);
    }

    // Writes what multiplies n rows in the sums' rows [from, to): c times the elements there, and the slopes for the
    // gradient's.
    STEEPEST_INLINE void scale(std::size_t n, const T* c, const T* slope, std::size_t from, std::size_t to) const {
        const std::size_t end = to < shape.size ? to : shape.size;
        for (std::size_t j = from; j < end; j += W) {
            const T* x = at(0, j);
            T* out = multipliers + (j - from);
            for (std::size_t i = 0; i < n; ++i)
                store<T, int(W)>(out + i * stride, c[i] * load<T, int(W)>(x + i * width));
        }
        if (to > shape.size) {
            for (std::size_t i = 0; i < n; ++i) multipliers[i * stride + shape.size - from] = slope[i];
        }
    }

    // Adds n rows to the sums' rows [from, to).
    STEEPEST_INLINE void add(std::size_t n, std::size_t from, std::size_t to, double* sums, Ahead& ahead) const {
        const std::size_t end = to < shape.size ? to : shape.size;
        for (std::size_t column = 0; column < end; column += width) {
            const std::size_t above = column > from ? (column - from) / hessian_tile * hessian_tile : 0;
            for (std::size_t row = from + above; row < to; row += hessian_tile) {
                double* out = sums + row * shape.stride() + column;
                const T* multiplier = multipliers + (row - from);
                ahead.prefetch();
                if (column + W < row + hessian_tile) {
                    add_hessian_tile<T, 2>(at(0, column), multiplier, stride, n, out, shape.stride());
                } else {
                    add_hessian_tile<T, 1>(at(0, column), multiplier, stride, n, out, shape.stride());
                }
            }
        }
    }
};

// The curvatures of a loss, which need no scores where they are constant.
template <class T>
struct Curvatures {
    NewtonBlockLoss<T, hessian_block<T>> apply;
    const LossParameters& parameters;
    bool constant;
};

template <class Loss, class T>
STEEPEST_INLINE Curvatures<T> curvatures_of(const LossParameters& parameters) {
    return {&newton_of_block<Loss, T, hessian_block<T>>, parameters, Loss::constant_curvature};
}

template <class T>
    requires(!is_widened<T>)
__attribute__((noinline)) void hessian(const Curvatures<T>& loss_of, const Rows<T>& rows, Linear<T> point,
                                       bool intercept, std::size_t first, std::size_t last, T* scratch, double* sums) {
    const std::size_t d = rows.X.n_columns;
    const HessianBlock<T> of(scratch, d, intercept, first, last);
    const bool with_gradient = of.with_gradient();
    RowBlock<T> block;
    NewtonArrays<T, hessian_block<T>> arrays = {};
    double loss = 0.0;
    for (std::size_t start = 0; start < rows.count; start += hessian_block<T>) {
        const std::size_t left = rows.count - start, n = left < hessian_block<T> ? left : hessian_block<T>;
        fetch(rows, start, n, of.gathered, block);
        if (!loss_of.constant || with_gradient) {
            with_width<T>(d, [&](auto width) {
                dots<T, width.value>(block.x, n, Operand<T, width.value>(point.w, d), d, arrays.z);
            });
        }
        loss += loss_of.apply(loss_of.parameters, arrays, point.bias, block.y, block.weight, n, with_gradient);
        for (std::size_t i = 0; i < n; ++i) of.pack(block.x[i], i);
        Ahead ahead = rows_after(rows, start, n, of.n_tiles());
        for (std::size_t from = first; from < last; from += hessian_rows) {
            const std::size_t to = from + hessian_rows < last ? from + hessian_rows : last;
            of.scale(n, arrays.curvature, arrays.slope, from, to);
            of.add(n, from, to, sums, ahead);
        }
    }
    if (with_gradient) sums[of.shape.corner()] += loss;
}

// Widened to where gathered rows stand, which rows that are floats already leave free.
template <class S>
    requires is_widened<S>
__attribute__((noinline)) void hessian(const Curvatures<float>& loss_of, const Rows<S>& rows, Linear<float> point,
                                       bool intercept, std::size_t first, std::size_t last, float* scratch,
                                       double* sums) {
    float* widened = scratch + packed_size<float>(rows.X.n_columns);
    over_widened(rows, hessian_block<float>, widened, [&](const Rows<float>& block) {
        hessian<float>(loss_of, block, point, intercept, first, last, scratch, sums);
    });
}

}  // namespace
}  // namespace steepest
