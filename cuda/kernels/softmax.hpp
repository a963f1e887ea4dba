// How a pass of the softmax loss is cut up, for the host and for the kernels.
#pragma once

#include "cuda/kernels/batch.hpp"
#include "cuda/kernels/plan.hpp"

namespace steepest::cuda {

constexpr unsigned score_rows = 8, score_classes = 4;        // of the scores that a warp computes at once
constexpr unsigned gradient_columns = 4, gradient_classes = 4;  // of the sums that a thread has at once

// A chunk's sums lie together: for each class d of the gradient and the slope's, then the loss's.
STEEPEST_HOST_DEVICE constexpr std::size_t softmax_sums(std::size_t n_classes, std::size_t n_columns) {
    return n_classes * (n_columns + 1) + 1;
}

struct SoftmaxShape {
    TileShape tile;
    unsigned tiles;         // in shared memory: with two, the next one comes while a block works on one
    unsigned scores_pitch;  // rows from the scores of a class to those of the next one
    unsigned score_parts;   // that the columns of a score are dealt to
    unsigned lanes;         // of a warp side by side along the columns; the others take other rows
    unsigned slots;         // sets of sums that a chunk leaves, each of other rows
};

STEEPEST_HOST_DEVICE constexpr std::size_t in_groups(std::size_t n, std::size_t of) { return (n + of - 1) / of; }

// Groups of classes times groups of columns of the gradient: what the warps of a block share.
STEEPEST_HOST_DEVICE constexpr std::size_t gradient_items(std::size_t n_classes, std::size_t d, unsigned lanes) {
    return in_groups(n_classes, gradient_classes) * in_groups(d, std::size_t(gradient_columns) * lanes);
}

// The largest power of 2 up to `most` by which `items` are not more than the warps of a block.
STEEPEST_HOST_DEVICE constexpr unsigned shares_of_warps(std::size_t items) {
    unsigned shares = 1;
    while (2 * shares * items <= std::size_t(block_warps)) shares *= 2;
    return shares;
}

STEEPEST_HOST_DEVICE constexpr SoftmaxShape softmax_shape(const TileShape& tile, unsigned tiles, std::size_t n_classes,
                                                          std::size_t d) {
    SoftmaxShape shape{tile, tiles, (tile.rows + 3) / 4 * 4 + 8, 1, 1, 1};
    shape.score_parts = shares_of_warps(in_groups(tile.rows, score_rows) * in_groups(n_classes, score_classes));
    while (shape.lanes < 32 && std::size_t(gradient_columns) * shape.lanes < d) shape.lanes *= 2;
    shape.slots = shares_of_warps(gradient_items(n_classes, d, shape.lanes));
    return shape;
}

// Chunks of a pass: of 64 rows at least up to 128 of them, and of 256 rows beyond.
STEEPEST_HOST_DEVICE constexpr std::size_t softmax_chunks(std::size_t rows) {
    const std::size_t few = rows / 64 < 128 ? rows / 64 : 128, many = rows / 256 < 512 ? rows / 256 : 512;
    const std::size_t chunks = few > many ? few : many;
    return chunks > 0 ? chunks : 1;
}

}  // namespace steepest::cuda
