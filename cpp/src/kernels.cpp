// The passes over X of one ISA level. Compiled once per level, with STEEPEST_LEVEL naming it; everything but the table
// has internal linkage, so that the linker can never put one level's code in place of another's.
#include "kernels/columns.hpp"
#include "kernels/hessian.hpp"
#include "kernels/permute.hpp"
#include "kernels/rows.hpp"

namespace steepest {
namespace {

template <class T>
std::size_t scratch_size(const Matrix<T>& X) {
    const bool gathers = X.order == Order::column_major;
    return X.n_columns * (1 + (gathers ? row_block<T>(X.n_columns) : 0));
}

template <class T, class Stage>
STEEPEST_INLINE void pass(const Rows<T>& rows, Linear<T> point, Linear<T> direction, T* scratch, Sums& sums) {
    if (rows.X.order == Order::column_major && !rows.index) {
        pass_over_columns<T, Stage>(rows, point, direction, sums);
    } else {
        with_width<T>(rows.X.n_columns, [&](auto width) {
            pass_over_rows<T, width.value, Stage>(rows, point, direction, scratch, sums);
        });
    }
}

template <class T, class Loss>
void value(const Rows<T>& rows, Linear<T> point, T* scratch, Sums& sums) {
    pass<T, ValueStage<Loss>>(rows, point, point, scratch, sums);
}

template <class T, class Loss>
void gradient(const Rows<T>& rows, Linear<T> point, T* scratch, Sums& sums) {
    pass<T, GradientStage<Loss>>(rows, point, point, scratch, sums);
}

template <class T, class Loss>
void hessian_product(const Rows<T>& rows, Linear<T> point, Linear<T> direction, T* scratch, Sums& sums) {
    pass<T, HessianProductStage<Loss>>(rows, point, direction, scratch, sums);
}

template <class T, class Loss>
const T* row(const Rows<T>& rows, std::size_t at, Linear<T> point, T* scratch, T* score, T* slope) {
    RowBlock<T> block;
    prefetch_row(rows, at + prefetch_bytes / (rows.X.n_columns * sizeof(T) + 1) + 4);
    fetch(rows, at, 1, scratch, block);
    *score = dot(block.x[0], point.w, rows.X.n_columns) + point.bias;
    *slope = (block.weight ? *block.weight : T(1)) * Loss::slope(*score, *block.y);
    return block.x[0];
}

template <class T>
double sum(const T* data, std::size_t n) {
    constexpr int W = lanes<T>;
    Vector<T, W> total[8] = {};
    std::size_t i = 0;
    for (; i + 8 * W <= n; i += 8 * W) {
#pragma GCC unroll 8
        for (int k = 0; k < 8; ++k) total[k] += load<T, W>(data + i + k * W);
    }
    T sums[8];
    sum_lanes<T, W, 8>(total, sums);
    double result = 0.0;
    for (int k = 0; k < 8; ++k) result += double(sums[k]);
    for (; i < n; ++i) result += double(data[i]);
    return result;
}

#define STEEPEST_LOSS_ENTRY(loss, name, member) &member<T, loss>,
#define STEEPEST_VALUE(loss, name) STEEPEST_LOSS_ENTRY(loss, name, value)
#define STEEPEST_GRADIENT(loss, name) STEEPEST_LOSS_ENTRY(loss, name, gradient)
#define STEEPEST_HESSIAN_PRODUCT(loss, name) STEEPEST_LOSS_ENTRY(loss, name, hessian_product)
#define STEEPEST_HESSIAN(loss, name) STEEPEST_LOSS_ENTRY(loss, name, hessian)
#define STEEPEST_ROW(loss, name) STEEPEST_LOSS_ENTRY(loss, name, row)

template <class T>
constexpr Kernels<T> table = {
    &scratch_size<T>,
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_VALUE)},
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_GRADIENT)},
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_HESSIAN_PRODUCT)},
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_HESSIAN)},
    &hessian_scratch_size<T>,
    {STEEPEST_FOR_EACH_LOSS(STEEPEST_ROW)},
    &sum<T>,
};

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(passes_, level)

extern const PassTable STEEPEST_NAME(STEEPEST_LEVEL);
const PassTable STEEPEST_NAME(STEEPEST_LEVEL) = {table<float>, table<double>, &permute};

}  // namespace steepest
