// The order in which an epoch visits the rows: a fresh permutation for every epoch of a seed, found block by block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpp/kernels/tables.hpp"

namespace steepest {

constexpr std::size_t max_indexed_rows = 0xffffffffu;

class RowOrder {
  public:
    RowOrder(std::size_t n_rows, bool shuffled, std::uint64_t seed);

    void start_epoch(std::uint64_t epoch);
    // Writes up to `room` next rows to out and returns how many: fewer only at the end of the epoch.
    std::size_t next(const PassTable& kernels, std::uint32_t* out, std::size_t room);

  private:
    void next_of_permutation(const PassTable& kernels, std::uint32_t* out, std::size_t room);

    std::size_t n_rows_;
    bool shuffled_;
    std::uint64_t seed_;
    int bits_ = 0;
    std::uint64_t position_ = 0;            // in the permutation of 2^bits entries, of which those < n_rows count
    std::size_t given_ = 0;                 // rows of this epoch
    std::uint32_t keys_[permutation_turns] = {};
    std::vector<std::uint32_t> few_;        // small data: the whole order, drawn uniformly
    std::vector<std::uint32_t> spare_;      // entries found but not asked for yet
};

}  // namespace steepest
