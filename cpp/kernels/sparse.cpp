// The passes over a sparse X of one ISA level, and the losses of its scores. Compiled once per level, as passes.cpp is.
#include "cpp/kernels/sparse.hpp"

#include "cpp/kernels/scored.hpp"
#include "cpp/kernels/sparse_beside.hpp"

namespace steepest {
namespace {

template <class V, class I>
constexpr SparseKernels<V, I> kernels = {&products<V, I>,    &two_products<V, I>,    &product<V, I>,
                                         &add_rows<V, I>,    &products_beside<V, I>, &add_rows_beside<V, I>,
                                         &add_weights<V, I>, &add_squares<V, I>};

template <class Loss, class T>
constexpr ScoreKernels<T> scores = {&scored_value<Loss, T>, &scored_gradient<Loss, T>, &scored_hessian_product<Loss, T>,
                                    &scored_row<Loss, T>};
template <class T>
constexpr ScoreKernels<T> softmax_scores = {&scored_softmax<SoftmaxValue, T>, &scored_softmax<SoftmaxGradient, T>,
                                            &scored_softmax<SoftmaxHessianProduct, T>, nullptr};

}  // namespace

#define STEEPEST_KERNELS(V, I) kernels<V, I>,
#define STEEPEST_FLOAT(Loss, name) scores<Loss, float>,
#define STEEPEST_DOUBLE(Loss, name) scores<Loss, double>,
#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(sparse_, level)

extern const SparseTable STEEPEST_NAME(STEEPEST_LEVEL);
const SparseTable STEEPEST_NAME(STEEPEST_LEVEL) = {
    {STEEPEST_FOR_EACH_SPARSE(STEEPEST_KERNELS) EndOfList{}},
    {STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_FLOAT) softmax_scores<float>},
    {STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_DOUBLE) softmax_scores<double>}};

}  // namespace steepest
