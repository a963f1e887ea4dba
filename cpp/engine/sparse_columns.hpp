// How the columns of a sparse X are shared among threads: each thread adds up its own range of them, over all rows in
// their order, so that the number of threads changes no bit and no thread needs sums of its own.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "cpp/engine/threads.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

// A number of 32 bits a row and inner bound is kept: at most 28 bytes a row, 16 beside sums of several chunks.
constexpr std::size_t most_ranges = 8, most_ranges_beside_sums = 5;

// The bounds of n ranges of columns with about the same number of entries, by some of the entries.
template <class V, class I>
std::vector<std::size_t> column_ranges(const SparseMatrix<V, I>& X, std::size_t n) {
    constexpr std::size_t looked_at = 1 << 14;
    const std::size_t n_entries = X.n_elements(), some = std::min(n_entries, looked_at);
    std::vector<std::size_t> columns(some), bounds(n + 1, 0);
    for (std::size_t i = 0; i < some; ++i) columns[i] = std::size_t(X.columns[n_entries / some * i]);
    std::sort(columns.begin(), columns.end());
    for (std::size_t r = 1; r < n; ++r) bounds[r] = some ? columns[some * r / n] : 0;
    bounds[n] = X.n_columns;
    return bounds;
}

// The ranges, and where each begins in every row. They are made when a pass first needs them.
template <class V, class I>
class ColumnRanges {
  public:
    ColumnRanges(const SparseMatrix<V, I>& X, bool in_order) : X_(X), in_order_(in_order) {}

    // How many threads can share the columns.
    std::size_t prepare(std::size_t n_threads, bool beside_sums, Interrupt& interrupt) {
        if (n_threads < 2) return 1;
        const std::lock_guard lock(making_);
        if (bounds_.empty()) make(std::min(n_threads, beside_sums ? most_ranges_beside_sums : most_ranges), interrupt);
        return std::min(n_threads, bounds_.size() - 1);
    }

    // Of thread `thread` of n, as many as `prepare` said.
    SparsePart part(std::size_t thread, std::size_t n) const {
        if (n == 1) return {nullptr, nullptr, false, 0, X_.n_columns};
        const std::size_t ranges = bounds_.size() - 1, first = ranges * thread / n, last = ranges * (thread + 1) / n;
        return {start_of(first), start_of(last), !in_order_, bounds_[first], bounds_[last]};
    }

    // That the ranges take.
    std::size_t n_bytes() {
        const std::lock_guard lock(making_);
        return starts_.size() * sizeof(std::uint32_t);
    }

  private:
    const std::uint32_t* start_of(std::size_t range) const {
        const bool inner = in_order_ && range > 0 && range + 1 < bounds_.size();
        return inner ? starts_.data() + (range - 1) * X_.n_rows : nullptr;
    }

    void make(std::size_t n, Interrupt& interrupt) {
        constexpr std::size_t task_rows = 4096;
        std::vector<std::size_t> bounds = column_ranges(X_, n);
        std::vector<std::uint32_t> starts(in_order_ ? (n - 1) * X_.n_rows : 0);
        const std::size_t n_tasks = in_order_ ? (X_.n_rows + task_rows - 1) / task_rows : 0;
        for_each_task(n_tasks, threads_in_use(), interrupt, [&](std::size_t task, int) {
            const std::size_t last = std::min((task + 1) * task_rows, X_.n_rows);
            for (std::size_t row = task * task_rows; row < last; ++row) {
                const I *from = X_.columns + X_.start(row), *to = X_.columns + X_.start(row + 1), *at = from;
                for (std::size_t r = 1; r < n; ++r) {
                    at = std::lower_bound(at, to, bounds[r],
                                          [](I column, std::size_t bound) { return std::size_t(column) < bound; });
                    starts[(r - 1) * X_.n_rows + row] = std::uint32_t(at - from);
                }
            }
        });
        starts_ = std::move(starts);
        bounds_ = std::move(bounds);
    }

    SparseMatrix<V, I> X_;
    bool in_order_;
    std::mutex making_;
    std::vector<std::size_t> bounds_;
    std::vector<std::uint32_t> starts_;
};

}  // namespace steepest
