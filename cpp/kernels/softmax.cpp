// The passes over X of one ISA level with the softmax of k scores a row. Compiled once per level, as passes.cpp is.
#include "cpp/kernels/hessian.hpp"
#include "cpp/kernels/scores.hpp"

namespace steepest {
namespace {

template <class Stage, class S, class T = ArithmeticOf<S>>
STEEPEST_INLINE void pass(const Rows<S>& rows, const Coefficients<T>& point, const Coefficients<T>& direction,
                          T* scratch, double* sums) {
    Stage stage;
    Rows<S> left = rows;
    if constexpr (!is_widened<S>) {
        if (rows.X.order == Order::column_major && !rows.index) {
            const std::size_t taken = scores_over_columns(stage, rows, point, direction, scratch, sums);
            left.begin += taken;
            left.count -= taken;
        }
    }
    if (left.count) scores_over_rows(stage, left, point, direction, scratch, sums);
}

template <class S, class T = ArithmeticOf<S>>
void value(const LossParameters&, const Rows<S>& rows, const Coefficients<T>& point, T* scratch, double* sums) {
    pass<SoftmaxValue>(rows, point, point, scratch, sums);
}

template <class S, class T = ArithmeticOf<S>>
void gradient(const LossParameters&, const Rows<S>& rows, const Coefficients<T>& point, T* scratch, double* sums) {
    pass<SoftmaxGradient>(rows, point, point, scratch, sums);
}

template <class S, class T = ArithmeticOf<S>>
void hessian_product(const LossParameters&, const Rows<S>& rows, const Coefficients<T>& point,
                     const Coefficients<T>& direction, T* scratch, double* sums) {
    pass<SoftmaxHessianProduct>(rows, point, direction, scratch, sums);
}

constexpr std::size_t weighted_rows = 1024;

// With all that is known of a row in its weight.
struct UnitCurvature {
    static constexpr bool constant_curvature = true;
    STEEPEST_INLINE explicit UnitCurvature(const LossParameters&) {}
    template <class T>
    static STEEPEST_INLINE T value(T, T) {
        return T(0);
    }
    template <class T>
    static STEEPEST_INLINE T slope(T, T) {
        return T(0);
    }
    template <class T>
    static STEEPEST_INLINE T curvature(T, T) {
        return T(1);
    }
};

template <class S>
std::size_t softmax_hessian_scratch_size(const Matrix<S>& X, std::size_t k) {
    return scores_scratch_size(X, k) + weighted_rows + hessian_scratch_size(X);
}

template <class S, class T = ArithmeticOf<S>>
void softmax_hessian(const LossParameters& parameters, const Rows<S>& rows, const Coefficients<T>& point, std::size_t a,
                     std::size_t b, std::size_t first, std::size_t last, T* scratch, double* sums) {
    T* curvature = scratch + scores_scratch_size(rows.X, point.n_scores);
    Rows<S> part = rows;
    for (std::size_t start = 0; start < rows.count; start += weighted_rows) {
        const std::size_t at = rows.begin + start;
        part.count = rows.count - start < weighted_rows ? rows.count - start : weighted_rows;
        part.begin = at;
        SoftmaxCurvature<T> stage{a, b, curvature};
        double unused[1] = {};
        scores_over_rows(stage, part, point, point, scratch, unused);
        Rows<S> weighted = part;  // with row `at` as its first, where its curvature stands
        if (rows.X.order == Order::row_major) {
            weighted.X.data += at * rows.X.n_columns;
            weighted.X.n_rows -= at;
        } else {
            weighted.X.data += at;
        }
        weighted.y += at;
        weighted.weight = curvature;
        weighted.begin = 0;
        hessian<S>(curvatures_of<UnitCurvature, T>(parameters), weighted, {point.w, T(0)}, point.has_intercept(), first,
                   last, curvature + weighted_rows, sums);
    }
}

template <class S, class T = ArithmeticOf<S>>
const T* row(const LossParameters&, const Rows<S>& rows, std::size_t at, const Coefficients<T>& point, T* scratch,
             T* slopes, double* finite) {
    const std::size_t d = rows.X.n_columns;
    RowBlock<S> targets;
    SoftmaxBlock<T> block;
    const T* x[1];
    prefetch_row(rows, at + prefetch_bytes / (d * sizeof(S) + 1) + 4);
    if constexpr (is_widened<S>) {
        copy_rows(rows, at, 1, scratch, x);
    } else if (rows.X.order == Order::column_major) {
        copy_rows(rows, at, 1, scratch, x);
    } else {
        find_rows(rows, at, 1, x);
    }
    fetch_targets(rows, at, 1, targets);
    for (std::size_t c = 0; c < point.n_scores; ++c) slopes[c] = dot(x[0], point.of(c), d);
    block.z = slopes, block.u = nullptr, block.step = 1, block.n = 1;
    block.y = targets.y, block.weight = targets.weight;
    *finite = SoftmaxGradient().apply(block, point, point);
    return x[0];
}

template <class S>
constexpr LossKernels<S> table = {
    &scores_scratch_size<S>,          &value<S>,           &gradient<S>, &hessian_product<S>,
    &softmax_hessian_scratch_size<S>, &softmax_hessian<S>, &row<S>,
};

}  // namespace

#define STEEPEST_TABLE(S, name) table<S>,
#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(softmax_, level)

extern const SoftmaxTable STEEPEST_NAME(STEEPEST_LEVEL);
const SoftmaxTable STEEPEST_NAME(STEEPEST_LEVEL) = {STEEPEST_FOR_EACH_STORAGE(STEEPEST_TABLE)};

}  // namespace steepest
