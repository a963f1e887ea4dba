// A pseudorandom permutation of [0, 2^bits): a Feistel network whose two halves take turns, 8 turns in all. Every entry
// is found on its own, so an order of rows needs no memory and a loop over entries vectorises.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/kernels/tables.hpp"
#include "cpp/math/macros.hpp"

namespace steepest {
namespace {

// Integer hash with full avalanche (two multiplications between shifts).
STEEPEST_INLINE std::uint32_t scramble(std::uint32_t x, std::uint32_t key) {
    x = (x ^ key) * 0x9e3779b1u;
    x = (x ^ (x >> 15)) * 0x85ebca6bu;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

void permute(const std::uint32_t* keys, int bits, std::uint32_t start, std::size_t n, std::uint32_t* out) {
    const int low_bits = bits / 2, high_bits = bits - low_bits;
    const std::uint32_t low_mask = (1u << low_bits) - 1, high_mask = (1u << high_bits) - 1;
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint32_t at = start + std::uint32_t(i);
        std::uint32_t low = at & low_mask, high = at >> low_bits;
#pragma GCC unroll 8
        for (int turn = 0; turn < permutation_turns; turn += 2) {
            low ^= scramble(high, keys[turn]) & low_mask;
            high ^= scramble(low, keys[turn + 1]) & high_mask;
        }
        out[i] = (high << low_bits) | low;
    }
}

}  // namespace
}  // namespace steepest
