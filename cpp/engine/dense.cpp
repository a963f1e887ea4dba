#include "cpp/engine/dense.hpp"

#include <algorithm>
#include <cmath>

#include "cpp/engine/blocks.hpp"
#include "cpp/engine/chunks.hpp"
#include "cpp/engine/dense_hessian.hpp"
#include "cpp/engine/statistics.hpp"

namespace steepest {
namespace {

template <class S>
std::size_t chunks_of_pass(const Rows<S>& rows, std::size_t n_scores, std::size_t n_sums) {
    constexpr std::size_t rows_of_chunk = 64;  // at least, of several scores: fewer have less work than their sums have
    const bool several = n_scores > 1;
    const std::size_t elements = rows.count * rows.X.n_columns, most = most_chunks(rows);
    return count_chunks(several ? std::min(most, std::max<std::size_t>(rows.count / rows_of_chunk, 1)) : most,
                        elements * std::max<std::size_t>(n_scores / 2, 1), elements * sizeof(S),
                        n_sums * sizeof(double), several ? 8 : 4,
                        rows.index && !several ? indexed_elements : chunk_elements);
}

}  // namespace

template <class S>
double* DenseSource<S>::sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    return add_up(pass, workspace, interrupt, nullptr);
}

template <class S>
double* DenseSource<S>::add_up(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt,
                               RowReader<S>* reader) const {
    const Rows<S> all = rows(pass.rows);
    const std::size_t k = pass.point.n_scores, stride = pass.work == Work::value ? 1 : pass.shape().size();
    const std::size_t n_chunks = chunks_of_pass(all, k, stride);
    const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_chunks));
    const std::size_t scratch_size = scratch_size_of(
        pass.loss, pass.blocks, X_, [k](const auto& kernels, const auto& X) { return kernels.scratch_size(X, k); });
    workspace.partial.assign(n_chunks * stride, 0.0);
    workspace.scratch.resize(std::size_t(n_threads) * scratch_size);
    if (reader) reader->start(n_threads, ((all.count - 1) / n_chunks + 1) * X_.n_columns);
    for_each_task(n_chunks, n_threads, interrupt, [&](std::size_t chunk, int thread) {
        double* sums = workspace.partial.data() + chunk * stride;
        T* scratch = workspace.scratch.data() + std::size_t(thread) * scratch_size;
        const Rows<S> of_chunk = chunk_of(all, chunk, n_chunks);
        run_kernel(pass.loss, pass.blocks, reader ? reader->read(of_chunk, thread) : of_chunk, scratch,
                   [&](const auto& kernels, const auto& some, T* rest) {
                       switch (pass.work) {
                           case Work::value:
                               return kernels.value(pass.loss.parameters, some, pass.point, rest, sums);
                           case Work::gradient:
                               return kernels.gradient(pass.loss.parameters, some, pass.point, rest, sums);
                           case Work::hessian_product:
                               return kernels.hessian_product(pass.loss.parameters, some, pass.point, pass.direction,
                                                              rest, sums);
                       }
                   });
    });
    if (n_chunks > 1) add_partials(workspace.partial.data(), n_chunks, stride, n_threads);
    return workspace.partial.data();
}

template <class S>
double* DenseSource<S>::sums_at_two(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    if constexpr (is_widened<S>) {
        return Source<T>::sums_at_two(pass, workspace, interrupt);
    } else {
        const Rows<S> all = rows(pass.rows);
        const std::size_t size = pass.shape().size(), scratch_size = 2 * X_.n_columns;
        const std::size_t n_chunks = chunks_of_pass(all, 1, size);
        const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_chunks));
        workspace.partial.assign(n_chunks * 2 * size, 0.0);
        workspace.scratch.resize(std::max(workspace.scratch.size(), std::size_t(n_threads) * scratch_size));
        const auto kernel = two_points_of<T>().of_loss[pass.loss.number];
        for_each_task(n_chunks, n_threads, interrupt, [&](std::size_t chunk, int thread) {
            double* sums = workspace.partial.data() + chunk * 2 * size;
            kernel(pass.loss.parameters, chunk_of(all, chunk, n_chunks), pass.point, pass.direction,
                   workspace.scratch.data() + std::size_t(thread) * scratch_size, sums, sums + size);
        });
        if (n_chunks > 1) add_partials(workspace.partial.data(), n_chunks, 2 * size, n_threads);
        return workspace.partial.data();
    }
}

template <class S>
auto DenseSource<S>::row_slopes(const LossChoice& loss, const Coefficients<T>& point, const Selection& selection,
                                T* slopes, Workspace<T>& workspace) const -> const T* {
    const LossKernels<S>& kernels = kernels_of<S>(loss);
    double finite;
    // A pass of the same objective has left as much, or more.
    if (workspace.scratch.empty()) workspace.scratch.resize(kernels.scratch_size(X_, point.n_scores));
    const T* x = kernels.row(loss.parameters, rows(selection), 0, point, workspace.scratch.data(), slopes, &finite);
    return std::isfinite(finite) ? x : nullptr;
}

template <class S>
HessianSums DenseSource<S>::hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const {
    return hessian_sums(rows(pass.rows), pass, with_gradient, interrupt);
}

template <class S>
void DenseSource<S>::column_statistics(double* mean, double* deviation, Interrupt& interrupt) const {
    steepest::column_statistics(X_, weight_, mean, deviation, interrupt);
}

#define STEEPEST_INSTANTIATE(S, name) template class DenseSource<S>;
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)

}  // namespace steepest
