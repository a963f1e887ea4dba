// Statistics of the columns of X, and copies of some rows to the host.
#pragma once

#include <cstdint>

#include "cuda/kernels/plan.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

// Rows where they lie on the device, and how they lie there.
struct Rows {
    const void* X;
    std::size_t n_rows, n_columns;
    bool row_major;
};

// Writes the weighted means, the deviations (of the population) and the largest magnitudes of the columns, each
// multiplied by its unit: n_columns numbers each, on the host. A deviation is exactly 0 where all rows of `some` weight
// are equal. `weight` is on the device (null: all 1), `unit` (null: all 1) and `some` on the host: rows with a weight
// above 0, which tell about where the means are.
template <class S>
void column_statistics(const Rows&, const ArithmeticOf<S>* weight, const double* unit, const std::int64_t* some,
                       std::size_t n_some, double* out, Stream);

constexpr std::size_t gathered_bytes = 64u << 20;

// Copies rows to the host, one after the other, by pieces of about so many bytes. The index is on the host.
void gather_rows(const Rows&, std::size_t element_bytes, const std::int64_t* index, std::size_t count, void* out,
                 std::size_t piece_bytes, Stream);

}  // namespace steepest::cuda
