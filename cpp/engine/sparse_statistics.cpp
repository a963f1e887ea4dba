// Means and deviations of the columns of a sparse X.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/sparse.hpp"

namespace steepest {
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
    if (!merged) return kernel(sparse_kernels_of<V, I>(), X, ListedRows{nullptr, 0, X.n_rows}, weight, part);
    constexpr std::size_t rows_at_once = 1024;
    for (std::size_t first = 0; first < X.n_rows; first += rows_at_once) {
        const std::size_t last = std::min(first + rows_at_once, X.n_rows);
        const MergedRows<V, I> rows(X, first, last);
        kernel(sparse_kernels_of<ArithmeticOf<V>, I>(), rows.matrix(X.n_columns), ListedRows{nullptr, 0, last - first},
               weight ? weight + first : nullptr, part);
    }
}

// Whether columns are shared among threads. Each of these reads all entries of rows that are in no order, which takes
// longer than to add them up, unless the sums are far in memory.
template <class V, class I>
bool worth_sharing(const SparseMatrix<V, I>& X, bool in_order) {
    constexpr std::size_t few_entries = 1 << 18, few_columns = 1 << 17;
    return X.n_elements() > few_entries && (in_order || X.n_columns > few_columns);
}

}  // namespace

// The mean, and then the squares about it: those of the entries, and those of the rows that have none.
template <class V, class I>
void SparseSource<V, I>::column_statistics(double* mean, double* deviation, Interrupt& interrupt) const {
    const std::size_t d = this->n_columns;
    const bool merged = !facts_.distinct && has_duplicates(X_);
    // Rows made anew, with entries added up, have no ranges of their own: each of their entries is looked at.
    std::size_t n_owners = worth_sharing(X_, facts_.in_order) ? std::size_t(threads_in_use()) : 1;
    if (!merged) n_owners = ranges_.prepare(n_owners, false, interrupt);
    const std::vector<std::size_t> bounds = merged ? column_ranges(X_, n_owners) : std::vector<std::size_t>();
    double total = double(this->n_rows);
    if (weight_) {
        total = 0.0;
        for (std::size_t i = 0; i < this->n_rows; ++i) total += double(weight_[i]);
    }
    std::fill_n(mean, d, 0.0);
    std::fill_n(deviation, d, 0.0);
    for_each_task(n_owners, int(n_owners), interrupt, [&](std::size_t owner, int) {
        const SparsePart part = merged ? SparsePart{nullptr, nullptr, n_owners > 1, bounds[owner], bounds[owner + 1]}
                                       : ranges_.part(owner, n_owners);
        over_rows(X_, merged, weight_, part,
                  [&](const auto& kernels, const auto& X, const ListedRows& rows, const T* s,
                      const SparsePart& columns) { kernels.add_weights(X, rows, s, columns, deviation, mean); });
        for (std::size_t j = part.column; j < part.last_column; ++j) {
            mean[j] /= total;
            deviation[j] = std::max(total - deviation[j], 0.0) * (mean[j] * mean[j]);
        }
        over_rows(X_, merged, weight_, part,
                  [&](const auto& kernels, const auto& X, const ListedRows& rows, const T* s,
                      const SparsePart& columns) { kernels.add_squares(X, rows, s, columns, mean, deviation); });
        for (std::size_t j = part.column; j < part.last_column; ++j) deviation[j] = std::sqrt(deviation[j] / total);
    });
}

#define STEEPEST_INSTANTIATE(V, I) \
    template void SparseSource<V, I>::column_statistics(double* mean, double* deviation, Interrupt&) const;
STEEPEST_FOR_EACH_SPARSE(STEEPEST_INSTANTIATE)

}  // namespace steepest
