#include "cpp/engine/grouped.hpp"

#include <algorithm>

#include "cpp/engine/dense_panels.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/row_parts.hpp"

namespace steepest {
namespace {

constexpr std::size_t panel_rows = std::size_t(1) << 15;  // between two halves of a pass

template <class T>
std::size_t columns_of_groups(const ColumnGroups<T>& groups) {
    std::size_t n = 0;
    for (const auto& group : groups) n += group->n_columns;
    return n;
}

}  // namespace

// The scores of a block of rows, `step` apart, and its targets and weights.
template <class T>
struct GroupedSource<T>::Block {
    T *z, *u;
    std::size_t step;
    T *y, *weight;  // where rows are listed
};

template <class T>
GroupedSource<T>::GroupedSource(std::size_t n_rows, ColumnGroups<T> groups, const T* y, const T* weight,
                                double weight_sum)
    : Source<T>(n_rows, columns_of_groups(groups), weight_sum), groups_(std::move(groups)), y_(y), weight_(weight) {
    std::size_t first = 0;
    for (const auto& group : groups_) {
        first_columns_.push_back(first);
        first += group->n_columns;
    }
}

template <class T>
bool GroupedSource<T>::supports(Capability capability) const {
    switch (capability) {
        case Capability::single_rows:
        case Capability::two_points:
        case Capability::row_entries:
            return false;
        case Capability::hessian:
        case Capability::standardised_blocks:
            return this->n_columns <= most_dense_columns;
        default:
            return true;
    }
}

template <class T>
std::size_t GroupedSource<T>::entries_before(std::size_t row) const {
    std::size_t n = 0;
    for (const auto& group : groups_) n += group->entries_before(row);
    return n;
}

template <class T>
std::size_t GroupedSource<T>::cost_before(std::size_t row) const {
    return entries_before(row) + row * row_cost;
}

template <class T>
auto GroupedSource<T>::panels() const {
    const auto fill = [this](std::size_t row, T* x) {
        for (std::size_t g = 0; g < groups_.size(); ++g) groups_[g]->add_row(row, x + first_columns_[g]);
    };
    return DensePanels<T, decltype(fill)>{*this, y_, weight_, fill};
}

template <class T>
ListedRows GroupedSource<T>::rows_between(const Selection& all, std::size_t part, std::size_t n) const {
    return steepest::rows_between(all, part, n, [this](std::size_t row) { return cost_before(row); });
}

// Products and losses of at most group_rows rows: what add_rows takes is then at block.z.
template <class T>
void GroupedSource<T>::score(const Pass<T>& pass, const ListedRows& rows, const Block& block, double* loss,
                             double* slopes) const {
    const auto multiply = [&](const T* w, T* z) {
        double products[group_rows] = {};
        for (std::size_t g = 0; g < groups_.size(); ++g)
            groups_[g]->add_products(rows, w + first_columns_[g], products);
        for (std::size_t i = 0; i < rows.count; ++i) z[i] = T(products[i]);
    };
    for (std::size_t c = 0; c < pass.point.n_scores; ++c) {
        multiply(pass.point.of(c), block.z + c * block.step);
        if (block.u) multiply(pass.direction.of(c), block.u + c * block.step);
    }
    ScoreBlock<T> scores{block.z,    block.u,         block.step,
                         rows.count, y_ + rows.first, weight_ ? weight_ + rows.first : nullptr};
    if (rows.index) {
        for (std::size_t i = 0; i < rows.count; ++i) {
            block.y[i] = y_[rows.row(i)];
            if (weight_) block.weight[i] = weight_[rows.row(i)];
        }
        scores.y = block.y;
        scores.weight = weight_ ? block.weight : nullptr;
    }
    apply_loss(pass, scores, loss, slopes);
}

// Of the columns [first, last), the slopes of a score `step` after those of the one before.
template <class T>
void GroupedSource<T>::add_rows(const SumsShape& shape, const ListedRows& rows, const T* r, std::size_t step,
                                std::size_t first, std::size_t last, double* sums) const {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        const std::size_t start = first_columns_[g];
        const std::size_t from = std::max(first, start), to = std::min(last, start + groups_[g]->n_columns);
        for (std::size_t c = 0; from < to && c < shape.n_scores; ++c)
            groups_[g]->add_rows(rows, r + c * step, {from - start, to - start}, sums + shape.gradient(c) + start);
    }
}

template <class T>
double* GroupedSource<T>::sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    if (pass.blocks) return panels().sums(pass, workspace, interrupt);
    const std::size_t n_chunks = count_chunks_of(*this, pass, 0);
    const std::size_t cost = entries_of(*this, pass.rows) + pass.rows.count * row_cost;
    return add_chunks(
        pass, n_chunks, cost, workspace, interrupt,
        [&](std::size_t chunk, double* sums) { add_chunk(pass, rows_between(pass.rows, chunk, n_chunks), sums); },
        [&](std::size_t chunk, double* sums) {
            add_chunk_by_columns(pass, rows_between(pass.rows, chunk, n_chunks), sums, interrupt);
        });
}

template <class T>
HessianSums GroupedSource<T>::hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const {
    if (!supports(Capability::hessian)) return Source<T>::hessian(pass, with_gradient, interrupt);
    return panels().hessian(pass, with_gradient, interrupt);
}

// The sums of a chunk of rows, block after block, by the calling thread alone.
template <class T>
void GroupedSource<T>::add_chunk(const Pass<T>& pass, const ListedRows& chunk, double* sums) const {
    const std::size_t k = pass.point.n_scores;
    const SumsShape shape = pass.shape();
    const bool accumulates = pass.work != Work::value, directed = pass.work == Work::hessian_product;
    std::vector<T> scratch(group_rows * (k * (1 + directed) + 2));
    std::vector<double> own(1 + k);
    T *z = scratch.data(), *y = z + group_rows * k * (1 + directed);
    const Block block{z, directed ? z + k * group_rows : nullptr, group_rows, y, y + group_rows};
    std::fill_n(sums, accumulates ? shape.size() : 1, 0.0);
    for (std::size_t first = 0; first < chunk.count; first += group_rows) {
        const ListedRows rows{chunk.index, chunk.first + first, std::min(chunk.count - first, group_rows)};
        std::fill(own.begin(), own.end(), 0.0);
        score(pass, rows, block, own.data(), own.data() + 1);
        sums[0] += own[0];
        if (!accumulates) continue;
        for (std::size_t c = 0; c < k; ++c) sums[shape.slope(c)] += own[1 + c];
        add_rows(shape, rows, z, group_rows, 0, this->n_columns, sums);
    }
}

// The same sums as add_chunk, by all threads, panel after panel of rows in two halves: blocks of rows are scored by any
// thread, and then added up by the threads, each in columns of its own.
template <class T>
void GroupedSource<T>::add_chunk_by_columns(const Pass<T>& pass, const ListedRows& chunk, double* sums,
                                            Interrupt& interrupt) const {
    const std::size_t k = pass.point.n_scores, n_owners = std::size_t(threads_in_use()), d = this->n_columns;
    const SumsShape shape = pass.shape();
    const bool accumulates = pass.work != Work::value, directed = pass.work == Work::hessian_product;
    const std::size_t of_panel = std::max<std::size_t>(panel_rows / k / group_rows, 1) * group_rows;
    std::vector<T> scratch(of_panel * (k * (1 + directed) + 2));
    T *z = scratch.data(), *u = directed ? z + of_panel * k : nullptr, *y = z + of_panel * k * (1 + directed);
    std::vector<double> of_blocks;
    std::fill_n(sums, accumulates ? shape.size() : 1, 0.0);
    for (std::size_t first = 0; first < chunk.count; first += of_panel) {
        const std::size_t n = std::min(of_panel, chunk.count - first), n_blocks = (n + group_rows - 1) / group_rows;
        const auto rows_of = [&](std::size_t b) {
            const std::size_t at = b * group_rows;
            return ListedRows{chunk.index, chunk.first + first + at, std::min(group_rows, n - at)};
        };
        of_blocks.assign(n_blocks * (1 + k), 0.0);
        for_each_task(n_blocks, int(n_owners), interrupt, [&](std::size_t b, int) {
            const std::size_t at = b * group_rows;
            double* own = of_blocks.data() + b * (1 + k);
            const Block block{z + at, u ? u + at : nullptr, of_panel, y + at, y + of_panel + at};
            score(pass, rows_of(b), block, own, own + 1);
        });
        for (std::size_t b = 0; b < n_blocks; ++b) {
            const double* own = of_blocks.data() + b * (1 + k);
            sums[0] += own[0];
            for (std::size_t c = 0; accumulates && c < k; ++c) sums[shape.slope(c)] += own[1 + c];
        }
        for_each_task(accumulates ? n_owners : 0, int(n_owners), interrupt, [&](std::size_t owner, int) {
            for (std::size_t b = 0; b < n_blocks; ++b)
                add_rows(shape, rows_of(b), z + b * group_rows, of_panel, d * owner / n_owners,
                         d * (owner + 1) / n_owners, sums);
        });
    }
}

template <class T>
void GroupedSource<T>::column_statistics(double* mean, double* deviation, Interrupt& interrupt) const {
    for (std::size_t g = 0; g < groups_.size(); ++g)
        groups_[g]->column_statistics(weight_, mean + first_columns_[g], deviation + first_columns_[g], interrupt);
}

template class GroupedSource<float>;
template class GroupedSource<double>;

}  // namespace steepest
