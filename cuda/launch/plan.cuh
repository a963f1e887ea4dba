// Which tiling a pass takes: the first that fits the data and the device.
#pragma once

#include <stdexcept>
#include <string>

#include "cuda/kernels/epoch.cuh"
#include "cuda/kernels/gradient.cuh"
#include "cuda/kernels/plan.hpp"
#include "cuda/launch/launch.cuh"

namespace steepest::cuda {

constexpr int first_with_bulk_copies = 9;         // major compute capability

template <class S>
TileShape tile_of(const Layout& layout, unsigned rows, std::size_t columns) {
    constexpr std::size_t width = 16 / sizeof(S);
    // A column-major tile is written column by column: an odd pitch spreads its rows over the banks.
    return {rows, layout.row_major ? (columns + width - 1) / width * width : columns | 1};
}

// The most rows a tile can have, up to `most`, so that `bytes` of it are at most `limit`; 0 where one is too many.
template <class Bytes>
unsigned tile_rows(unsigned most, std::size_t limit, Bytes bytes) {
    unsigned rows = most;
    while (rows > 0 && bytes(rows) > limit) rows /= 2;
    return rows;
}

template <class S, bool bulk>
std::size_t tile_pass_bytes(std::size_t d, const TileShape& tile) {
    return TileSums<S, bulk>::shared_bytes(d, tile) + d * sizeof(ArithmeticOf<S>);
}

// Tiles such that two blocks fit a multiprocessor, or else one.
template <class S>
bool plan_tiles(const Layout& layout, std::size_t shared_bytes, std::size_t more_bytes, Plan& plan) {
    const std::size_t d = layout.n_columns;
    const auto bytes = [&](unsigned rows) {
        return TileSums<S, false>::shared_bytes(d, tile_of<S>(layout, rows, d)) + more_bytes;
    };
    const unsigned most = layout.row_major ? block_warps : max_tile_rows, least = layout.row_major ? 1 : block_warps;
    unsigned rows = tile_rows(most, shared_bytes / 2 - reserved_shared_bytes, bytes);
    if (rows < least) rows = tile_rows(most, shared_bytes, bytes);
    if (rows < least) return false;
    plan.tile = tile_of<S>(layout, rows, d);
    plan.shared_bytes = bytes(rows);
    return true;
}

template <class S>
bool plan_split(const Layout& layout, const Device& device, Plan& plan) {
    constexpr std::size_t width = 16 / sizeof(S);
    plan.blocks = std::size_t(device.multiprocessors);
    const std::size_t share = (layout.n_columns + plan.blocks - 1) / plan.blocks;
    plan.columns = (share + width - 1) / width * width;
    const auto bytes = [&](unsigned rows) {
        return split_bytes<S>(tile_of<S>(layout, rows, plan.columns), plan.columns);
    };
    const unsigned rows = tile_rows(max_tile_rows, device.shared_bytes, bytes);
    if (rows == 0) return false;
    plan.tile = tile_of<S>(layout, rows, plan.columns);
    plan.shared_bytes = bytes(rows);
    return true;
}

// Whether a tiling fits; it fills the plan if so. `more_bytes` of shared memory are needed beside the sums.
template <class S>
bool fits(Tiling tiling, const Layout& layout, const Device& device, std::size_t more_bytes, Plan& plan) {
    plan = Plan{};
    plan.tiling = tiling;
    const RegisterShape shape = register_shape(layout.n_columns, 16 / sizeof(S));
    switch (tiling) {
        case Tiling::lanes:
            plan.lanes = shape.lanes;
            plan.vectors = shape.vectors;
            plan.shared_bytes = LaneSums<S, 1>::shared_bytes(layout.n_columns) + more_bytes;
            return layout.row_major && shape.vectors > 0 && plan.shared_bytes <= device.shared_bytes;
        case Tiling::bulk:
            return layout.aligned && device.major >= first_with_bulk_copies &&
                   plan_tiles<S>(layout, device.shared_bytes, more_bytes, plan);
        case Tiling::tiles:
            return plan_tiles<S>(layout, device.shared_bytes, more_bytes, plan);
        case Tiling::split:
            return device.cooperative && plan_split<S>(layout, device, plan);
        case Tiling::stream:  // plan_stream says so
        case Tiling::automatic:
            break;
    }
    return false;
}

template <class S>
std::size_t bytes_beside(Tiling tiling, std::size_t d) {
    return tiling == Tiling::lanes ? 0 : d * sizeof(ArithmeticOf<S>);  // a copy of w
}

}  // namespace steepest::cuda
