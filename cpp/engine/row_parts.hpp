// How a source of rows of unequal length cuts them into parts of about the same cost: what the CSR source and the one
// of groups of columns share.
#pragma once

#include <algorithm>
#include <cstddef>

#include "cpp/engine/chunks.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/source.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

constexpr std::size_t row_cost = 16;  // of a row, in entries
constexpr std::size_t spare_bytes = std::size_t(1) << 20, spare_bytes_of_row = 16;  // that sums of chunks may take
constexpr std::size_t few_chunks = 8;
constexpr std::size_t panel_cost = std::size_t(1) << 20;  // of rows between the two halves of a pass by all threads
// Up to so many columns, rows are made dense, panel by panel, where a kernel needs all of their columns.
constexpr std::size_t most_dense_columns = 4096;

// Part number `part` of n of a selection: of about the same cost or, where rows are listed, of as many rows. Rows that
// follow each other begin in the part; the last may be longer than all of it. cost_before(row) is the cost of all rows
// before one.
template <class CostBefore>
ListedRows rows_between(const Selection& all, std::size_t part, std::size_t n, CostBefore cost_before) {
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

// About how many entries the rows of a pass have.
template <class T>
std::size_t entries_of(const Source<T>& source, const Selection& rows) {
    if (!rows.index) return source.n_elements();
    return std::size_t(double(source.n_elements()) * (double(rows.count) / double(source.n_rows)));
}

// How many chunks of rows have sums of their own: by the data and the pass alone, as it decides the order of addition.
// One row that is much of X, of `longest` entries, is left to threads that share the columns.
template <class T>
std::size_t count_chunks_of(const Source<T>& source, const Pass<T>& pass, std::size_t longest) {
    const std::size_t n_rows = pass.rows.count, entries = entries_of(source, pass.rows);
    const std::size_t work = (entries + n_rows * row_cost) * std::max<std::size_t>(pass.point.n_scores / 2, 1);
    if (longest > entries / 16) return 1;
    const std::size_t n_sums = pass.work == Work::value ? 1 : pass.shape().size();
    const std::size_t enough = std::clamp<std::size_t>(work / large_chunk, few_chunks, max_chunks);
    const std::size_t room = 1 + (spare_bytes + n_rows * spare_bytes_of_row) / (n_sums * sizeof(double));
    return std::max<std::size_t>(std::min({work / indexed_elements, enough, room, n_rows}), 1);
}

// The sums of all chunks. The threads take one each, by alone(chunk, sums), or all of them one after the other, by
// together(chunk, sums), where these are fewer than threads and not small. Both give the same bits.
template <class T, class Alone, class Together>
double* add_chunks(const Pass<T>& pass, std::size_t n_chunks, std::size_t cost, Workspace<T>& workspace,
                   Interrupt& interrupt, Alone alone, Together together) {
    const std::size_t n_threads = std::size_t(threads_in_use());
    const std::size_t stride = pass.work == Work::value ? 1 : pass.shape().size();
    workspace.partial.resize(n_chunks * stride);
    double* sums = workspace.partial.data();
    if (n_chunks >= n_threads || cost < 2 * panel_cost / n_threads) {
        for_each_task(n_chunks, int(n_threads), interrupt,
                      [&](std::size_t chunk, int) { alone(chunk, sums + chunk * stride); });
    } else {
        for (std::size_t chunk = 0; chunk < n_chunks; ++chunk) together(chunk, sums + chunk * stride);
    }
    if (n_chunks > 1) add_partials(sums, n_chunks, stride, int(n_threads));
    return sums;
}

// Makes of a block's scores its losses, and what its rows are added up with.
template <class T>
void apply_loss(const Pass<T>& pass, const ScoreBlock<T>& block, double* loss, double* slopes) {
    const ScoreKernels<T>& kernels = scores_of<T>(pass.loss);
    const auto kernel = pass.work == Work::value      ? kernels.value
                        : pass.work == Work::gradient ? kernels.gradient
                                                      : kernels.hessian_product;
    kernel(pass.loss.parameters, block, pass.point, pass.direction, loss, slopes);
}

}  // namespace steepest
