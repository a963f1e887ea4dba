// A pseudorandom permutation of [0, 2^bits) by the seed and the epoch: a Feistel network whose two halves take turns.
// Every entry is found on its own, so that an order of rows needs no memory, and processors and GPUs find the same one.
// Few rows are shuffled one after the other instead, so that each of their orders can come.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/math/macros.hpp"

namespace steepest {

constexpr int turns_of_permutation = 8;
constexpr std::size_t few_rows = 4096;  // up to here they are shuffled

// Integer hash with full avalanche (two multiplications between shifts).
STEEPEST_HOST_DEVICE std::uint32_t scramble(std::uint32_t x, std::uint32_t key) {
    x = (x ^ key) * 0x9e3779b1u;
    x = (x ^ (x >> 15)) * 0x85ebca6bu;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

// Entry `at` of the permutation of `bits` bits; low_bits is bits / 2.
STEEPEST_HOST_DEVICE std::uint32_t permuted(const std::uint32_t* keys, int low_bits, std::uint32_t low_mask,
                                            std::uint32_t high_mask, std::uint32_t at) {
    std::uint32_t low = at & low_mask, high = at >> low_bits;
    STEEPEST_UNROLL
    for (int turn = 0; turn < turns_of_permutation; turn += 2) {
        low ^= scramble(high, keys[turn]) & low_mask;
        high ^= scramble(low, keys[turn + 1]) & high_mask;
    }
    return (high << low_bits) | low;
}

// SplitMix64 (Steele, Lea, Flood 2014).
STEEPEST_INLINE std::uint64_t next_random(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Uniform in [0, n), n < 2^32, by rejection.
STEEPEST_INLINE std::uint32_t next_below(std::uint64_t& state, std::uint32_t n) {
    for (;;) {
        const std::uint64_t product = (next_random(state) >> 32) * n;
        if (std::uint32_t(product) >= (0u - n) % n) return std::uint32_t(product >> 32);
    }
}

// The state from which an epoch of a seed draws its numbers.
STEEPEST_INLINE std::uint64_t state_of_epoch(std::uint64_t seed, std::uint64_t epoch) {
    return next_random(seed) ^ (epoch * 0xd1342543de82ef95u);
}

STEEPEST_INLINE void draw_keys(std::uint64_t state, std::uint32_t* keys) {
    for (int turn = 0; turn < turns_of_permutation; ++turn) keys[turn] = std::uint32_t(next_random(state) >> 32);
}

// Writes the order of n rows, 1 to few_rows.
STEEPEST_INLINE void shuffle_few(std::uint64_t state, std::uint32_t* rows, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) rows[i] = std::uint32_t(i);
    for (std::size_t i = n - 1; i > 0; --i) {
        const std::uint32_t other = next_below(state, std::uint32_t(i + 1)), row = rows[i];
        rows[i] = rows[other];
        rows[other] = row;
    }
}

}  // namespace steepest
