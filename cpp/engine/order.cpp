#include "cpp/engine/order.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace steepest {
namespace {

constexpr std::size_t few_rows = 4096;  // up to here every one of the n! orders can come
constexpr std::size_t refill = 1024;

// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t next_random(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Uniform in [0, n), n < 2^32, by rejection.
std::uint32_t next_below(std::uint64_t& state, std::uint32_t n) {
    for (;;) {
        const std::uint64_t product = (next_random(state) >> 32) * n;
        if (std::uint32_t(product) >= (0u - n) % n) return std::uint32_t(product >> 32);
    }
}

}  // namespace

RowOrder::RowOrder(std::size_t n_rows, bool shuffled, std::uint64_t seed)
    : n_rows_(n_rows), shuffled_(shuffled), seed_(seed), bits_(int(std::bit_width(n_rows - 1))) {
    if (shuffled && n_rows <= few_rows) few_.resize(n_rows);
}

void RowOrder::start_epoch(std::uint64_t epoch) {
    given_ = 0;
    position_ = 0;
    spare_.clear();
    std::uint64_t state = seed_;
    state = next_random(state) ^ (epoch * 0xd1342543de82ef95u);
    if (!few_.empty()) {
        std::iota(few_.begin(), few_.end(), 0u);
        for (std::size_t i = few_.size() - 1; i > 0; --i)
            std::swap(few_[i], few_[next_below(state, std::uint32_t(i + 1))]);
    } else {
        for (std::uint32_t& key : keys_) key = std::uint32_t(next_random(state) >> 32);
    }
}

std::size_t RowOrder::next(const PassTable& kernels, std::uint32_t* out, std::size_t room) {
    room = std::min(room, n_rows_ - given_);
    if (!shuffled_) {
        std::iota(out, out + room, std::uint32_t(given_));
    } else if (!few_.empty()) {
        std::copy_n(few_.begin() + std::ptrdiff_t(given_), room, out);
    } else {
        next_of_permutation(kernels, out, room);
    }
    given_ += room;
    return room;
}

void RowOrder::next_of_permutation(const PassTable& kernels, std::uint32_t* out, std::size_t room) {
    std::size_t written = std::min(room, spare_.size());
    std::copy_n(spare_.begin(), written, out);
    spare_.erase(spare_.begin(), spare_.begin() + std::ptrdiff_t(written));
    std::uint32_t entries[refill], rows[refill];
    while (written < room) {
        const std::size_t n = std::min<std::uint64_t>(refill, (std::uint64_t(1) << bits_) - position_);
        kernels.permute(keys_, bits_, std::uint32_t(position_), n, entries);
        position_ += n;
        std::size_t found = 0;
        for (std::size_t i = 0; i < n; ++i) {
            rows[found] = entries[i];
            found += entries[i] < n_rows_;
        }
        const std::size_t taken = std::min(found, room - written);
        std::copy_n(rows, taken, out + written);
        spare_.assign(rows + taken, rows + found);
        written += taken;
    }
}

}  // namespace steepest
