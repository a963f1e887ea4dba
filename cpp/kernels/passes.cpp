// The passes over X of one ISA level. Compiled once per level, with STEEPEST_LEVEL naming it; everything but the table
// has internal linkage, so that the linker can never put one level's code in place of another's.
#include "cpp/kernels/cholesky.hpp"
#include "cpp/kernels/columns.hpp"
#include "cpp/kernels/coordinate_descent.hpp"
#include "cpp/kernels/hessian.hpp"
#include "cpp/kernels/permute.hpp"
#include "cpp/kernels/rows.hpp"

namespace steepest {
namespace {

template <class S>
std::size_t scratch_size(const Matrix<S>& X) {
    const bool copies = X.order == Order::column_major || (is_widened<S> && X.n_columns < lanes<S>);
    return X.n_columns * (1 + (copies ? row_block<ArithmeticOf<S>>(X.n_columns) : 0));
}

template <class Stage, class S, class T = ArithmeticOf<S>>
STEEPEST_INLINE void pass_at_width(const Rows<S>& rows, Linear<T> point, Linear<T> direction, T* scratch, Sums& sums) {
    with_width<S>(rows.X.n_columns,
                  [&](auto width) { pass_over_rows<S, width.value, Stage>(rows, point, direction, scratch, sums); });
}

template <class S, class Stage>
    requires(!is_widened<S>)
STEEPEST_INLINE void pass(const Rows<S>& rows, Linear<S> point, Linear<S> direction, S* scratch, Sums& sums) {
    if (rows.X.order == Order::column_major && !rows.index) {
        pass_over_columns<S, Stage>(rows, point, direction, sums);
    } else {
        pass_at_width<Stage>(rows, point, direction, scratch, sums);
    }
}

// Rows of 16 bits, or columns of them, that fill vectors are widened in registers; what is left, and rows that must be
// gathered, block by block in memory.
template <class S, class Stage>
    requires is_widened<S>
STEEPEST_INLINE void pass(const Rows<S>& rows, Linear<float> point, Linear<float> direction, float* scratch,
                          Sums& sums) {
    const std::size_t d = rows.X.n_columns;
    Rows<S> left = rows;
    if (rows.X.order == Order::column_major && !rows.index) {
        const std::size_t rest = rows.count % column_block<S>(d);
        Rows<S> filling = rows;
        if (rest < lanes<S>) filling.count -= rest;
        pass_over_columns<S, Stage>(filling, point, direction, sums);
        left.begin += filling.count;
        left.count -= filling.count;
    } else if (rows.X.order == Order::row_major && d >= lanes<S>) {
        pass_at_width<Stage>(rows, point, direction, scratch, sums);
        left.count = 0;
    }
    over_widened(left, row_block<float>(d), scratch + d,
                 [&](const Rows<float>& widened) { pass_at_width<Stage>(widened, point, direction, scratch, sums); });
}

template <class S, class Loss, class T = ArithmeticOf<S>>
void value(const Rows<S>& rows, Linear<T> point, T* scratch, Sums& sums) {
    pass<S, ValueStage<Loss>>(rows, point, point, scratch, sums);
}

template <class S, class Loss, class T = ArithmeticOf<S>>
void gradient(const Rows<S>& rows, Linear<T> point, T* scratch, Sums& sums) {
    pass<S, GradientStage<Loss>>(rows, point, point, scratch, sums);
}

template <class S, class Loss, class T = ArithmeticOf<S>>
void hessian_product(const Rows<S>& rows, Linear<T> point, Linear<T> direction, T* scratch, Sums& sums) {
    pass<S, HessianProductStage<Loss>>(rows, point, direction, scratch, sums);
}

template <class S, class Loss, class T = ArithmeticOf<S>>
const T* row(const Rows<S>& rows, std::size_t at, Linear<T> point, T* scratch, T* score, T* slope) {
    RowBlock<T> block;
    prefetch_row(rows, at + prefetch_bytes / (rows.X.n_columns * sizeof(S) + 1) + 4);
    fetch(rows, at, 1, scratch, block);
    const T weight = block.weight ? *block.weight : T(1), z = dot(block.x[0], point.w, rows.X.n_columns) + point.bias;
    *score = weight == T(0) ? T(0) : z;
    *slope = weighted(weight, Loss::slope(*score, *block.y));
    return block.x[0];
}

template <class S, class T = ArithmeticOf<S>>
double sum(const S* data, std::size_t n) {
    constexpr int W = lanes<S>;
    Vector<T, W> total[8] = {};
    std::size_t i = 0;
    for (; i + 8 * W <= n; i += 8 * W) {
#pragma GCC unroll 8
        for (int k = 0; k < 8; ++k) total[k] += load<S, W>(data + i + k * W);
    }
    T sums[8];
    sum_lanes<T, W, 8>(total, sums);
    double result = 0.0;
    for (int k = 0; k < 8; ++k) result += double(sums[k]);
    for (; i < n; ++i) result += double(widen(data[i]));
    return result;
}

#define STEEPEST_LOSS_ENTRY(loss, name, member) &member<S, loss>,
#define STEEPEST_VALUE(loss, name) STEEPEST_LOSS_ENTRY(loss, name, value)
#define STEEPEST_GRADIENT(loss, name) STEEPEST_LOSS_ENTRY(loss, name, gradient)
#define STEEPEST_HESSIAN_PRODUCT(loss, name) STEEPEST_LOSS_ENTRY(loss, name, hessian_product)
#define STEEPEST_HESSIAN(loss, name) STEEPEST_LOSS_ENTRY(loss, name, hessian)
#define STEEPEST_ROW(loss, name) STEEPEST_LOSS_ENTRY(loss, name, row)

template <class S>
constexpr Kernels<S> table = {
    &scratch_size<S>,
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_VALUE)},
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_GRADIENT)},
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_HESSIAN_PRODUCT)},
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_HESSIAN)},
    &hessian_scratch_size<S>,
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_ROW)},
    &sum<S>,
};

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(passes_, level)

extern const PassTable STEEPEST_NAME(STEEPEST_LEVEL);
const PassTable STEEPEST_NAME(STEEPEST_LEVEL) = {
    table<float>,
    table<double>,
    table<Float16>,
    table<BFloat16>,
    &permute,
    {&factor_triangle, &factor_rows_of, &factor_subtract, &factor_solve, &factor_solve_group},
    &descend_coordinates};

}  // namespace steepest
