// Kernels over dense rows as they are or, with a scaling, over blocks of them whose columns are standardised.
#pragma once

#include <algorithm>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/scaling.hpp"

namespace steepest {

// Blocks of rows of S as standardised columns of T, in buffers of one thread.
template <class S>
class StandardisedBlocks {
  public:
    using T = ArithmeticOf<S>;

    static std::size_t block_rows(const Matrix<S>& X) {
        const bool in_rows = X.order == Order::row_major;
        const std::size_t fit = (std::size_t(1) << (in_rows ? 16 : 18)) / X.n_columns;
        return std::min(std::clamp<std::size_t>(fit, in_rows ? 16 : 64, in_rows ? 256 : 512), X.n_rows);
    }
    static std::size_t scratch_size(const Matrix<S>& X) { return block_rows(X) * (X.n_columns + 2); }
    // Of the shape and order of the largest block.
    static Matrix<T> block(const Matrix<S>& X) { return {nullptr, block_rows(X), X.n_columns, X.order}; }

    // Calls kernel(rows of T) over all rows, with scratch_size elements of scratch.
    template <class Kernel>
    static void for_each(const Rows<S>& rows, const Scaling& scaling, T* scratch, Kernel kernel) {
        const std::size_t d = rows.X.n_columns, most = block_rows(rows.X);
        const Order order = rows.index ? Order::row_major : rows.X.order;
        const auto standardise = columns_of<S>().standardise;
        T *x = scratch, *y = x + most * d, *weight = y + most;
        for (std::size_t first = 0; first < rows.count; first += most) {
            const std::size_t n = std::min(most, rows.count - first);
            standardise(rows, first, n, scaling.centre, scaling.inverse, x, y, weight);
            kernel(Rows<T>{{x, n, d, order}, y, rows.weight ? weight : nullptr, nullptr, 0, n, 0});
        }
    }
};

// Calls work(kernels of the loss, rows, scratch) with X as it is or, where there is a scaling, with standardised
// blocks.
template <class S, class T, class Work>
void run_kernel(const LossChoice& loss, const Scaling* scaling, const Rows<S>& rows, T* scratch, Work work) {
    if (!scaling) return work(kernels_of<S>(loss), rows, scratch);
    using Blocks = StandardisedBlocks<S>;
    Blocks::for_each(rows, *scaling, scratch, [&](const Rows<T>& block) {
        work(kernels_of<T>(loss), block, scratch + Blocks::scratch_size(rows.X));
    });
}

// Elements of scratch for that, where a kernel over a matrix needs size_of(kernels, matrix).
template <class S, class SizeOf>
std::size_t scratch_size_of(const LossChoice& loss, const Scaling* scaling, const Matrix<S>& X, SizeOf size_of) {
    if (!scaling) return size_of(kernels_of<S>(loss), X);
    using Blocks = StandardisedBlocks<S>;
    return Blocks::scratch_size(X) + size_of(kernels_of<ArithmeticOf<S>>(loss), Blocks::block(X));
}

}  // namespace steepest
