// Entries of a permutation one after the other: the loop vectorises.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/kernels/tables.hpp"
#include "cpp/math/permutation.hpp"

namespace steepest {
namespace {

static_assert(turns_of_permutation == permutation_turns);

void permute(const std::uint32_t* keys, int bits, std::uint32_t start, std::size_t n, std::uint32_t* out) {
    const int low_bits = bits / 2, high_bits = bits - low_bits;
    const std::uint32_t low_mask = (1u << low_bits) - 1, high_mask = (1u << high_bits) - 1;
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i)
        out[i] = permuted(keys, low_bits, low_mask, high_mask, start + std::uint32_t(i));
}

}  // namespace
}  // namespace steepest
