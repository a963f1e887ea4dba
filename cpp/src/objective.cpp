#include "steepest/objective.hpp"

#include <algorithm>
#include <cmath>

#include "steepest/dispatch.hpp"
#include "steepest/penalty.hpp"

namespace steepest {
namespace {

constexpr std::size_t chunk_elements = 32768;  // below two of these one thread is faster than two
constexpr std::size_t indexed_elements = 12288;  // the same for rows taken here and there, which wait for memory
constexpr std::size_t large_chunk = std::size_t(1) << 18;  // more than 8 chunks are of this many elements at least
constexpr std::size_t max_chunks = 256;
constexpr std::size_t column_rows = 2048;  // of a chunk of a column-major X, whose short segments memory gives slowly

// How many chunks the rows of a pass are cut into, at most `most`, by the shape alone. `partial_bytes` is what a
// chunk's result takes: all of them stay under a hundredth of the data, unless that leaves fewer than `least`.
std::size_t count_chunks(std::size_t most, std::size_t work, std::size_t data_bytes, std::size_t partial_bytes,
                         std::size_t least, std::size_t chunk_work = chunk_elements) {
    const std::size_t enough = std::clamp<std::size_t>(work / large_chunk, 8, max_chunks);
    const std::size_t by_work = std::min({work / chunk_work, enough, most});
    const std::size_t by_memory = std::max<std::size_t>(data_bytes / 100, std::size_t(1) << 20) / partial_bytes;
    return std::max<std::size_t>(std::min(by_work, std::max(by_memory, least)), 1);
}

template <class S>
std::size_t most_chunks(const Rows<S>& rows) {
    const std::size_t few = std::min<std::size_t>(rows.count / 64, 8);
    const bool in_columns = rows.X.order == Order::column_major && !rows.index;
    return in_columns ? std::max(rows.count / column_rows, few) + 1 : rows.count;
}

template <class S>
Rows<S> all_rows(const Objective<S>& objective) {
    return {objective.X, objective.y, objective.weight, nullptr, 0, objective.X.n_rows, 0};
}

template <class S>
Rows<S> chunk_of(Rows<S> rows, std::size_t chunk, std::size_t n_chunks) {
    const std::size_t first = rows.count * chunk / n_chunks, last = rows.count * (chunk + 1) / n_chunks;
    rows.ahead += rows.count - last;
    rows.count = last - first;
    if (rows.index) rows.index += first;
    rows.begin += first;
    return rows;
}

// The sums of the chunks, added in their order: partial holds loss, slope and gradient of each.
void add_partials(std::vector<double>& partial, std::size_t n_chunks, std::size_t stride, int n_threads) {
    constexpr std::size_t columns = 2048;
    Interrupt never(nullptr);
    for_each_task((stride + columns - 1) / columns, n_threads, never, [&](std::size_t task, int) {
        const std::size_t first = task * columns, last = std::min(first + columns, stride);
        for (std::size_t chunk = 1; chunk < n_chunks; ++chunk)
            for (std::size_t j = first; j < last; ++j) partial[j] += partial[chunk * stride + j];
    });
}

// Calls work(kernels, rows, scratch) with the kernels of X as it is or, blockwise, with those of standardised rows of
// T.
template <class S, class T, class Work>
void run_kernel(const Scaling& scaling, const Rows<S>& rows, T* scratch, Work work) {
    if (!scaling.blockwise) return work(kernels_of<S>(), rows, scratch);
    using Blocks = StandardisedBlocks<S>;
    Blocks::for_each(rows, scaling, scratch, [&](const Rows<T>& block) {
        work(kernels_of<T>(), block, scratch + Blocks::scratch_size(rows.X));
    });
}

// Elements of scratch for that, where a kernel over a matrix needs size_of(kernels, matrix).
template <class S, class SizeOf>
std::size_t scratch_size_of(const Scaling& scaling, const Matrix<S>& X, SizeOf size_of) {
    if (!scaling.blockwise) return size_of(kernels_of<S>(), X);
    using Blocks = StandardisedBlocks<S>;
    return Blocks::scratch_size(X) + size_of(kernels_of<ArithmeticOf<S>>(), Blocks::block(X));
}

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
    const std::size_t scratch_size = scratch_size_of(
        objective.scaling, objective.X, [](const auto& kernels, const auto& X) { return kernels.scratch_size(X); });
    workspace.partial.assign(n_chunks * stride, 0.0);
    workspace.scratch.resize(std::size_t(n_threads) * scratch_size);
    for_each_task(n_chunks, n_threads, interrupt, [&](std::size_t chunk, int thread) {
        double* partial = workspace.partial.data() + chunk * stride;
        Sums sums{0.0, 0.0, partial + 2};
        T* scratch = workspace.scratch.data() + std::size_t(thread) * scratch_size;
        run_kernel(objective.scaling, chunk_of(rows, chunk, n_chunks), scratch,
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

// gradient = scale * sums + l2 * w, the intercept's last.
template <class S, class T>
void write_gradient(const Objective<S>& objective, const std::vector<double>& sums, double scale, const T* w,
                    T* gradient) {
    const std::size_t d = objective.X.n_columns;
    for (std::size_t j = 0; j < d; ++j) gradient[j] = T(scale * sums[2 + j] + objective.l2 * double(w[j]));
    if (objective.intercept) gradient[d] = T(scale * sums[1]);
}

}  // namespace

template <class S, class T>
double value(const Objective<S>& objective, const T* w, Interrupt& interrupt) {
    Workspace<T> workspace;
    const Linear<T> point = point_of(objective, w, workspace.raw);
    pass(objective, all_rows(objective), false, workspace, interrupt,
         [&](const auto& kernels, const auto& rows, T* scratch, Sums& sums) {
             kernels.value[objective.loss](rows, point, scratch, sums);
         });
    return workspace.partial[0] / objective.weight_sum + penalty(objective.l1, objective.l2, w, objective.X.n_columns);
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
    gradient_pass(objective, w, all_rows(objective), workspace, interrupt);
    write_gradient(objective, workspace.partial, 1.0 / objective.weight_sum, w, gradient);
    return workspace.partial[0] / objective.weight_sum + penalty(objective.l1, objective.l2, w, objective.X.n_columns);
}

template <class S, class T>
double batch_gradient(const Objective<S>& objective, const T* w, const std::uint32_t* index, std::size_t count,
                      std::size_t ahead, T* gradient, Workspace<T>& workspace, Interrupt& interrupt) {
    gradient_pass(objective, w, {objective.X, objective.y, objective.weight, index, 0, count, ahead}, workspace,
                  interrupt);
    const double scale = double(objective.X.n_rows) / objective.weight_sum / double(count);
    write_gradient(objective, workspace.partial, scale, w, gradient);
    return workspace.partial[0] * scale;
}

template <class S, class T>
void hessian_product(const Objective<S>& objective, const T* w, const T* v, T* product, Interrupt& interrupt) {
    Workspace<T> workspace;
    std::vector<T> raw;
    const Linear<T> point = point_of(objective, w, workspace.raw), direction = point_of(objective, v, raw);
    pass(objective, all_rows(objective), true, workspace, interrupt,
         [&](const auto& kernels, const auto& rows, T* scratch, Sums& sums) {
             kernels.hessian_product[objective.loss](rows, point, direction, scratch, sums);
         });
    write_gradient(objective, workspace.partial, 1.0 / objective.weight_sum, v, product);
}

template <class S, class T>
void hessian(const Objective<S>& objective, const T* w, T* result, Interrupt& interrupt) {
    constexpr std::size_t panel = 64;  // rows of the Hessian that a task makes
    constexpr std::size_t slice_work = std::size_t(1) << 28;  // multiply-adds of a task, about 20 ms
    const std::size_t d = objective.X.n_columns, size = objective.n_parameters();
    const std::size_t elements = objective.X.n_rows * d;
    const std::size_t n_chunks =
        count_chunks(objective.X.n_rows, elements * size, elements * sizeof(S), size * size * sizeof(double), 1);
    const std::size_t n_panels = (size + panel - 1) / panel, n_tasks = n_chunks * n_panels;
    const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_tasks));
    // Always of columns that are standardised already: sums of the products of two raw ones would cost twice the
    // digits.
    Scaling scaling = objective.scaling;
    scaling.blockwise = bool(scaling);
    const std::size_t scratch_size = scratch_size_of(
        scaling, objective.X, [](const auto& kernels, const auto& X) { return kernels.hessian_scratch_size(X); });
    std::vector<double> partial(n_chunks * size * size);
    std::vector<T> scratch(std::size_t(n_threads) * scratch_size);
    // In slices of the chunks, so that no task runs long before it asks whether to stop.
    const std::size_t n_slices = elements / n_chunks * std::min(size, panel) / slice_work + 1;
    for (std::size_t slice = 0; slice < n_slices; ++slice) {
        for_each_task(n_tasks, n_threads, interrupt, [&](std::size_t task, int thread) {
            const std::size_t chunk = task / n_panels, first = task % n_panels * panel;
            const Rows<S> rows = chunk_of(chunk_of(all_rows(objective), chunk, n_chunks), slice, n_slices);
            run_kernel(scaling, rows, scratch.data() + std::size_t(thread) * scratch_size,
                       [&](const auto& kernels, const auto& some, T* rest) {
                           kernels.hessian[objective.loss](some, objective.at(w), objective.intercept, first,
                                                           std::min(first + panel, size), rest,
                                                           partial.data() + chunk * size * size);
                       });
        });
    }
    add_partials(partial, n_chunks, size * size, n_threads);
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            const double ridge = i == j && i < d ? objective.l2 : 0.0;
            result[i * size + j] = result[j * size + i] = T(partial[i * size + j] / objective.weight_sum + ridge);
        }
    }
}

template <class S, class T>
double gradient_norm(const Objective<S>& objective, const T* w, const T* gradient) {
    return gradient_norm(objective.l1, w, gradient, objective.X.n_columns, objective.n_parameters());
}

#define STEEPEST_INSTANTIATE(S, T)                                                                                    \
    template double value(const Objective<S>&, const T*, Interrupt&);                                                 \
    template double value_and_gradient(const Objective<S>&, const T*, T*, Workspace<T>&, Interrupt&);                 \
    template double batch_gradient(const Objective<S>&, const T*, const std::uint32_t*, std::size_t, std::size_t, T*, \
                                   Workspace<T>&, Interrupt&);                                                        \
    template void hessian_product(const Objective<S>&, const T*, const T*, T*, Interrupt&);                           \
    template void hessian(const Objective<S>&, const T*, T*, Interrupt&);                                             \
    template double gradient_norm(const Objective<S>&, const T*, const T*);
STEEPEST_INSTANTIATE(float, float)
STEEPEST_INSTANTIATE(double, double)
STEEPEST_INSTANTIATE(Float16, float)
STEEPEST_INSTANTIATE(BFloat16, float)

}  // namespace steepest
