// One pass of the softmax loss over rows of X, and the second stage that adds up what its chunks leave.
#pragma once

#include "cuda/kernels/softmax.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

struct SoftmaxPlan {
    SoftmaxShape shape;
    std::size_t n_chunks;
    std::size_t blocks;  // that the device holds at once
    std::size_t shared_bytes;

    // Sets of sums that a pass leaves.
    std::size_t parts() const { return n_chunks * shape.slots; }
};

// A row of parameters for each class.
template <class T>
struct ClassParameters {
    const T* w;
    const T* v;  // null, or the direction of a product with the Hessian
    std::size_t n_classes;
    bool intercept;
};

// What the second stage makes of the sums: they go to `sums` as they are, or scale * sum + l2 * penalised is written to
// `gradient` and the loss to `loss`. All are on the device.
template <class T>
struct SoftmaxResult {
    double* sums;
    const T* penalised;
    T* gradient;
    double scale;
    T l2;
    double* loss;
};

// Throws std::invalid_argument for rows and classes that do not fit the shared memory of a block.
template <class S>
SoftmaxPlan plan_softmax(const Layout&, const Device&, std::size_t rows, std::size_t n_classes, bool product);

// Writes parts() times softmax_sums(n_classes, d) numbers to partial. Asynchronous.
template <class S>
void sum_softmax_rows(const SoftmaxPlan&, const Batch<S>&, const ClassParameters<ArithmeticOf<S>>&, double* partial,
                      Stream);

// Adds the parts in their order. Asynchronous.
template <class T>
void finish_softmax(const SoftmaxPlan&, const double* partial, std::size_t n_columns, const ClassParameters<T>&,
                    const SoftmaxResult<T>&, Stream);

}  // namespace steepest::cuda
