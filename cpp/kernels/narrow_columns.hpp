// Coordinate descent along columns that were copied as floats, with slopes of the rows that are floats too, and sums of
// rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/kernels/tables.hpp"

namespace steepest {

using NarrowModel = ModelOfColumns<float>;

struct NarrowTable {
    // Minimises the model over each of `count` of its columns in turn, and keeps q the slopes of the rows at v. Returns
    // the largest square of a change times its curvature.
    double (*descend)(const NarrowModel&, const std::uint32_t* order, std::size_t count, double* v, float* q);
    // out[k * out_stride + j] += the sum of factors[k * n_rows + i] times number j of row which[i] of a block, whose
    // rows are `stride` numbers apart, for j below `width` and k below `count`.
    void (*combine)(const double* block, std::size_t stride, const std::uint32_t* which, std::size_t n_rows,
                    std::size_t width, const double* factors, std::size_t count, double* out, std::size_t out_stride);
};

}  // namespace steepest
