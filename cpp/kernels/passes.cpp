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
std::size_t scratch_size(const Matrix<S>& X, std::size_t) {
    const bool copies = X.order == Order::column_major || (is_widened<S> && X.n_columns < lanes<S>);
    return X.n_columns * (1 + (copies ? row_block<ArithmeticOf<S>>(X.n_columns) : 0));
}

template <class Stage, class S, class T = ArithmeticOf<S>>
STEEPEST_INLINE void pass_at_width(const Rows<S>& rows, Linear<T> point, Linear<T> direction, T* scratch,
                                   ScoreSums<ArithmeticOf<S>>& sums) {
    with_width<S>(rows.X.n_columns,
                  [&](auto width) { pass_over_rows<S, width.value, Stage>(rows, point, direction, scratch, sums); });
}

template <class S, class Stage>
    requires(!is_widened<S>)
STEEPEST_INLINE void pass(const Rows<S>& rows, Linear<S> point, Linear<S> direction, S* scratch, ScoreSums<S>& sums) {
    if (rows.X.order == Order::column_major && !rows.index) {
        pass_over_columns<S, Stage>(rows, point, direction, sums);
    } else {
        pass_at_width<Stage>(rows, point, direction, scratch, sums);
    }
}

// Rows of a narrow storage, or columns, that fill vectors are widened in registers; what is left, and rows that must be
// gathered, block by block in memory.
template <class S, class Stage>
    requires is_widened<S>
STEEPEST_INLINE void pass(const Rows<S>& rows, Linear<float> point, Linear<float> direction, float* scratch,
                          ScoreSums<ArithmeticOf<S>>& sums) {
    const std::size_t d = rows.X.n_columns;
    Rows<S> left = rows;
    if (rows.X.order == Order::column_major && !rows.index) {
        const std::size_t n = column_block<S, Stage>(rows.X), rest = rows.count - rows_in_blocks(rows.count, n);
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

// Adds the sums of one score where LossKernels has them: those of a pass without a gradient are the losses alone. The
// losses share the pass; a loss of its own would have a copy inlined.
template <class S, class Stage, class T = ArithmeticOf<S>>
__attribute__((noinline)) void add_pass(BlockLoss<T> apply, const LossParameters& parameters, const Rows<S>& rows,
                                        const Coefficients<T>& point, const Coefficients<T>& direction, T* scratch,
                                        double* sums) {
    double* slope = Stage::accumulates ? sums + 1 + rows.X.n_columns : nullptr;
    ScoreSums<T> of{apply, parameters, sums[0], slope ? *slope : 0.0, sums + 1};
    pass<S, Stage>(rows, score_of(point), score_of(direction), scratch, of);
    sums[0] = of.loss;
    if (slope) *slope = of.slope;
}

template <class S, class Loss, class T = ArithmeticOf<S>>
void value(const LossParameters& parameters, const Rows<S>& rows, const Coefficients<T>& point, T* scratch,
           double* sums) {
    add_pass<S, ValueStage>(&value_of_block<Loss, T>, parameters, rows, point, point, scratch, sums);
}

template <class S, class Loss, class T = ArithmeticOf<S>>
void gradient(const LossParameters& parameters, const Rows<S>& rows, const Coefficients<T>& point, T* scratch,
              double* sums) {
    add_pass<S, GradientStage>(&gradient_of_block<Loss, T>, parameters, rows, point, point, scratch, sums);
}

template <class S, class Loss, class T = ArithmeticOf<S>>
void hessian_product(const LossParameters& parameters, const Rows<S>& rows, const Coefficients<T>& point,
                     const Coefficients<T>& direction, T* scratch, double* sums) {
    using Stage = HessianProductStage<!Loss::constant_curvature>;
    add_pass<S, Stage>(&product_of_block<Loss, T>, parameters, rows, point, direction, scratch, sums);
}

template <class S>
std::size_t hessian_scratch(const Matrix<S>& X, std::size_t) {
    return hessian_scratch_size(X);
}

template <class S, class Loss, class T = ArithmeticOf<S>>
void hessian_of_score(const LossParameters& parameters, const Rows<S>& rows, const Coefficients<T>& point, std::size_t,
                      std::size_t, std::size_t first, std::size_t last, T* scratch, double* sums) {
    hessian<S>(curvatures_of<Loss, T>(parameters), rows, score_of(point), point.has_intercept(), first, last, scratch,
               sums);
}

// A prefetch is not done with before the page of its row is found, which takes longer than a step where X is large. So
// the pages of some rows are found side by side, every so many steps, before the rows themselves are asked for.
constexpr std::size_t paged_rows = 8;

template <class S>
STEEPEST_INLINE void prefetch_pages(const Rows<S>& rows, std::size_t at) {
    if (rows.ahead % paged_rows != 0 || rows.X.order != Order::row_major) return;
    const std::size_t known = rows.count + rows.ahead, last = at + paged_rows < known ? at + paged_rows : known;
    for (; at < last; ++at) __builtin_prefetch(rows.X.data + rows.index[at] * rows.X.n_columns, 0, 3);
}

template <class S, class Loss, class T = ArithmeticOf<S>>
const T* row(const LossParameters& parameters, const Rows<S>& rows, std::size_t at, const Coefficients<T>& point,
             T* scratch, T* slopes, double* finite) {
    RowBlock<T> block;
    const std::size_t later = at + prefetch_bytes / (rows.X.n_columns * sizeof(S) + 1) + 4;
    prefetch_row(rows, later);
    prefetch_pages(rows, later + paged_rows);
    fetch(rows, at, 1, scratch, block);
    const T weight = block.weight ? *block.weight : T(1),
            z = dot(block.x[0], point.w, rows.X.n_columns) + point.bias(0);
    const T score = weight == T(0) ? T(0) : z;
    *slopes = weighted(weight, Loss(parameters).slope(score, *block.y));
    *finite = double(score);
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

template <class S, class Loss>
constexpr LossKernels<S> kernels_of_loss = {
    &scratch_size<S>,           &value<S, Loss>, &gradient<S, Loss>, &hessian_product<S, Loss>, &hessian_scratch<S>,
    &hessian_of_score<S, Loss>, &row<S, Loss>,
};

#define STEEPEST_LOSS(Loss, name) kernels_of_loss<S, Loss>,
template <class S>
constexpr PassKernels<S> table = {{STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_LOSS)}, &sum<S>};

}  // namespace

#define STEEPEST_TABLE(S, name) table<S>,
#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(passes_, level)

extern const PassTable STEEPEST_NAME(STEEPEST_LEVEL);
const PassTable STEEPEST_NAME(STEEPEST_LEVEL) = {
    {STEEPEST_FOR_EACH_STORAGE(STEEPEST_TABLE)},
    &permute,
    {&factor_triangle, &factor_rows_of, &factor_subtract, &factor_solve, &factor_solve_group},
    &descend_coordinates};

}  // namespace steepest
