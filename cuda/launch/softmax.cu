#include <stdexcept>
#include <string>

#include "cuda/kernels/softmax.cuh"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/softmax.hpp"

namespace steepest::cuda {
namespace {

constexpr unsigned most_rows_of_a_tile = block_threads;
constexpr std::size_t many_classes = 16;  // from here on sums of a tile of few rows cost more than a wait for the next

// Tiles to try, in this order: their least rows, how many lie in shared memory, and whether two blocks are to fit
// there.
struct Attempt {
    unsigned least_rows, tiles;
    bool two_blocks;
};
constexpr Attempt attempts[] = {{32, 2, true}, {64, 1, false}, {32, 2, false}, {1, 1, false}};

template <class S>
SoftmaxShape shape_of(const Layout& layout, unsigned rows, unsigned tiles, std::size_t n_classes) {
    constexpr std::size_t width = 16 / sizeof(S);
    const std::size_t d = layout.n_columns;
    // A column-major tile is written column by column: an odd pitch spreads its rows over the banks.
    return softmax_shape({rows, layout.row_major ? (d + width - 1) / width * width : d | 1}, tiles, n_classes, d);
}

}  // namespace

template <class S>
SoftmaxPlan plan_softmax(const Layout& layout, const Device& device, std::size_t rows, std::size_t n_classes,
                         bool product) {
    const Kernel<SoftmaxPass<S>> kernel = &softmax_gradient<S>;
    SoftmaxPlan plan{};
    plan.n_chunks = softmax_chunks(rows);
    for (const Attempt& attempt : attempts) {
        if (attempt.least_rows == 64 && n_classes < many_classes) continue;
        const std::size_t limit =
            attempt.two_blocks ? device.shared_bytes / 2 - reserved_shared_bytes : device.shared_bytes;
        for (unsigned n = most_rows_of_a_tile; n >= attempt.least_rows; n /= 2) {
            plan.shape = shape_of<S>(layout, n, attempt.tiles, n_classes);
            plan.shared_bytes = SoftmaxSums<S>::shared_bytes(plan.shape, n_classes, product);
            if (plan.shared_bytes > limit) continue;
            plan.blocks = resident_blocks(kernel, plan.shared_bytes, device);
            if (plan.blocks > 0) return plan;
        }
    }
    throw std::invalid_argument(
        "X must have fewer columns, or fewer classes, for Softmax on this GPU, whose blocks have " +
        std::to_string(device.shared_bytes) + " bytes of shared memory, got " + std::to_string(layout.n_columns) +
        " columns and " + std::to_string(n_classes) + " classes; make the objective from arrays in the host's memory");
}

template <class S>
void sum_softmax_rows(const SoftmaxPlan& plan, const Batch<S>& rows, const ClassParameters<ArithmeticOf<S>>& at,
                      double* partial, Stream stream) {
    const Kernel<SoftmaxPass<S>> kernel = &softmax_gradient<S>;
    launch(kernel, {plan.n_chunks, plan.shared_bytes}, stream,
           SoftmaxPass<S>{rows, at.w, at.v, unsigned(at.n_classes), at.intercept, plan.shape, plan.n_chunks, partial});
}

template <class T>
void finish_softmax(const SoftmaxPlan& plan, const double* partial, std::size_t n_columns, const ClassParameters<T>& at,
                    const SoftmaxResult<T>& result, Stream stream) {
    const Kernel<SoftmaxFinish<T>> kernel = &softmax_finish<T>;
    const std::size_t blocks = in_groups(softmax_sums(at.n_classes, n_columns), softmax_finish_columns);
    launch(kernel, {blocks, (block_threads + softmax_finish_columns) * sizeof(double)}, stream,
           SoftmaxFinish<T>{partial, plan.parts(), at.n_classes, n_columns, at.intercept, result.sums, result.penalised,
                            result.gradient, result.scale, result.l2, result.loss});
}

#define STEEPEST_INSTANTIATE(S, name)                                                                            \
    template SoftmaxPlan plan_softmax<S>(const Layout&, const Device&, std::size_t, std::size_t, bool);          \
    template void sum_softmax_rows(const SoftmaxPlan&, const Batch<S>&, const ClassParameters<ArithmeticOf<S>>&, \
                                   double*, Stream);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE
#define STEEPEST_INSTANTIATE(T)                                                                             \
    template void finish_softmax(const SoftmaxPlan&, const double*, std::size_t, const ClassParameters<T>&, \
                                 const SoftmaxResult<T>&, Stream);
STEEPEST_INSTANTIATE(float)
STEEPEST_INSTANTIATE(double)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
