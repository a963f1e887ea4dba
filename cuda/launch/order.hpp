// The order of the rows of an epoch, made on the device with the bits of the CPU's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/launch/device.hpp"

namespace steepest::cuda {

constexpr std::size_t max_ordered_rows = 0xffffffffu;

// Memory that `make_order` needs beside the order, in bytes.
std::size_t bytes_of_counts(std::size_t n_rows);

// Writes the n_rows numbers of the rows, in the order of an epoch of the seed, to `order`. Waits for the few rows that
// the host shuffles; asynchronous for more. Throws std::invalid_argument for more than max_ordered_rows rows.
void make_order(std::size_t n_rows, std::uint64_t seed, std::uint64_t epoch, std::uint32_t* order,
                std::uint32_t* counts, const Device&, Stream);

}  // namespace steepest::cuda
