// How a source of rows of unequal length cuts them into parts of about the same cost: what the CSR source and the one
// of groups of columns share.
#pragma once

#include <cstddef>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/source.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

constexpr std::size_t row_cost = 16;  // of a row, in entries
constexpr std::size_t spare_bytes = std::size_t(1) << 20, spare_bytes_of_row = 16;  // that sums of chunks may take
constexpr std::size_t few_chunks = 8;
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
