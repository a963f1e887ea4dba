// The look at a sparse X before any kernel runs: are its arrays a matrix, and what shall passes know of its rows?
#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "cpp/engine/sparse.hpp"

namespace steepest {
namespace {

constexpr std::size_t task_rows = 4096;

}  // namespace

template <class V, class I>
SparseFacts checked_facts(const SparseMatrix<V, I>& X, std::size_t n_entries, Interrupt& interrupt) {
    const std::size_t n_tasks = (X.n_rows + task_rows - 1) / task_rows;
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

#define STEEPEST_INSTANTIATE(V, I) \
    template SparseFacts checked_facts(const SparseMatrix<V, I>&, std::size_t, Interrupt&);
STEEPEST_FOR_EACH_SPARSE(STEEPEST_INSTANTIATE)

}  // namespace steepest
