// The sums of a Hessian over dense rows: chunks of rows, panels of the sums' rows, shared among the threads.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "cpp/engine/blocks.hpp"
#include "cpp/engine/chunks.hpp"
#include "cpp/engine/source.hpp"

namespace steepest {

// How the work is cut up, by the data's shape. With one score a task adds to its chunk's sums; with several, to sums of
// its thread, of which the triangle is kept.
struct HessianPlan {
    static constexpr std::size_t few_chunks = 8;
    static constexpr std::size_t thread_work = std::size_t(1) << 19;  // multiply-adds, below two of which one is faster
    std::size_t pairs, n_sums, row, block, n_chunks, panel, n_panels, n_slices, most_threads;

    template <class S>
    HessianPlan(const Matrix<S>& X, std::size_t k, HessianShape shape, bool with_gradient) {
        const std::size_t elements = X.n_rows * X.n_columns, p = shape.size;
        const bool several = k > 1;
        pairs = k * (k + 1) / 2;
        n_sums = p + with_gradient;
        row = several ? p : shape.stride();
        block = several ? p * p : shape.n_elements();
        const std::size_t work = elements * p * k;
        n_chunks = count_chunks(X.n_rows, work, elements * sizeof(S), pairs * block * sizeof(double), 1);
        most_threads = std::max<std::size_t>(work / thread_work, 1);
        panel = !several && n_chunks < few_chunks ? hessian_panel / 2 : hessian_panel;
        n_panels = (p + panel - 1) / panel;
        // In slices of the chunks, so that no task runs long before it asks whether to stop: multiply-adds of a task,
        // about 15 ms with AVX2.
        const std::size_t slice_work = std::size_t(1) << (several ? 28 : 29);
        n_slices = elements / n_chunks * (std::min(p, panel) + (several ? k : 0)) / slice_work + 1;
    }

    std::size_t n_tasks() const { return n_chunks * pairs * n_panels; }
    std::size_t chunk(std::size_t task) const { return task / n_panels / pairs; }
    std::size_t pair(std::size_t task) const { return task / n_panels % pairs; }
    // The rows [first, last) of the sums that a task makes: the longest rows first, and with the last of them those of
    // the gradient.
    std::size_t first(std::size_t task) const { return (n_panels - 1 - task % n_panels) * panel; }
    std::size_t last(std::size_t task) const { return task % n_panels == 0 ? n_sums : first(task) + panel; }
};

// Of pairs of scores a >= b by their number: (0, 0), (1, 0), (1, 1), (2, 0), ...
struct ScorePair {
    std::size_t a = 0, b = 0;

    explicit ScorePair(std::size_t pair) {
        while ((a + 1) * (a + 2) / 2 <= pair) ++a;
        b = pair - a * (a + 1) / 2;
    }
};

// Adds the rows [first, last) of the lower triangle.
inline void add_triangle(const double* sums, HessianShape shape, std::size_t first, std::size_t last, double* kept,
                         std::size_t row) {
    for (std::size_t i = first; i < last; ++i)
        for (std::size_t j = 0; j <= i; ++j) kept[i * row + j] += sums[i * shape.stride() + j];
}

template <class S, class T = ArithmeticOf<S>>
HessianSums hessian_sums(const Rows<S>& rows, const Pass<T>& pass, bool gradient, Interrupt& interrupt) {
    const Coefficients<T>& point = pass.point;
    const std::size_t k = point.n_scores;
    const HessianShape shape{point.stride};
    const bool several = k > 1, with_gradient = gradient && !several;
    const HessianPlan plan(rows.X, k, shape, with_gradient);
    const std::size_t stride = plan.pairs * plan.block;
    const int n_threads = int(std::min({std::size_t(threads_in_use()), plan.n_tasks(), plan.most_threads}));
    const std::size_t scratch_size =
        scratch_size_of(pass.loss, pass.blocks, rows.X,
                        [k](const auto& kernels, const auto& X) { return kernels.hessian_scratch_size(X, k); });
    std::vector<double> partial(plan.n_chunks * stride);
    std::vector<double> of_thread(several ? std::size_t(n_threads) * shape.n_elements() : 0);
    std::vector<T> scratch(std::size_t(n_threads) * scratch_size);
    const auto run = [&](std::size_t task, std::size_t slice, int thread) {
        const std::size_t first = plan.first(task), last = plan.last(task);
        const ScorePair pair(plan.pair(task));
        const Rows<S> some = chunk_of(chunk_of(rows, plan.chunk(task), plan.n_chunks), slice, plan.n_slices);
        double* kept = partial.data() + plan.chunk(task) * stride + plan.pair(task) * plan.block;
        double* sums = several ? of_thread.data() + std::size_t(thread) * shape.n_elements() : kept;
        if (several) std::fill_n(sums + first * shape.stride(), (last - first) * shape.stride(), 0.0);
        run_kernel(pass.loss, pass.blocks, some, scratch.data() + std::size_t(thread) * scratch_size,
                   [&](const auto& kernels, const auto& block, T* rest) {
                       kernels.hessian(pass.loss.parameters, block, point, pair.a, pair.b, first, last, rest, sums);
                   });
        if (several) add_triangle(sums, shape, first, last, kept, plan.row);
    };
    for (std::size_t slice = 0; slice < plan.n_slices; ++slice)
        for_each_task(plan.n_tasks(), n_threads, interrupt,
                      [&](std::size_t task, int thread) { run(task, slice, thread); });
    add_partials(partial.data(), plan.n_chunks, stride, n_threads);
    return {std::move(partial), plan.row, plan.block, with_gradient};
}

}  // namespace steepest
