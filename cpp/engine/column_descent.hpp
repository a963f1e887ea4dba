// Columns that were copied from a source, n doubles each, one after the other: their products with vectors and with
// each other, and coordinate descent along them. And the losses of rows by their scores.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/engine/interrupt.hpp"
#include "cpp/kernels/narrow_columns.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

// Of `count` columns of a block.
struct ChosenColumns {
    const double* block;
    std::size_t n;
    const std::uint32_t* which;
    std::size_t count;
};

// out[k] = column k times q.
void column_dots(const ChosenColumns&, const double* q, double* out, Interrupt&);

// z += the sum of v[k] times column k.
void add_columns(const ChosenColumns&, const double* v, double* z, Interrupt&);

// out[k * stride + l] = the sum of h (null: 1) times column k of `a` times column l of `b`, which are of one block. Of
// `symmetric` ones, where a and b are the same, the half above the diagonal is copied.
void column_products(const ChosenColumns& a, const ChosenColumns& b, const double* h, bool symmetric, double* out,
                     Interrupt&);

// out[k] = the sum of h times the squares of column k.
void column_squares(const ChosenColumns&, const double* h, double* out, Interrupt&);

// Subtracts from each of `count` columns, which lie one after the other, its product with the shares: out[k].
void centre_columns(double* columns, std::size_t n, std::size_t count, const double* shares, double* out, Interrupt&);

// Moves v, with q the slopes of the rows there, in at most `max_sweeps` sweeps, as coordinate_descent.hpp says. Returns
// whether at last no coefficient moved by more than `tolerance` times the largest one, in units of its curvature.
bool descend_columns(const ColumnModel&, double* v, double* q, std::size_t max_sweeps, double tolerance, Interrupt&);

// The same along columns of floats.
bool descend_columns(const NarrowModel&, double* v, float* q, std::size_t max_sweeps, double tolerance, Interrupt&);

// The loss of each of n rows at its score, the slope and the curvature, not weighted. Scores have the
// offsets of their rows in them, and targets have not.
void row_losses(const LossChoice&, const double* z, const double* y, std::size_t n, double* value, double* slope,
                double* curvature);

}  // namespace steepest
