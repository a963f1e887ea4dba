// Kernels over rows whose columns are standardised where an objective has a scaling: either kernels over raw columns,
// whose parameters and sums are converted, or kernels over blocks of standardised rows.
#pragma once

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/scaling.hpp"

namespace steepest {

// Where the kernels of X stored as S stand.
struct LossTables {
    template <class S>
    static const Kernels<S>& of() {
        return kernels_of<S>();
    }
};
struct SoftmaxTables {
    template <class S>
    static const SoftmaxKernels<S>& of() {
        return softmax_of<S>();
    }
};

// Calls work(kernels, rows, scratch) with the kernels of X as it is or, blockwise, with those of standardised rows of
// T.
template <class Tables, class S, class T, class Work>
void run_kernel(const Scaling& scaling, const Rows<S>& rows, T* scratch, Work work) {
    if (!scaling.blockwise) return work(Tables::template of<S>(), rows, scratch);
    using Blocks = StandardisedBlocks<S>;
    Blocks::for_each(rows, scaling, scratch, [&](const Rows<T>& block) {
        work(Tables::template of<T>(), block, scratch + Blocks::scratch_size(rows.X));
    });
}

// Elements of scratch for that, where a kernel over a matrix needs size_of(kernels, matrix).
template <class Tables, class S, class SizeOf>
std::size_t scratch_size_of(const Scaling& scaling, const Matrix<S>& X, SizeOf size_of) {
    if (!scaling.blockwise) return size_of(Tables::template of<S>(), X);
    using Blocks = StandardisedBlocks<S>;
    return Blocks::scratch_size(X) + size_of(Tables::template of<ArithmeticOf<S>>(), Blocks::block(X));
}

}  // namespace steepest
