#include "cpp/engine/scores.hpp"

#include <algorithm>
#include <cmath>

#include "cpp/engine/chunks.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/scaled.hpp"

namespace steepest::scores {
namespace {

constexpr std::size_t rows_of_chunk = 64;  // at least: fewer have less work than their sums have

// Runs work(kernels, rows, scratch, sums) over all chunks; the sums, with the gradient those of n_columns + 1 numbers a
// score, of standardised columns where there is a scaling, end up at the front of workspace.partial.
template <class S, class T, class Work>
void pass(const Objective<S>& objective, const Rows<S>& rows, bool with_gradient, Workspace<T>& workspace,
          Interrupt& interrupt, Work work) {
    const std::size_t d = objective.X.n_columns, k = objective.n_scores, elements = rows.count * d;
    const std::size_t stride = 1 + (with_gradient ? k * (d + 1) : 0);
    const std::size_t most = std::min(most_chunks(rows), std::max<std::size_t>(rows.count / rows_of_chunk, 1));
    const std::size_t n_chunks =
        count_chunks(most, elements * (k / 2), elements * sizeof(S), stride * sizeof(double), 8);
    const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_chunks));
    const std::size_t scratch_size = scratch_size_of<SoftmaxTables>(
        objective.scaling, objective.X, [k](const auto& kernels, const auto& X) { return kernels.scratch_size(X, k); });
    workspace.partial.assign(n_chunks * stride, 0.0);
    workspace.scratch.resize(std::size_t(n_threads) * scratch_size);
    for_each_task(n_chunks, n_threads, interrupt, [&](std::size_t chunk, int thread) {
        double* sums = workspace.partial.data() + chunk * stride;
        run_kernel<SoftmaxTables>(
            objective.scaling, chunk_of(rows, chunk, n_chunks),
            workspace.scratch.data() + std::size_t(thread) * scratch_size,
            [&](const auto& kernels, const auto& some, T* rest) { work(kernels, some, rest, sums); });
    });
    if (n_chunks > 1) add_partials(workspace.partial, n_chunks, stride, n_threads);
    if (!with_gradient) return;
    for (std::size_t c = 0; c < k; ++c) {
        double* of_score = workspace.partial.data() + 1 + c * (d + 1);
        standardise_sums(objective.scaling, of_score[d], of_score, d);
    }
}

template <class S, class T>
Scores<T> point_of(const Objective<S>& objective, const T* w, std::vector<T>& raw) {
    return over_raw_columns(objective.scaling, objective.scores_at(w), raw);
}

// The sums of the gradient over rows, at the front of workspace.partial.
template <class S, class T>
void gradient_pass(const Objective<S>& objective, const T* w, const Rows<S>& rows, Workspace<T>& workspace,
                   Interrupt& interrupt) {
    const Scores<T> point = point_of(objective, w, workspace.raw);
    pass(objective, rows, true, workspace, interrupt,
         [&](const auto& kernels, const auto& some, T* scratch, double* sums) {
             kernels.gradient(some, point, scratch, sums);
         });
}

// gradient = scale * sums + l2 * w, for each score its intercept's last.
template <class S, class T>
void write_gradient(const Objective<S>& objective, const std::vector<double>& sums, double scale, const T* w,
                    T* gradient) {
    const std::size_t d = objective.X.n_columns, row = objective.layout().row;
    for (std::size_t c = 0; c < objective.n_scores; ++c, w += row, gradient += row) {
        const double* of_score = sums.data() + 1 + c * (d + 1);
        for (std::size_t j = 0; j < d; ++j) gradient[j] = T(scale * of_score[j] + objective.l2 * double(w[j]));
        if (objective.intercept) gradient[d] = T(scale * of_score[d]);
    }
}

}  // namespace

template <class S, class T>
double value(const Objective<S>& objective, const T* w, Interrupt& interrupt) {
    Workspace<T> workspace;
    const Scores<T> point = point_of(objective, w, workspace.raw);
    pass(objective, all_rows(objective), false, workspace, interrupt,
         [&](const auto& kernels, const auto& rows, T* scratch, double* sums) {
             kernels.value(rows, point, scratch, sums);
         });
    return workspace.partial[0] / objective.weight_sum + penalty(objective.l1, objective.l2, w, objective.layout());
}

template <class S, class T>
double value_and_gradient(const Objective<S>& objective, const T* w, T* gradient, Workspace<T>& workspace,
                          Interrupt& interrupt) {
    gradient_pass(objective, w, all_rows(objective), workspace, interrupt);
    write_gradient(objective, workspace.partial, 1.0 / objective.weight_sum, w, gradient);
    return workspace.partial[0] / objective.weight_sum + penalty(objective.l1, objective.l2, w, objective.layout());
}

template <class S, class T>
double batch_gradient(const Objective<S>& objective, const Rows<S>& batch, const T* w, T* gradient,
                      Workspace<T>& workspace, Interrupt& interrupt) {
    gradient_pass(objective, w, batch, workspace, interrupt);
    const double scale = double(objective.X.n_rows) / objective.weight_sum / double(batch.count);
    write_gradient(objective, workspace.partial, scale, w, gradient);
    return workspace.partial[0] * scale;
}

template <class S, class T>
const T* row_slopes(const Objective<S>& objective, const Rows<S>& rows, const T* w, T* slopes,
                    Workspace<T>& workspace) {
    const SoftmaxKernels<S>& table = softmax_of<S>();
    double loss;
    workspace.scratch.resize(table.scratch_size(objective.X, objective.n_scores));
    const T* x = table.row(rows, 0, objective.scores_at(w), workspace.scratch.data(), slopes, &loss);
    return std::isfinite(loss) ? x : nullptr;
}

template <class S, class T>
void hessian_product(const Objective<S>& objective, const T* w, const T* v, T* product, Interrupt& interrupt) {
    Workspace<T> workspace;
    std::vector<T> raw;
    const Scores<T> point = point_of(objective, w, workspace.raw), direction = point_of(objective, v, raw);
    pass(objective, all_rows(objective), true, workspace, interrupt,
         [&](const auto& kernels, const auto& rows, T* scratch, double* sums) {
             kernels.hessian_product(rows, point, direction, scratch, sums);
         });
    write_gradient(objective, workspace.partial, 1.0 / objective.weight_sum, v, product);
}

namespace {

// The blocks of the Hessian: `partial` has the lower triangle of each pair of scores a >= b, one pair after another.
template <class S, class T>
void write_hessian(const Objective<S>& objective, const std::vector<double>& partial, T* result) {
    const Layout layout = objective.layout();
    const std::size_t p = layout.row;
    const double* block = partial.data();
    for (std::size_t a = 0; a < objective.n_scores; ++a) {
        for (std::size_t b = 0; b <= a; ++b, block += p * p) {
            for (std::size_t i = 0; i < p; ++i) {
                for (std::size_t j = 0; j < p; ++j) {
                    const double ridge = a == b && i == j && i < layout.penalised ? objective.l2 : 0.0;
                    const double sum = block[std::max(i, j) * p + std::min(i, j)];
                    const T element = T(sum / objective.weight_sum + ridge);
                    result[(a * p + i) * layout.n + b * p + j] = element;
                    result[(b * p + j) * layout.n + a * p + i] = element;
                }
            }
        }
    }
}

}  // namespace

template <class S, class T>
void hessian(const Objective<S>& objective, const T* w, T* result, Interrupt& interrupt) {
    constexpr std::size_t slice_work = std::size_t(1) << 28;  // multiply-adds of a task, about 10 ms
    const std::size_t k = objective.n_scores, p = objective.layout().row, pairs = k * (k + 1) / 2;
    const std::size_t stride = pairs * p * p;
    const HessianShape shape{p};
    const std::size_t n_panels = (p + hessian_panel - 1) / hessian_panel;
    const std::size_t elements = objective.X.n_rows * objective.X.n_columns;
    const std::size_t n_chunks =
        count_chunks(objective.X.n_rows, elements * p * k, elements * sizeof(S), stride * 8, 1);
    const std::size_t n_tasks = n_chunks * pairs * n_panels;
    const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_tasks));
    Scaling scaling = objective.scaling;
    scaling.blockwise = bool(scaling);  // as in the Hessian of one score
    const std::size_t scratch_size = scratch_size_of<SoftmaxTables>(
        scaling, objective.X, [k](const auto& kernels, const auto& X) { return kernels.hessian_scratch_size(X, k); });
    std::vector<double> partial(n_chunks * stride), padded(std::size_t(n_threads) * shape.n_elements());
    std::vector<T> scratch(std::size_t(n_threads) * scratch_size);
    const std::size_t n_slices = elements / n_chunks * std::min(p + k, hessian_panel + k) / slice_work + 1;
    for (std::size_t slice = 0; slice < n_slices; ++slice) {
        for_each_task(n_tasks, n_threads, interrupt, [&](std::size_t task, int thread) {
            const std::size_t first = task % n_panels * hessian_panel, last = std::min(first + hessian_panel, p);
            const std::size_t pair = task / n_panels % pairs;
            const std::size_t chunk = task / n_panels / pairs;
            std::size_t a = 0;
            while ((a + 1) * (a + 2) / 2 <= pair) ++a;
            const Rows<S> rows = chunk_of(chunk_of(all_rows(objective), chunk, n_chunks), slice, n_slices);
            double* sums = padded.data() + std::size_t(thread) * shape.n_elements();
            std::fill_n(sums + first * shape.stride(), (last - first) * shape.stride(), 0.0);
            run_kernel<SoftmaxTables>(scaling, rows, scratch.data() + std::size_t(thread) * scratch_size,
                                      [&](const auto& kernels, const auto& some, T* rest) {
                                          kernels.hessian(some, objective.scores_at(w), a, pair - a * (a + 1) / 2,
                                                          first, last, rest, sums);
                                      });
            double* block = partial.data() + chunk * stride + pair * p * p;
            for (std::size_t i = first; i < last; ++i)
                for (std::size_t j = 0; j <= i; ++j) block[i * p + j] += sums[i * shape.stride() + j];
        });
    }
    add_partials(partial, n_chunks, stride, n_threads);
    write_hessian(objective, partial, result);
}

#define STEEPEST_INSTANTIATE(S, T)                                                                                \
    template double value(const Objective<S>&, const T*, Interrupt&);                                             \
    template double value_and_gradient(const Objective<S>&, const T*, T*, Workspace<T>&, Interrupt&);             \
    template double batch_gradient(const Objective<S>&, const Rows<S>&, const T*, T*, Workspace<T>&, Interrupt&); \
    template const T* row_slopes(const Objective<S>&, const Rows<S>&, const T*, T*, Workspace<T>&);               \
    template void hessian_product(const Objective<S>&, const T*, const T*, T*, Interrupt&);                       \
    template void hessian(const Objective<S>&, const T*, T*, Interrupt&);
STEEPEST_INSTANTIATE(float, float)
STEEPEST_INSTANTIATE(double, double)
STEEPEST_INSTANTIATE(Float16, float)
STEEPEST_INSTANTIATE(BFloat16, float)

}  // namespace steepest::scores
