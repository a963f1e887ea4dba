// Plain views of a pass over sparse rows: how it is cut up, and how its sums over columns are held.
//
// A sum over a column is made of entries that lie anywhere, so it is added atomically, in integers: their sum does not
// depend on the order. Each term is scaled by powers of two that its column and the pass have in common, and rounded to
// two integers of 64 bits, as OpenMM and Amber do with forces (Le Grand, Goetz, Walker, "SPFP: Speed without
// compromise", Computer Physics Communications 184, 2013).
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/math/sparse.hpp"
#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

using Limb = unsigned long long;  // of a sum; a negative number in two's complement

constexpr std::size_t share_size = 1024;  // entries and ends of rows that a group of lanes takes at once
constexpr std::size_t slope_rows = 1024;  // of a chunk, until there are `most_slope_chunks`
constexpr std::size_t most_slope_chunks = 1024;
constexpr std::size_t many_shares = 32;  // a row over more of them is summed by a warp
constexpr unsigned hot_columns = 256;  // at most: those of at least a 256th of all entries

// A pass walks over a path of all entries, with the end of each row after its entries. The path is cut into shares.
struct Shares {
    int lanes;  // a power of 2: the threads of a group
    std::size_t count;
};

constexpr Shares shares_of(std::size_t n_rows, std::size_t n_entries) {
    int lanes = 4;
    while (lanes < 32 && std::size_t(lanes) * n_rows < n_entries) lanes *= 2;
    return {lanes, (n_rows + n_entries + share_size - 1) / share_size};
}

constexpr std::size_t slope_chunks(std::size_t n_rows) {
    const std::size_t chunks = (n_rows + slope_rows - 1) / slope_rows;
    return chunks < 1 ? 1 : chunks > most_slope_chunks ? most_slope_chunks : chunks;
}

// How the terms of a column become integers. A term is slope * x. Its slope is divided by 2^exponent, for the largest
// slope of the pass, and x multiplied by 2^shift, for the column's largest x and number of entries, such that no sum
// overflows. The high limb counts ones, the low limb 2^-low of the rest.
struct alignas(8) Column {  // so that it is loaded at once
    std::int16_t shift, low;
    std::int16_t slot;  // among the hot columns, whose sums begin in shared memory; -1: none
    std::int16_t finite;  // whether all x are
};

constexpr int limb_bits = 61;  // of a sum, at most
constexpr int most_shift = 1000;

STEEPEST_HOST_DEVICE double power_of_two(int exponent) {  // -1022 to 1023
    return bits_as<double>(std::int64_t(exponent + 1023) << 52);
}

// The exponent e such that a finite magnitude, of these bits, is below 2^(e + 1).
STEEPEST_HOST_DEVICE int exponent_of(Limb bits) { return int(bits >> 52) - 1023; }

// Of a column with so many entries, the largest of these bits: scaled slopes are below 4 (see `slope_exponent`).
STEEPEST_HOST_DEVICE Column column_of(Limb count, Limb largest) {
    int c = 0;
    while (c < 62 && (Limb(1) << c) < count) ++c;
    const bool is_finite = exponent_of(largest) <= 1023;
    const int shift = limb_bits - 3 - c - (is_finite ? exponent_of(largest) : 0);
    return {std::int16_t(shift < most_shift ? shift : most_shift), std::int16_t(limb_bits + 1 - c), -1, is_finite};
}

STEEPEST_HOST_DEVICE int slope_exponent(double largest) {
    if (largest == 0.0) return 0;
    const int e = exponent_of(bits_as<Limb>(largest));
    return e > 1022 ? 1022 : e < -most_shift ? -most_shift : e;
}

// What a pass leaves of its rows.
struct SparseTotals {
    double slope, loss, largest;  // sums, and the largest magnitude of a slope that is finite
    int exponent;  // of that
    unsigned all_finite;  // whether all slopes are
    unsigned changed;  // a term was out of its column's range: X was changed
};

}  // namespace steepest::cuda
