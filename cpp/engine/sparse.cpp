#include "cpp/engine/sparse.hpp"

#include <atomic>
#include <cmath>
#include <string>

#include "cpp/engine/chunks.hpp"
#include "cpp/engine/dense.hpp"
#include "cpp/engine/dispatch.hpp"

namespace steepest {
namespace {

constexpr std::size_t row_cost = 16;                      // of a row, in entries
constexpr std::size_t block_cost = 8192;                  // of a block of rows, whose scores are made at once
constexpr std::size_t block_rows = block_cost / row_cost;  // of it, at most
constexpr std::size_t panel_cost = std::size_t(1) << 20;  // of rows between two halves of a pass
constexpr std::size_t long_row = std::size_t(1) << 17;    // entries; a longer one is multiplied in parts of as many
constexpr std::size_t spare_bytes = std::size_t(1) << 20, spare_bytes_of_row = 16;  // that sums of chunks may take
constexpr std::size_t few_chunks = 8;
// Up to so many columns, rows are made dense, panel by panel, where a kernel needs all of their columns.
constexpr std::size_t most_dense_columns = 8192;
constexpr std::size_t dense_panel = std::size_t(1) << 22;  // elements

std::size_t parts_of(std::size_t n, std::size_t size) { return (n + size - 1) / size; }

}  // namespace

template <class V, class I>
bool SparseSource<V, I>::supports(Capability capability) const {
    switch (capability) {
        case Capability::single_rows:
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

// Part number `part` of n of a selection: of about the same cost or, where rows are listed, of as many rows. Rows that
// follow each other begin in the part; the last may be longer than all of it.
template <class V, class I>
SparseRows SparseSource<V, I>::rows_between(const Selection& all, std::size_t part, std::size_t n) const {
    if (all.index) {
        const std::size_t first = all.count * part / n;
        return {all.index, first, all.count * (part + 1) / n - first};
    }
    const std::size_t begin = cost_before(all.begin), cost = cost_before(all.begin + all.count) - begin;
    const auto row_at = [&](std::size_t p) {
        const std::size_t target = begin + std::size_t(double(cost) * double(p) / double(n));
        std::size_t low = all.begin, high = all.begin + all.count;
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            if (cost_before(middle) < target) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    };
    const std::size_t first = row_at(part), last = part + 1 == n ? all.begin + all.count : row_at(part + 1);
    return {nullptr, first, last - first};
}

// Products and losses of a block of rows: what add_rows takes is then at block.z.
template <class V, class I>
void SparseSource<V, I>::score(const Pass<T>& pass, const SparseRows& rows, std::size_t longest,
                               const ScoreBlock<T>& block, double* loss, double* slopes) const {
    const auto products = sparse_kernels_of<V, I>().products;
    for (std::size_t c = 0; c < pass.point.n_scores; ++c) {
        products(X_, rows, pass.point.of(c), longest, block.z + c * block.step);
        if (block.u) products(X_, rows, pass.direction.of(c), longest, block.u + c * block.step);
    }
    const ScoreKernels<T>& kernels = scores_of<T>(pass.loss);
    const auto kernel = pass.work == Work::value      ? kernels.value
                        : pass.work == Work::gradient ? kernels.gradient
                                                      : kernels.hessian_product;
    kernel(pass.loss.parameters, block, pass.point, pass.direction, loss, slopes);
}

template <class V, class I>
double* SparseSource<V, I>::sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    if (pass.blocks) return sums_of_dense(pass, workspace, interrupt);
    const std::size_t n_rows = pass.rows.count, k = pass.point.n_scores;
    const std::size_t entries =
        pass.rows.index ? std::size_t(double(n_elements()) * (double(n_rows) / double(this->n_rows))) : n_elements();
    const std::size_t work = (entries + n_rows * row_cost) * std::max<std::size_t>(k / 2, 1);
    const std::size_t n_sums = pass.work == Work::value ? 1 : pass.shape().size();
    const std::size_t wanted = std::min<std::size_t>(
        std::max<std::size_t>(n_rows, 1),
        std::max<std::size_t>(
            std::min<std::size_t>(work / indexed_elements,
                                  std::clamp<std::size_t>(work / large_chunk, few_chunks, max_chunks)),
            1));
    const std::size_t room = (spare_bytes + n_rows * spare_bytes_of_row) / (n_sums * sizeof(double));
    const bool uneven = wanted > 1 && facts_.longest > std::max(entries / 16, long_row);
    if (!uneven && (wanted <= room || room >= few_chunks || wanted == 1))
        return sums_of_chunks(pass, std::max<std::size_t>(std::min(wanted, room), 1), workspace, interrupt);
    return sums_by_columns(pass, workspace, interrupt);
}

// Calls add(source of dense rows) for panels of the rows, one after the other.
template <class V, class I>
template <class Add>
void SparseSource<V, I>::over_dense_panels(const Selection& rows, Interrupt& interrupt, Add add) const {
    const std::size_t d = this->n_columns, most = std::max<std::size_t>(dense_panel / d, 1);
    std::vector<T> x, y, weight;
    for (std::size_t first = 0; first < rows.count; first += most) {
        const std::size_t n = std::min(most, rows.count - first);
        x.assign(n * d, T(0));
        y.resize(n);
        weight.resize(weight_ ? n : 0);
        for_each_task(n, threads_in_use(), interrupt, [&](std::size_t i, int) {
            const std::size_t row = rows.index ? rows.index[first + i] : rows.begin + first + i;
            y[i] = y_[row];
            if (weight_) weight[i] = weight_[row];
            for (std::size_t e = X_.start(row); e < X_.start(row + 1); ++e) {
                x[i * d + std::size_t(X_.columns[e])] += X_.value(e);
            }
        });
        add(DenseSource<T>({x.data(), n, d, Order::row_major}, y.data(), weight_ ? weight.data() : nullptr,
                           this->weight_sum));
    }
}

// Of columns that kernels must standardise block by block.
template <class V, class I>
double* SparseSource<V, I>::sums_of_dense(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    std::vector<double> total;
    over_dense_panels(pass.rows, interrupt, [&](const DenseSource<T>& panel) {
        Pass<T> part = pass;
        part.rows = panel.all_rows();
        const double* sums = panel.sums(part, workspace, interrupt);
        total.resize(pass.work == Work::value ? 1 : pass.shape().size());
        for (std::size_t i = 0; i < total.size(); ++i) total[i] += sums[i];
    });
    workspace.partial = std::move(total);
    return workspace.partial.data();
}

template <class V, class I>
HessianSums SparseSource<V, I>::hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const {
    if (!supports(Capability::hessian)) return Source<T>::hessian(pass, with_gradient, interrupt);
    HessianSums total{};
    over_dense_panels(pass.rows, interrupt, [&](const DenseSource<T>& panel) {
        Pass<T> part = pass;
        part.rows = panel.all_rows();
        HessianSums sums = panel.hessian(part, with_gradient, interrupt);
        // The sums of the panel's chunks stand first; what follows belongs to the chunks.
        if (total.values.empty()) {
            total = std::move(sums);
        } else {
            for (std::size_t i = 0; i < std::min(total.values.size(), sums.values.size()); ++i)
                total.values[i] += sums.values[i];
        }
    });
    return total;
}

// Chunks of rows, each with sums of its own, which are few beside X.
template <class V, class I>
double* SparseSource<V, I>::sums_of_chunks(const Pass<T>& pass, std::size_t n_chunks, Workspace<T>& workspace,
                                           Interrupt& interrupt) const {
    const std::size_t k = pass.point.n_scores, d = this->n_columns;
    const SumsShape shape = pass.shape();
    const bool accumulates = pass.work != Work::value, directed = pass.work == Work::hessian_product;
    const std::size_t stride = accumulates ? shape.size() : 1;
    const int n_threads = int(std::min<std::size_t>(std::size_t(threads_in_use()), n_chunks));
    const std::size_t scratch_size = block_rows * (k * (1 + directed) + 2);
    workspace.partial.assign(n_chunks * stride, 0.0);
    workspace.scratch.resize(std::size_t(n_threads) * scratch_size);
    std::vector<double> slopes(std::size_t(n_threads) * k);
    for_each_task(n_chunks, n_threads, interrupt, [&](std::size_t chunk, int thread) {
        double *sums = workspace.partial.data() + chunk * stride, *slope = slopes.data() + std::size_t(thread) * k;
        T* z = workspace.scratch.data() + std::size_t(thread) * scratch_size;
        T *u = directed ? z + k * block_rows : nullptr, *y = z + block_rows * k * (1 + directed), *s = y + block_rows;
        SparseRows rows = rows_between(pass.rows, chunk, n_chunks);
        for (std::size_t end = rows.first + rows.count; rows.first < end; rows.first += rows.count) {
            rows.count = std::min(end - rows.first, block_rows);
            if (!rows.index) {
                const std::size_t most = cost_before(rows.first) + block_cost;
                std::size_t n = 1;
                while (n < rows.count && cost_before(rows.first + n) < most) ++n;
                rows.count = n;
            }
            ScoreBlock<T> block{
                z, u, block_rows, rows.count, y_ + rows.first, weight_ ? weight_ + rows.first : nullptr};
            if (rows.index) {
                for (std::size_t i = 0; i < rows.count; ++i) {
                    y[i] = y_[rows.row(i)];
                    if (weight_) s[i] = weight_[rows.row(i)];
                }
                block.y = y;
                block.weight = weight_ ? s : nullptr;
            }
            std::fill_n(slope, k, 0.0);
            score(pass, rows, SIZE_MAX, block, sums, slope);
            for (std::size_t c = 0; accumulates && c < k; ++c) {
                sums[shape.slope(c)] += slope[c];
                sparse_kernels_of<V, I>().add_rows(X_, rows, z + c * block_rows, {nullptr, nullptr, false, 0, d},
                                                   sums + shape.gradient(c));
            }
        }
    });
    if (n_chunks > 1) add_partials(workspace.partial, n_chunks, stride, n_threads);
    return workspace.partial.data();
}

// The products of the rows that are longer than `long_row`, each shared among the threads.
template <class V, class I>
void SparseSource<V, I>::multiply_long_rows(const Pass<T>& pass, const SparseRows& rows, const ScoreBlock<T>& block,
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
            block.z[c * block.step + i] = multiply(pass.point.of(c));
            if (block.u) block.u[c * block.step + i] = multiply(pass.direction.of(c));
        }
    }
}

// Panels of rows, one after the other, in two halves: blocks of rows are scored by any thread, and then added up by the
// threads, each in columns of its own.
template <class V, class I>
double* SparseSource<V, I>::sums_by_columns(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    const std::size_t k = pass.point.n_scores;
    const SumsShape shape = pass.shape();
    const bool accumulates = pass.work != Work::value, directed = pass.work == Work::hessian_product;
    const int n_threads = threads_in_use();
    const std::size_t n_owners = accumulates ? ranges_.prepare(std::size_t(n_threads), interrupt) : 1;
    const bool listed = pass.rows.index != nullptr;
    const std::size_t entries = listed ? pass.rows.count * (n_elements() / this->n_rows + 1) : n_elements();
    const std::size_t n_panels =
        parts_of(entries + pass.rows.count * row_cost, std::max(panel_cost / k, block_cost * 16));
    workspace.partial.assign(accumulates ? shape.size() : 1, 0.0);
    double* sums = workspace.partial.data();
    std::vector<double> of_blocks;
    for (std::size_t panel = 0; panel < n_panels; ++panel) {
        const SparseRows rows = rows_between(pass.rows, panel, n_panels);
        const std::size_t n = rows.count;
        if (n == 0) continue;
        workspace.scratch.resize(n * (k * (1 + directed) + (listed ? 2 : 0)));
        T *z = workspace.scratch.data(), *u = directed ? z + n * k : nullptr;
        ScoreBlock<T> all{z, u, n, n, y_ + rows.first, weight_ ? weight_ + rows.first : nullptr};
        if (listed) {
            T *y = z + n * k * (1 + directed), *s = y + n;
            for (std::size_t i = 0; i < n; ++i) {
                y[i] = y_[rows.row(i)];
                if (weight_) s[i] = weight_[rows.row(i)];
            }
            all.y = y;
            all.weight = weight_ ? s : nullptr;
        }
        if (facts_.longest > long_row) multiply_long_rows(pass, rows, all, n_threads, interrupt);
        const Selection selection{rows.index ? rows.index + rows.first : nullptr, rows.index ? 0 : rows.first, n, 0};
        const std::size_t n_blocks = std::max<std::size_t>(
            listed ? parts_of(n, 256) : parts_of(cost_before(rows.first + n) - cost_before(rows.first), block_cost), 1);
        of_blocks.assign(n_blocks * (1 + k), 0.0);
        for_each_task(n_blocks, n_threads, interrupt, [&](std::size_t b, int) {
            const SparseRows some = rows_between(selection, b, n_blocks);
            if (some.count == 0) return;
            const std::size_t at = some.first - (listed ? 0 : rows.first);
            const ScoreBlock<T> block{z + at,     u ? u + at : nullptr, n,
                                      some.count, all.y + at,           all.weight ? all.weight + at : nullptr};
            double* own = of_blocks.data() + b * (1 + k);
            score(pass, some, long_row, block, own, own + 1);
        });
        for (std::size_t b = 0; b < n_blocks; ++b) {
            const double* own = of_blocks.data() + b * (1 + k);
            sums[0] += own[0];
            for (std::size_t c = 0; accumulates && c < k; ++c) sums[shape.slope(c)] += own[1 + c];
        }
        if (!accumulates) continue;
        for_each_task(n_owners, int(n_owners), interrupt, [&](std::size_t owner, int) {
            const SparsePart part = ranges_.part(owner, n_owners);
            for (std::size_t c = 0; c < k; ++c)
                sparse_kernels_of<V, I>().add_rows(X_, rows, z + c * n, part, sums + shape.gradient(c));
        });
    }
    return sums;
}

namespace {

// The rows [first, last) with entries of the same column added up, in the order of their columns.
template <class V, class I>
struct MergedRows {
    using T = ArithmeticOf<V>;
    std::vector<T> values;
    std::vector<I> columns;
    std::vector<std::int64_t> starts{0};

    MergedRows(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last) {
        std::vector<std::pair<I, std::size_t>> order;
        for (std::size_t row = first; row < last; ++row) {
            order.clear();
            for (std::size_t e = X.start(row); e < X.start(row + 1); ++e) order.emplace_back(X.columns[e], e);
            std::sort(order.begin(), order.end());
            for (std::size_t i = 0; i < order.size(); ++i) {
                const T value = X.value(order[i].second);
                if (i > 0 && order[i].first == order[i - 1].first) {
                    values.back() += value;
                } else {
                    columns.push_back(order[i].first);
                    values.push_back(value);
                }
            }
            starts.push_back(std::int64_t(columns.size()));
        }
    }
    SparseMatrix<T, I> matrix(std::size_t n_columns) const {
        return {values.data(), columns.data(), starts.data(), true, starts.size() - 1, n_columns};
    }
};

template <class V, class I>
bool has_duplicates(const SparseMatrix<V, I>& X) {
    std::vector<std::uint32_t> last_row(X.n_columns, UINT32_MAX);
    for (std::size_t row = 0; row < X.n_rows; ++row) {
        for (std::size_t e = X.start(row); e < X.start(row + 1); ++e) {
            std::uint32_t& last = last_row[std::size_t(X.columns[e])];
            if (last == std::uint32_t(row)) return true;
            last = std::uint32_t(row);
        }
    }
    return false;
}

// Calls kernel(kernels, X, rows, weights, part) over all rows for the columns of one thread.
template <class V, class I, class Kernel>
void over_rows(const SparseMatrix<V, I>& X, bool merged, const ArithmeticOf<V>* weight, const SparsePart& part,
               Kernel kernel) {
    if (!merged) return kernel(sparse_kernels_of<V, I>(), X, SparseRows{nullptr, 0, X.n_rows}, weight, part);
    constexpr std::size_t rows_at_once = 1024;
    for (std::size_t first = 0; first < X.n_rows; first += rows_at_once) {
        const std::size_t last = std::min(first + rows_at_once, X.n_rows);
        const MergedRows<V, I> rows(X, first, last);
        kernel(sparse_kernels_of<ArithmeticOf<V>, I>(), rows.matrix(X.n_columns), SparseRows{nullptr, 0, last - first},
               weight ? weight + first : nullptr, part);
    }
}

}  // namespace

// The mean, and then the squares about it: those of the entries, and those of the rows that have none.
template <class V, class I>
void SparseSource<V, I>::column_statistics(double* mean, double* deviation, Interrupt& interrupt) const {
    const std::size_t d = this->n_columns, n_owners = std::size_t(threads_in_use());
    const std::vector<std::size_t> bounds = column_ranges(X_, n_owners);
    const bool merged = !facts_.distinct && has_duplicates(X_);
    double total = double(this->n_rows);
    if (weight_) {
        total = 0.0;
        for (std::size_t i = 0; i < this->n_rows; ++i) total += double(weight_[i]);
    }
    std::fill_n(mean, d, 0.0);
    std::fill_n(deviation, d, 0.0);
    for_each_task(n_owners, int(n_owners), interrupt, [&](std::size_t owner, int) {
        const SparsePart part{nullptr, nullptr, n_owners > 1, bounds[owner], bounds[owner + 1]};
        over_rows(X_, merged, weight_, part,
                  [&](const auto& kernels, const auto& X, const SparseRows& rows, const T* s,
                      const SparsePart& columns) { kernels.add_weights(X, rows, s, columns, deviation, mean); });
        for (std::size_t j = part.column; j < part.last_column; ++j) {
            mean[j] /= total;
            deviation[j] = std::max(total - deviation[j], 0.0) * (mean[j] * mean[j]);
        }
        over_rows(X_, merged, weight_, part,
                  [&](const auto& kernels, const auto& X, const SparseRows& rows, const T* s,
                      const SparsePart& columns) { kernels.add_squares(X, rows, s, columns, mean, deviation); });
        for (std::size_t j = part.column; j < part.last_column; ++j) deviation[j] = std::sqrt(deviation[j] / total);
    });
}

template <class V, class I>
SparseFacts checked_facts(const SparseMatrix<V, I>& X, std::size_t n_entries, Interrupt& interrupt) {
    constexpr std::size_t task_rows = 4096;
    const std::size_t n_tasks = parts_of(X.n_rows, task_rows);
    if (X.start(0) != 0)
        throw std::invalid_argument("X: indptr must begin with 0, got " + std::to_string(std::int64_t(X.start(0))));
    const auto each_row = [&](auto look) {
        for_each_task(n_tasks, threads_in_use(), interrupt, [&](std::size_t task, int) {
            look(task, task * task_rows, std::min((task + 1) * task_rows, X.n_rows));
        });
    };
    std::atomic<std::size_t> wrong{X.n_rows};
    const auto note = [&](std::size_t row) {
        std::size_t least = wrong;
        while (row < least && !wrong.compare_exchange_weak(least, row)) {
        }
    };
    each_row([&](std::size_t, std::size_t first, std::size_t last) {
        for (std::size_t row = first; row < last; ++row)
            if (X.start(row + 1) < X.start(row) || X.start(row + 1) > n_entries) return note(row);
    });
    if (wrong < X.n_rows) {
        const auto at = [&](std::size_t row) { return std::to_string(std::int64_t(X.start(row))); };
        throw std::invalid_argument("X: indptr must rise from 0 to at most the " + std::to_string(n_entries) +
                                    " indices, got " + at(wrong) + " and then " + at(wrong + 1) + " at row " +
                                    std::to_string(wrong));
    }
    std::vector<SparseFacts> facts(n_tasks);
    each_row([&](std::size_t task, std::size_t first, std::size_t last) {
        SparseFacts& own = facts[task];
        for (std::size_t row = first; row < last; ++row) {
            const std::size_t begin = X.start(row), end = X.start(row + 1);
            own.longest = std::max(own.longest, end - begin);
            bool in_range = true, rises = true, falls = false;
            for (std::size_t e = begin; e < end; ++e) {
                in_range &= std::size_t(X.columns[e]) < X.n_columns;  // a negative one is large
                if (e == begin) continue;
                rises &= X.columns[e - 1] < X.columns[e];
                falls |= X.columns[e - 1] > X.columns[e];
            }
            if (!in_range) return note(row);
            own.distinct &= rises;
            own.in_order &= !falls;
        }
    });
    if (wrong < X.n_rows) {
        std::size_t e = X.start(wrong);
        while (std::size_t(X.columns[e]) < X.n_columns) ++e;
        throw std::invalid_argument("X: indices must be from 0 to " + std::to_string(std::int64_t(X.n_columns) - 1) +
                                    ", got " + std::to_string(std::int64_t(X.columns[e])) + " in row " +
                                    std::to_string(wrong));
    }
    SparseFacts all;
    for (const SparseFacts& own : facts) {
        all.in_order &= own.in_order;
        all.distinct &= own.distinct;
        all.longest = std::max(all.longest, own.longest);
    }
    return all;
}

#define STEEPEST_INSTANTIATE(V, I)     \
    template class SparseSource<V, I>; \
    template SparseFacts checked_facts(const SparseMatrix<V, I>&, std::size_t, Interrupt&);
STEEPEST_FOR_EACH_SPARSE(STEEPEST_INSTANTIATE)

}  // namespace steepest
