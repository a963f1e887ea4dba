#include "cpp/engine/order.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "cpp/math/permutation.hpp"

namespace steepest {
namespace {

constexpr std::size_t refill = 1024;

}  // namespace

RowOrder::RowOrder(std::size_t n_rows, bool shuffled, std::uint64_t seed)
    : n_rows_(n_rows), shuffled_(shuffled), seed_(seed), bits_(int(std::bit_width(n_rows - 1))) {
    if (shuffled && n_rows <= few_rows) few_.resize(n_rows);
}

void RowOrder::start_epoch(std::uint64_t epoch) {
    given_ = 0;
    position_ = 0;
    spare_.clear();
    const std::uint64_t state = state_of_epoch(seed_, epoch);
    if (!few_.empty()) {
        shuffle_few(state, few_.data(), few_.size());
    } else {
        draw_keys(state, keys_);
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
