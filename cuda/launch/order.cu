#include <algorithm>
#include <bit>
#include <ptx.cuh>
#include <vector>

#include "cuda/kernels/order.cuh"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/order.hpp"

namespace steepest::cuda {
namespace {

constexpr std::size_t blocks_a_multiprocessor = 8;

int bits_of(std::size_t n_rows) { return int(std::bit_width(n_rows - 1)); }

std::size_t shares_of_order(std::size_t n_rows) {
    return std::size_t(((std::uint64_t(1) << bits_of(n_rows)) + entries_of_a_share - 1) / entries_of_a_share);
}

void shuffle_on_host(std::size_t n_rows, std::uint64_t state, std::uint32_t* order, Stream stream) {
    std::vector<std::uint32_t> rows(n_rows);
    shuffle_few(state, rows.data(), n_rows);
    HostReads reads(stream);
    copy_to_device(order, rows.data(), n_rows * sizeof(std::uint32_t), stream);
    wait(stream);
    reads.done();
}

}  // namespace

std::size_t bytes_of_counts(std::size_t n_rows) {
    return n_rows <= few_rows ? 0 : shares_of_order(n_rows) * sizeof(std::uint32_t);
}

void make_order(std::size_t n_rows, std::uint64_t seed, std::uint64_t epoch, std::uint32_t* order,
                std::uint32_t* counts, const Device& device, Stream stream) {
    if (n_rows == 0 || n_rows > max_ordered_rows)
        throw std::invalid_argument("X must have 1 to 4294967295 rows to be shuffled, got " + std::to_string(n_rows));
    const std::uint64_t state = state_of_epoch(seed, epoch);
    if (n_rows <= few_rows) return shuffle_on_host(n_rows, state, order, stream);
    const int bits = bits_of(n_rows);
    Order o{{}, bits / 2, bits - bits / 2, std::uint64_t(1) << bits, n_rows, shares_of_order(n_rows), counts, order};
    draw_keys(state, o.keys);
    const std::size_t blocks = std::min(o.n_shares, std::size_t(device.multiprocessors) * blocks_a_multiprocessor);
    const Kernel<Order> count = &order_count, offsets = &order_offsets, write = &order_write;
    launch(count, {blocks, block_warps * sizeof(std::uint32_t)}, stream, o);
    launch(offsets, {1, block_threads * sizeof(std::uint32_t)}, stream, o);
    launch(write, {blocks, block_warps * sizeof(std::uint32_t)}, stream, o);
}

}  // namespace steepest::cuda
