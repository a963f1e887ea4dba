#include "cpp/engine/sparse.hpp"

#include <algorithm>

#include "cpp/engine/dense_panels.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/row_parts.hpp"
#include "cpp/engine/side_by_side.hpp"

namespace steepest {
namespace {

constexpr std::size_t block_cost = 8192;                     // of a block of rows, whose scores are made at once
constexpr std::size_t block_rows = 2 * block_cost / row_cost;  // of it, at most
constexpr std::size_t listed_rows = 256;                     // of a block of rows that are listed
constexpr std::size_t panel_blocks = panel_cost / block_cost;  // between the two halves of a pass
constexpr std::size_t long_row = std::size_t(1) << 17;  // entries; a longer one is multiplied in parts of as many
constexpr std::size_t entries_a_pair = 2;  // of a pass that is worth making a pair of numbers
constexpr std::size_t most_bytes_of_row = 32;  // and score, beside spare_bytes

Selection selection_of(const ListedRows& rows) {
    if (rows.index) return {rows.index + rows.first, 0, rows.count, 0};
    return {nullptr, rows.first, rows.count, 0};
}

}  // namespace

template <class V, class I>
bool SparseSource<V, I>::supports(Capability capability) const {
    switch (capability) {
        case Capability::single_rows:
        case Capability::two_points:
            return false;
        case Capability::row_entries:
            return this->n_columns <= INT32_MAX;
        case Capability::hessian:
        case Capability::standardised_blocks:
            return this->n_columns <= most_dense_columns;
        default:
            return true;
    }
}

template <class V, class I>
std::size_t SparseSource<V, I>::cost_before(std::size_t row) const {
    return X_.start(row) + row * row_cost;
}

// About what a pass over a selection costs.
template <class V, class I>
std::size_t SparseSource<V, I>::cost_of(const Selection& rows) const {
    if (!rows.index) return cost_before(rows.begin + rows.count) - cost_before(rows.begin);
    return rows.count * (n_elements() / this->n_rows + row_cost);
}

template <class V, class I>
ListedRows SparseSource<V, I>::rows_between(const Selection& all, std::size_t part, std::size_t n) const {
    return steepest::rows_between(all, part, n, [this](std::size_t row) { return cost_before(row); });
}

// Products and losses of a block of rows: what add_rows takes is then at block.z.
template <class V, class I>
void SparseSource<V, I>::score(const Pass<T>& pass, const ListedRows& rows, const ScoreBlock<T>& block, double* loss,
                               double* slopes) const {
    const SparseKernels<V, I>& kernels = sparse_kernels_of<V, I>();
    const std::size_t k = pass.point.n_scores;
    if (pass.beside) {
        kernels.products_beside(X_, rows, pass.beside, k, long_row, block.z, block.step);
        if (block.u)
            kernels.products_beside(X_, rows, pass.beside + k * this->n_columns, k, long_row, block.u, block.step);
    }
    for (std::size_t c = 0; !pass.beside && c < k; ++c) {
        T* z = block.z + c * block.step;
        if (block.u) {
            T* u = block.u + c * block.step;
            kernels.two_products(X_, rows, pass.point.of(c), pass.direction.of(c), pass.pairs, long_row, z, u);
        } else {
            kernels.products(X_, rows, pass.point.of(c), long_row, z);
        }
    }
    apply_loss(pass, block, loss, slopes);
}

template <class V, class I>
auto SparseSource<V, I>::panels() const {
    const auto fill = [this](std::size_t row, T* x) {
        for (std::size_t e = X_.start(row); e < X_.start(row + 1); ++e) x[X_.columns[e]] += X_.value(e);
    };
    return DensePanels<T, decltype(fill)>{*this, y_, weight_, fill};
}

// For a Hessian product, the point and the direction side by side; null where they are not worth it, or take too much
// memory beside the sums of chunks and the ranges of columns. It changes no bit.
template <class V, class I>
auto SparseSource<V, I>::make_pairs(const Pass<T>& pass, std::size_t bytes_of_sums, Workspace<T>& workspace,
                                    Interrupt& interrupt) const -> const T* {
    const std::size_t d = this->n_columns, taken = bytes_of_sums + ranges_.n_bytes();
    const bool few = cost_of(pass.rows) < entries_a_pair * d;
    const bool many = 2 * d * sizeof(T) + taken > spare_bytes + most_bytes_of_row * this->n_rows;
    if (pass.work != Work::hessian_product || pass.point.n_scores > 1 || few || many) return nullptr;
    workspace.pairs.resize(2 * d);
    T* pairs = workspace.pairs.data();
    const T *w = pass.point.of(0), *v = pass.direction.of(0);
    for_each_task(parts_of(d, task_columns), threads_in_use(), interrupt, [&](std::size_t task, int) {
        const std::size_t first = task * task_columns, last = std::min(first + task_columns, d);
        for (std::size_t j = first; j < last; ++j) pairs[2 * j] = w[j], pairs[2 * j + 1] = v[j];
    });
    return pairs;
}

// For several scores, the numbers of all of them at a column side by side, those of the point before those of the
// direction; null where they are not worth it or take too much memory beside the sums of chunks. In float64 it changes
// last bits, so the data alone decide.
template <class V, class I>
auto SparseSource<V, I>::make_beside(const Pass<T>& pass, std::size_t bytes_of_sums, Workspace<T>& workspace,
                                     Interrupt& interrupt) const -> const T* {
    const std::size_t d = this->n_columns, k = pass.point.n_scores,
                      n_vectors = pass.work == Work::hessian_product ? 2 : 1;
    const std::size_t bytes_of_column = k * (n_vectors * sizeof(T) + (pass.work != Work::value) * sizeof(double));
    const bool few = cost_of(pass.rows) < entries_a_pair * d;
    const std::size_t taken = bytes_of_sums + d * bytes_of_column;
    if (k < 2 || few || taken > spare_bytes + k * most_bytes_of_row * this->n_rows) return nullptr;
    workspace.pairs.resize(n_vectors * k * d);
    T* beside = workspace.pairs.data();
    put_beside(pass.point, beside, interrupt);
    if (n_vectors == 2) put_beside(pass.direction, beside + k * d, interrupt);
    return beside;
}

template <class V, class I>
double* SparseSource<V, I>::sums(const Pass<T>& whole, Workspace<T>& workspace, Interrupt& interrupt) const {
    if (whole.blocks) return panels().sums(whole, workspace, interrupt);  // columns standardised block by block
    const std::size_t n_chunks = count_chunks_of(*this, whole, facts_.longest > long_row ? facts_.longest : 0);
    const std::size_t bytes_of_sums = (n_chunks - 1) * whole.shape().size() * sizeof(double);
    Pass<T> pass = whole;
    pass.pairs = make_pairs(whole, bytes_of_sums, workspace, interrupt);
    pass.beside = make_beside(whole, bytes_of_sums, workspace, interrupt);
    double* sums = add_chunks(
        pass, n_chunks, cost_of(pass.rows), workspace, interrupt,
        [&](std::size_t chunk, double* own) { add_chunk(pass, chunk, n_chunks, own); },
        [&](std::size_t chunk, double* own) { add_chunk_by_columns(pass, chunk, n_chunks, own, interrupt); });
    return pass.beside && pass.work != Work::value ? turn_sums(pass.shape(), sums, workspace, interrupt) : sums;
}

// Adds rows, by the numbers that score_block left at z, to the gradients of a chunk's sums.
template <class V, class I>
void SparseSource<V, I>::add_block(const Pass<T>& pass, const ListedRows& rows, const T* z, std::size_t step,
                                   const SparsePart& part, double* sums) const {
    const SparseKernels<V, I>& kernels = sparse_kernels_of<V, I>();
    const std::size_t k = pass.point.n_scores;
    if (pass.beside) return kernels.add_rows_beside(X_, rows, z, step, k, part, sums + 1 + k);
    for (std::size_t c = 0; c < k; ++c) kernels.add_rows(X_, rows, z + c * step, part, sums + pass.shape().gradient(c));
}

template <class V, class I>
HessianSums SparseSource<V, I>::hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const {
    if (!supports(Capability::hessian)) return Source<T>::hessian(pass, with_gradient, interrupt);
    return panels().hessian(pass, with_gradient, interrupt);
}

// The number of blocks that a chunk of rows is cut into; its losses and slopes are added up block by block.
template <class V, class I>
std::size_t SparseSource<V, I>::count_blocks(const ListedRows& rows) const {
    if (rows.index) return std::max<std::size_t>(parts_of(rows.count, listed_rows), 1);
    const std::size_t cost = cost_before(rows.first + rows.count) - cost_before(rows.first);
    return std::max<std::size_t>(parts_of(cost, block_cost), 1);
}

// Scores of a block of rows, with its losses and slopes added to `own`, 1 + n_scores numbers.
template <class V, class I>
void SparseSource<V, I>::score_block(const Pass<T>& pass, const ListedRows& rows, T* z, T* u, std::size_t step,
                                     double* own) const {
    T y[block_rows], weight[block_rows];
    for (std::size_t first = 0; first < rows.count; first += block_rows) {
        const ListedRows some{rows.index, rows.first + first, std::min(rows.count - first, block_rows)};
        ScoreBlock<T> block{z + first,  u ? u + first : nullptr, step,
                            some.count, y_ + some.first,         weight_ ? weight_ + some.first : nullptr};
        if (rows.index) {
            for (std::size_t i = 0; i < some.count; ++i) {
                y[i] = y_[some.row(i)];
                if (weight_) weight[i] = weight_[some.row(i)];
            }
            block.y = y;
            if (weight_) block.weight = weight;
        }
        score(pass, some, block, own, own + 1);
        for (std::size_t i = 0; block.weight && i < some.count; ++i) {
            if (block.weight[i] != T(0)) continue;
            for (std::size_t c = 0; c < pass.point.n_scores; ++c) block.z[c * step + i] = absent_row<T>;
        }
    }
}

// The sums of a chunk of rows, by the calling thread alone.
template <class V, class I>
void SparseSource<V, I>::add_chunk(const Pass<T>& pass, std::size_t chunk, std::size_t n_chunks, double* sums) const {
    const std::size_t k = pass.point.n_scores;
    const bool accumulates = pass.work != Work::value, directed = pass.work == Work::hessian_product;
    const ListedRows all = rows_between(pass.rows, chunk, n_chunks);
    const Selection selection = selection_of(all);
    const std::size_t n_blocks = count_blocks(all);
    std::fill_n(sums, accumulates ? pass.shape().size() : 1, 0.0);
    std::vector<T> scores;
    std::vector<double> own(1 + k);
    Interrupt never(nullptr);
    for (std::size_t b = 0; b < n_blocks; ++b) {
        const ListedRows rows = rows_between(selection, b, n_blocks);
        const std::size_t n = rows.count;
        scores.resize(std::max(scores.size(), n * k * (1 + directed)));
        T *z = scores.data(), *u = directed ? z + n * k : nullptr;
        if (facts_.longest > long_row) multiply_long_rows(pass, rows, z, u, n, 1, never);
        std::fill(own.begin(), own.end(), 0.0);
        score_block(pass, rows, z, u, n, own.data());
        sums[0] += own[0];
        if (!accumulates) continue;
        for (std::size_t c = 0; c < k; ++c) sums[slope_of(pass, c)] += own[1 + c];
        add_block(pass, rows, z, n, {nullptr, nullptr, false, 0, this->n_columns}, sums);
    }
}

// The products of the rows that are longer than `long_row`, each in parts that the threads share.
template <class V, class I>
void SparseSource<V, I>::multiply_long_rows(const Pass<T>& pass, const ListedRows& rows, T* z, T* u, std::size_t step,
                                            int n_threads, Interrupt& interrupt) const {
    std::vector<double> parts;
    const auto product = sparse_kernels_of<V, I>().product;
    for (std::size_t i = 0; i < rows.count; ++i) {
        const std::size_t row = rows.row(i), start = X_.start(row), length = X_.start(row + 1) - start;
        if (length <= long_row) continue;
        const std::size_t n_parts = parts_of(length, long_row);
        parts.resize(n_parts);
        const auto multiply = [&](const T* w) {
            for_each_task(n_parts, n_threads, interrupt, [&](std::size_t part, int) {
                const std::size_t first = start + part * long_row;
                parts[part] = product(X_, first, std::min(first + long_row, start + length), w);
            });
            double sum = 0.0;
            for (std::size_t part = 0; part < n_parts; ++part) sum += parts[part];
            return T(sum);
        };
        for (std::size_t c = 0; c < pass.point.n_scores; ++c) {
            z[c * step + i] = multiply(pass.point.of(c));
            if (u) u[c * step + i] = multiply(pass.direction.of(c));
        }
    }
}

// The same sums as add_chunk, by all threads, panel after panel of rows in two halves: blocks of rows are scored by any
// thread, and then added up by the threads, each in columns of its own.
template <class V, class I>
void SparseSource<V, I>::add_chunk_by_columns(const Pass<T>& pass, std::size_t chunk, std::size_t n_chunks,
                                              double* sums, Interrupt& interrupt) const {
    const std::size_t k = pass.point.n_scores;
    const bool accumulates = pass.work != Work::value, directed = pass.work == Work::hessian_product;
    const int n_threads = threads_in_use();
    const std::size_t n_owners = accumulates ? ranges_.prepare(std::size_t(n_threads), n_chunks > 1, interrupt) : 1;
    const ListedRows all = rows_between(pass.rows, chunk, n_chunks);
    const Selection selection = selection_of(all);
    const std::size_t n_blocks = count_blocks(all);
    std::vector<T> scores;
    std::vector<double> own(panel_blocks * (1 + k));
    sums[0] = 0.0;
    for (std::size_t c = 0; accumulates && c < k; ++c) sums[slope_of(pass, c)] = 0.0;
    for (std::size_t first = 0; first < n_blocks; first += panel_blocks) {
        const std::size_t last = std::min(first + panel_blocks, n_blocks);
        const std::size_t begin = rows_between(selection, first, n_blocks).first;
        const ListedRows end = rows_between(selection, last - 1, n_blocks);
        const ListedRows rows{selection.index, begin, end.first + end.count - begin};
        const std::size_t n = rows.count;
        scores.resize(std::max(scores.size(), n * k * (1 + directed)));
        T *z = scores.data(), *u = directed ? z + n * k : nullptr;
        if (facts_.longest > long_row) multiply_long_rows(pass, rows, z, u, n, n_threads, interrupt);
        std::fill(own.begin(), own.end(), 0.0);
        for_each_task(last - first, n_threads, interrupt, [&](std::size_t b, int) {
            const ListedRows some = rows_between(selection, first + b, n_blocks);
            const std::size_t at = some.first - begin;
            score_block(pass, some, z + at, u ? u + at : nullptr, n, own.data() + b * (1 + k));
        });
        for (std::size_t b = 0; b < last - first; ++b) {
            sums[0] += own[b * (1 + k)];
            for (std::size_t c = 0; accumulates && c < k; ++c) sums[slope_of(pass, c)] += own[b * (1 + k) + 1 + c];
        }
        if (!accumulates) continue;
        for_each_task(n_owners, int(n_owners), interrupt, [&](std::size_t owner, int) {
            const SparsePart part = ranges_.part(owner, n_owners);
            if (first == 0) clear_part(pass, part, sums);
            add_block(pass, rows, z, n, part, sums);
        });
    }
}

#define STEEPEST_INSTANTIATE(V, I) template class SparseSource<V, I>;
STEEPEST_FOR_EACH_SPARSE(STEEPEST_INSTANTIATE)

}  // namespace steepest
