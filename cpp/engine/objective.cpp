#include "cpp/engine/objective.hpp"

#include <algorithm>
#include <cmath>

#include "cpp/engine/chunks.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/scaled.hpp"
#include "cpp/engine/scores.hpp"
#include "cpp/math/penalty.hpp"

namespace steepest {
namespace {

// Runs work(kernels, rows, scratch, sums) over all chunks; the sums, of standardised columns where there is a scaling,
// end up at the front of workspace.partial.
template <class S, class T, class Work>
void pass(const Objective<S>& objective, const Rows<S>& rows, bool with_gradient, Workspace<T>& workspace,
          Interrupt& interrupt, Work work) {
    const std::size_t d = objective.X.n_columns, stride = 2 + (with_gradient ? d : 0);
    const std::size_t n_chunks =
        count_chunks(most_chunks(rows), rows.count * d, rows.count * d * sizeof(S), stride * sizeof(double), 4,
                     rows.index ? indexed_elements : chunk_elements);
    const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_chunks));
    const std::size_t scratch_size = scratch_size_of<LossTables>(
        objective.scaling, objective.X, [](const auto& kernels, const auto& X) { return kernels.scratch_size(X); });
    workspace.partial.assign(n_chunks * stride, 0.0);
    workspace.scratch.resize(std::size_t(n_threads) * scratch_size);
    for_each_task(n_chunks, n_threads, interrupt, [&](std::size_t chunk, int thread) {
        double* partial = workspace.partial.data() + chunk * stride;
        Sums sums{0.0, 0.0, partial + 2};
        T* scratch = workspace.scratch.data() + std::size_t(thread) * scratch_size;
        run_kernel<LossTables>(
            objective.scaling, chunk_of(rows, chunk, n_chunks), scratch,
            [&](const auto& kernels, const auto& some, T* rest) { work(kernels, some, rest, sums); });
        partial[0] = sums.loss;
        partial[1] = sums.slope;
    });
    if (n_chunks > 1) add_partials(workspace.partial, n_chunks, stride, n_threads);
    if (with_gradient) standardise_sums(objective.scaling, workspace.partial[1], workspace.partial.data() + 2, d);
}

template <class S, class T>
Linear<T> point_of(const Objective<S>& objective, const T* w, std::vector<T>& raw) {
    return over_raw_columns(objective.scaling, objective.at(w), objective.X.n_columns, raw);
}

// gradient = scale * sums + l2 * w, and last the intercept's, of which `slope` is the sum.
template <class S, class T>
void write_gradient(const Objective<S>& objective, const double* sums, double slope, double scale, const T* w,
                    T* gradient) {
    const std::size_t d = objective.X.n_columns;
    for (std::size_t j = 0; j < d; ++j) gradient[j] = T(scale * sums[j] + objective.l2 * double(w[j]));
    if (objective.intercept) gradient[d] = T(scale * slope);
}

// The sums of a Hessian's shape over all rows, of standardised columns where there is a scaling, with those of the
// gradient and the loss where asked.
template <class S, class T>
std::vector<double> hessian_sums(const Objective<S>& objective, const T* w, bool with_gradient, Interrupt& interrupt) {
    constexpr std::size_t slice_work = std::size_t(1) << 29;  // multiply-adds of a task, about 15 ms with AVX2
    constexpr std::size_t few_chunks = 8;
    const HessianShape shape{objective.n_parameters()};
    const std::size_t n_sums = shape.size + with_gradient, stride = shape.n_elements();
    const std::size_t elements = objective.X.n_rows * objective.X.n_columns;
    const std::size_t n_chunks =
        count_chunks(objective.X.n_rows, elements * shape.size, elements * sizeof(S), stride * sizeof(double), 1);
    // A task makes so many rows of the sums, and the last one that of the gradient too.
    const std::size_t panel = n_chunks < few_chunks ? hessian_panel / 2 : hessian_panel;
    const std::size_t n_panels = (shape.size + panel - 1) / panel, n_tasks = n_chunks * n_panels;
    const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_tasks));
    // Always of columns that are standardised already: sums of the products of two raw ones would cost twice the
    // digits.
    Scaling scaling = objective.scaling;
    scaling.blockwise = bool(scaling);
    const std::size_t scratch_size = scratch_size_of<LossTables>(
        scaling, objective.X, [](const auto& kernels, const auto& X) { return kernels.hessian_scratch_size(X); });
    std::vector<double> partial(n_chunks * stride);
    std::vector<T> scratch(std::size_t(n_threads) * scratch_size);
    // In slices of the chunks, so that no task runs long before it asks whether to stop.
    const std::size_t n_slices = elements / n_chunks * std::min(shape.size, panel) / slice_work + 1;
    for (std::size_t slice = 0; slice < n_slices; ++slice) {
        for_each_task(n_tasks, n_threads, interrupt, [&](std::size_t task, int thread) {
            const std::size_t chunk = task / n_panels;
            const std::size_t place = n_panels - 1 - task % n_panels, first = place * panel;  // the longest rows first
            const std::size_t last = place + 1 == n_panels ? n_sums : first + panel;
            const Rows<S> rows = chunk_of(chunk_of(all_rows(objective), chunk, n_chunks), slice, n_slices);
            run_kernel<LossTables>(scaling, rows, scratch.data() + std::size_t(thread) * scratch_size,
                                   [&](const auto& kernels, const auto& some, T* rest) {
                                       kernels.hessian[objective.loss](some, objective.at(w), objective.intercept,
                                                                       first, last, rest,
                                                                       partial.data() + chunk * stride);
                                   });
        });
    }
    add_partials(partial, n_chunks, stride, n_threads);
    return partial;
}

template <class S, class T>
void write_hessian(const Objective<S>& objective, const std::vector<double>& sums, T* result) {
    const HessianShape shape{objective.n_parameters()};
    const double scale = 1.0 / objective.weight_sum;
    for (std::size_t i = 0; i < shape.size; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            const double ridge = i == j && i < objective.X.n_columns ? objective.l2 : 0.0;
            result[i * shape.size + j] = result[j * shape.size + i] = T(scale * sums[i * shape.stride() + j] + ridge);
        }
    }
}

}  // namespace

template <class S, class T>
double value(const Objective<S>& objective, const T* w, Interrupt& interrupt) {
    if (objective.n_scores > 1) return scores::value(objective, w, interrupt);
    Workspace<T> workspace;
    const Linear<T> point = point_of(objective, w, workspace.raw);
    pass(objective, all_rows(objective), false, workspace, interrupt,
         [&](const auto& kernels, const auto& rows, T* scratch, Sums& sums) {
             kernels.value[objective.loss](rows, point, scratch, sums);
         });
    return workspace.partial[0] / objective.weight_sum + penalty(objective.l1, objective.l2, w, objective.layout());
}

// The sums of the gradient over rows, at the front of workspace.partial.
template <class S, class T>
void gradient_pass(const Objective<S>& objective, const T* w, const Rows<S>& rows, Workspace<T>& workspace,
                   Interrupt& interrupt) {
    const Linear<T> point = point_of(objective, w, workspace.raw);
    pass(objective, rows, true, workspace, interrupt,
         [&](const auto& kernels, const auto& some, T* scratch, Sums& sums) {
             kernels.gradient[objective.loss](some, point, scratch, sums);
         });
}

template <class S, class T>
double value_and_gradient(const Objective<S>& objective, const T* w, T* gradient, Workspace<T>& workspace,
                          Interrupt& interrupt) {
    if (objective.n_scores > 1) return scores::value_and_gradient(objective, w, gradient, workspace, interrupt);
    gradient_pass(objective, w, all_rows(objective), workspace, interrupt);
    write_gradient(objective, workspace.partial.data() + 2, workspace.partial[1], 1.0 / objective.weight_sum, w,
                   gradient);
    return workspace.partial[0] / objective.weight_sum + penalty(objective.l1, objective.l2, w, objective.layout());
}

template <class S, class T>
double batch_gradient(const Objective<S>& objective, const T* w, const std::uint32_t* index, std::size_t count,
                      std::size_t ahead, T* gradient, Workspace<T>& workspace, Interrupt& interrupt) {
    const Rows<S> rows{objective.X, objective.y, objective.weight, index, 0, count, ahead};
    if (objective.n_scores > 1) return scores::batch_gradient(objective, rows, w, gradient, workspace, interrupt);
    gradient_pass(objective, w, rows, workspace, interrupt);
    const double scale = double(objective.X.n_rows) / objective.weight_sum / double(count);
    write_gradient(objective, workspace.partial.data() + 2, workspace.partial[1], scale, w, gradient);
    return workspace.partial[0] * scale;
}

template <class S, class T>
const T* row_slopes(const Objective<S>& objective, const Rows<S>& rows, const T* w, T* slopes,
                    Workspace<T>& workspace) {
    if (objective.n_scores > 1) return scores::row_slopes(objective, rows, w, slopes, workspace);
    const Kernels<S>& table = kernels_of<S>();
    T score;
    workspace.scratch.resize(table.scratch_size(objective.X));
    const T* x = table.row[objective.loss](rows, 0, objective.at(w), workspace.scratch.data(), &score, slopes);
    return std::isfinite(score) ? x : nullptr;
}

template <class S, class T>
void hessian_product(const Objective<S>& objective, const T* w, const T* v, T* product, Interrupt& interrupt) {
    if (objective.n_scores > 1) return scores::hessian_product(objective, w, v, product, interrupt);
    Workspace<T> workspace;
    std::vector<T> raw;
    const Linear<T> point = point_of(objective, w, workspace.raw), direction = point_of(objective, v, raw);
    pass(objective, all_rows(objective), true, workspace, interrupt,
         [&](const auto& kernels, const auto& rows, T* scratch, Sums& sums) {
             kernels.hessian_product[objective.loss](rows, point, direction, scratch, sums);
         });
    write_gradient(objective, workspace.partial.data() + 2, workspace.partial[1], 1.0 / objective.weight_sum, v,
                   product);
}

template <class S, class T>
void hessian(const Objective<S>& objective, const T* w, T* result, Interrupt& interrupt) {
    if (objective.n_scores > 1) return scores::hessian(objective, w, result, interrupt);
    write_hessian(objective, hessian_sums(objective, w, false, interrupt), result);
}

template <class S, class T>
double value_gradient_and_hessian(const Objective<S>& objective, const T* w, T* gradient, T* result,
                                  Interrupt& interrupt) {
    if (objective.n_scores > 1) {
        Workspace<T> workspace;
        scores::hessian(objective, w, result, interrupt);
        return scores::value_and_gradient(objective, w, gradient, workspace, interrupt);
    }
    const std::vector<double> sums = hessian_sums(objective, w, true, interrupt);
    const HessianShape shape{objective.n_parameters()};
    const double scale = 1.0 / objective.weight_sum, *slopes = sums.data() + shape.size * shape.stride();
    write_gradient(objective, slopes, slopes[objective.X.n_columns], scale, w, gradient);
    write_hessian(objective, sums, result);
    return scale * sums[shape.corner()] + penalty(objective.l1, objective.l2, w, objective.layout());
}

template <class S, class T>
double gradient_norm(const Objective<S>& objective, const T* w, const T* gradient) {
    return gradient_norm(objective.l1, w, gradient, objective.layout());
}

#define STEEPEST_INSTANTIATE(S, T)                                                                                    \
    template double value(const Objective<S>&, const T*, Interrupt&);                                                 \
    template double value_and_gradient(const Objective<S>&, const T*, T*, Workspace<T>&, Interrupt&);                 \
    template double batch_gradient(const Objective<S>&, const T*, const std::uint32_t*, std::size_t, std::size_t, T*, \
                                   Workspace<T>&, Interrupt&);                                                        \
    template void hessian_product(const Objective<S>&, const T*, const T*, T*, Interrupt&);                           \
    template const T* row_slopes(const Objective<S>&, const Rows<S>&, const T*, T*, Workspace<T>&);                   \
    template void hessian(const Objective<S>&, const T*, T*, Interrupt&);                                             \
    template double value_gradient_and_hessian(const Objective<S>&, const T*, T*, T*, Interrupt&);                    \
    template double gradient_norm(const Objective<S>&, const T*, const T*);
STEEPEST_INSTANTIATE(float, float)
STEEPEST_INSTANTIATE(double, double)
STEEPEST_INSTANTIATE(Float16, float)
STEEPEST_INSTANTIATE(BFloat16, float)

}  // namespace steepest
