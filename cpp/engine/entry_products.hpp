// Products of the columns of some sparse rows: what the block of a Hessian is made of.
#pragma once

#include <cstddef>
#include <cstdint>

namespace steepest {

// Entries of rows, one after the other: their rows, in order, columns below `n_columns`, and values.
struct EntryList {
    const std::int64_t *rows, *columns;
    const double* values;
    std::size_t count, n_columns;
};

// Adds to `block`, symmetric, (n_columns + 1) x (n_columns + 1), the sum over rows of curvature[row] x x^T. The last
// number of every x is 1, and the last corner is not added to. Every element is a sum over the rows in their order, so
// the number of threads changes no bit.
void add_products(const EntryList& entries, const double* curvature, double* block);

}  // namespace steepest
