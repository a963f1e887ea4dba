// How a pass is cut up: by the shape of the data and what the device offers, never by what else runs.
#pragma once

#include <cstddef>

#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

constexpr unsigned max_tile_rows = 64;
constexpr std::size_t most_rows_of_a_float_sum = 4096;  // in tiles; those of rows in registers go to double in between

// Rows in shared memory, `pitch` elements apart.
struct TileShape {
    unsigned rows;
    std::size_t pitch;
};

constexpr unsigned max_stages = 8;

// Stages of rows in shared memory that a producer fills while the block takes the oldest.
struct RingShape {
    unsigned rows, stages;  // rows of a stage
};

enum class Tiling {
    automatic,
    lanes,  // rows in registers
    tiles,  // rows through shared memory
    bulk,  // the same by the copy engine
    split,  // the columns shared among all blocks of the grid
    stream  // rows in sequence through a ring in shared memory to registers, a pass in one launch
};

constexpr int n_tilings = 6;
constexpr const char* tiling_names[n_tilings] = {"auto", "lanes", "tiles", "bulk", "split", "stream"};

struct Plan {
    Tiling tiling;
    int lanes, vectors;  // of a row in registers
    TileShape tile;  // in shared memory
    RingShape ring;  // of rows that stream
    std::size_t columns;  // of a block, where they are split
    std::size_t blocks;  // that the device holds at once
    std::size_t shared_bytes;
};

struct Layout {
    std::size_t n_columns;
    bool row_major, aligned;
};

// Lanes and 16-byte vectors of each that hold a row; vectors is 0 where none do.
struct RegisterShape {
    int lanes, vectors;
};

// Vectors of `width` elements that a lane has registers for.
STEEPEST_HOST_DEVICE constexpr int most_vectors(std::size_t width) { return int(32 / width); }

STEEPEST_HOST_DEVICE constexpr RegisterShape register_shape(std::size_t d, std::size_t width) {
    // From 8 lanes on a load takes whole 128-byte lines, and more vectors a lane cost fewer instructions a row. Only
    // elements of a byte come to 2 vectors of more than 8 lanes.
    const RegisterShape shapes[] = {{1, 1},  {2, 1},  {4, 1},  {8, 1},  {8, 2}, {8, 4},
                                    {16, 2}, {16, 4}, {32, 2}, {32, 4}, {32, 8}};
    for (const RegisterShape& shape : shapes)
        if (d <= width * std::size_t(shape.lanes * shape.vectors) && shape.vectors <= most_vectors(width)) return shape;
    return {0, 0};
}

// Chunks of a pass over all rows: about 32 KB of X at least, 1024 at most, but no more than `most_rows` rows each;
// their sums take a fiftieth of X at most, unless that leaves fewer than 128.
constexpr std::size_t pass_chunks(std::size_t rows, std::size_t d, std::size_t element_bytes, std::size_t most_rows) {
    const auto least = [](std::size_t a, std::size_t b) { return a < b ? a : b; };
    const auto most = [](std::size_t a, std::size_t b) { return a > b ? a : b; };
    const std::size_t by_work = rows * d / 8192, by_rows = (rows + most_rows - 1) / most_rows;
    const std::size_t by_memory = most(rows * element_bytes / 400, 128);
    return most(least(least(most(least(by_work, 1024), by_rows), by_memory), rows), 1);
}

// Chunks of a step in the persistent kernel, where every block reads the sums of all: the more rows, the more chunks,
// as the root of the rows, where reading X and reading the sums take about as long.
constexpr std::size_t step_chunks(std::size_t rows) {
    std::size_t chunks = 1;
    while (chunks < 128 && 4 * (chunks + 1) * (chunks + 1) <= 9 * rows) ++chunks;
    return chunks < rows ? chunks : rows;
}

}  // namespace steepest::cuda
