// Scores of dense rows, X[i] . W[c] + b[c] for some c, and what predictions make of scores.
#pragma once

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/predictions.hpp"
#include "cuda/kernels/step.cuh"
#include "cuda/kernels/storages.hpp"

namespace steepest::cuda {

constexpr unsigned score_row_bits = 7, score_rows = 1u << score_row_bits;  // of a tile, which a block takes
constexpr unsigned least_column_bits = 3, most_column_bits = 5;            // of a tile
constexpr unsigned score_pitch = (1u << most_column_bits) + 1;  // threads of neighbouring rows read different banks
constexpr unsigned several_score_bits = 3, most_panel_bits = 6;  // of a row: scores of a thread, and of a block at most
constexpr int several_scores = 1 << several_score_bits;
constexpr unsigned tile_loads = 8;  // of a thread, before it waits for the first one

// Rows of which a thread takes `width` scores.
template <int width>
constexpr int rows_of_thread = width == 1 ? 1 : 4;

template <class A>
struct Scores {
    const void* X;
    int storage;
    std::size_t n_rows, n_columns;
    bool row_major;
    const A* W;  // n_columns x stride: the numbers of a column together, and zeros past the last score
    const A* b;  // n_scores
    const A* offset;  // n_rows x n_scores that are added; null: none
    std::size_t n_scores, stride;
    unsigned panel_bits, column_bits;  // a block takes 2^panel_bits scores, a tile 2^column_bits columns
    A* out;  // n_rows x n_scores
    unsigned* not_finite;  // becomes 1 if a score is not finite

    STEEPEST_HOST_DEVICE unsigned panel() const { return 1u << panel_bits; }
    STEEPEST_HOST_DEVICE unsigned columns() const { return 1u << column_bits; }
};

// A tile: where it begins, and how much of it there is.
struct ScoreTile {
    std::size_t row, column;
    unsigned rows, columns;  // that X has there
};

// Copies a tile of X into shared memory, widened. What X does not have becomes 0.
template <class S, class T>
__device__ __forceinline__ void load_score_tile(const S* X, std::size_t n_rows, std::size_t n_columns, bool row_major,
                                                unsigned column_bits, const ScoreTile& at, T* tile) {
    // Neighbouring threads read what lies side by side: columns of a row, or rows of a column.
    const unsigned bits = row_major ? column_bits : score_row_bits, lines = row_major ? score_rows : 1u << column_bits;
    const unsigned place = threadIdx.x & ((1u << bits) - 1), first = threadIdx.x >> bits, step = block_threads >> bits;
    const unsigned in_side = row_major ? at.columns : at.rows, in_lines = row_major ? at.rows : at.columns;
    const std::size_t stride = row_major ? n_columns : n_rows;
    const S* x = X + (row_major ? at.row * stride + at.column : at.column * stride + at.row) + place;
    T* to = tile + place * (row_major ? 1 : score_pitch);
    const unsigned pitch = row_major ? score_pitch : 1;
    for (unsigned line = first; line < lines; line += tile_loads * step) {
        S loaded[tile_loads];
        STEEPEST_UNROLL
        for (unsigned k = 0; k < tile_loads; ++k) {
            const unsigned l = line + k * step;
            loaded[k] = place < in_side && l < in_lines ? x[l * stride] : S{};
        }
        STEEPEST_UNROLL
        for (unsigned k = 0; k < tile_loads; ++k) {
            const unsigned l = line + k * step;
            if (l < lines) to[l * pitch] = T(widen_element(loaded[k]));
        }
    }
}

template <class T, class A>
__device__ __forceinline__ void load_score_tile(const Scores<A>& s, const ScoreTile& at, T* tile) {
    if constexpr (sizeof(T) == sizeof(double)) {
        load_score_tile(static_cast<const double*>(s.X), s.n_rows, s.n_columns, s.row_major, s.column_bits, at, tile);
    } else {
        switch (s.storage) {  // which all threads take alike
#define STEEPEST_CASE(S, name)                                                                                        \
    case storage_of_##S:                                                                                              \
        if constexpr (sizeof(S) < sizeof(double))                                                                     \
            load_score_tile(static_cast<const S*>(s.X), s.n_rows, s.n_columns, s.row_major, s.column_bits, at, tile); \
        break;
            STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
        }
    }
}

// Copies the numbers of W that belong to the columns of a tile, `panel` scores of each column.
template <class A>
__device__ __forceinline__ void load_score_weights(const Scores<A>& s, const ScoreTile& at, std::size_t first_score,
                                                   A* weights) {
    const unsigned n = s.columns() << s.panel_bits;
    for (unsigned i = threadIdx.x; i < n; i += 4 * block_threads) {
        A loaded[4];
        STEEPEST_UNROLL
        for (unsigned k = 0; k < 4; ++k) {
            const unsigned e = i + k * block_threads, column = e >> s.panel_bits;
            loaded[k] = e < n && column < at.columns
                            ? s.W[(at.column + column) * s.stride + first_score + (e & (s.panel() - 1))]
                            : A(0);
        }
        STEEPEST_UNROLL
        for (unsigned k = 0; k < 4; ++k)
            if (i + k * block_threads < n) weights[i + k * block_threads] = loaded[k];
    }
}

// How the warps of a block share a tile: by scores, by rows, then by columns.
template <int width>
struct ScoreShare {
    static constexpr int rows = rows_of_thread<width>;
    static constexpr unsigned row_groups = score_rows / (32 * rows);
    unsigned group, row, part, parts;

    __device__ explicit ScoreShare(unsigned panel) {
        const unsigned groups = panel / width, warp = threadIdx.x / 32;
        group = warp % groups;
        row = warp / groups % row_groups * (32 * rows) + threadIdx.x % 32;
        part = warp / (groups * row_groups);
        parts = block_warps / (groups * row_groups);
    }
};

// Shared memory holds a tile and its numbers of W; then, in their place, the sums of the parts of the columns.
template <class T, class A, int width>
STEEPEST_HOST_DEVICE constexpr std::size_t score_shared_bytes(unsigned panel, unsigned columns) {
    const std::size_t tile = (score_rows * score_pitch * sizeof(T) + 15) / 16 * 16;
    const std::size_t sums = std::size_t(block_threads / 2) * width * rows_of_thread<width> * sizeof(A);
    const std::size_t whole = tile + std::size_t(columns) * panel * sizeof(A);
    return whole > sums ? whole : sums;
}

// T: what a tile holds. A: what sums are made in. A block takes score_rows rows, and a panel of the scores.
template <class T, class A, int width>
__global__ void __launch_bounds__(block_threads, width == 1 ? 4 : 2) row_scores(const __grid_constant__ Scores<A> s) {
    STEEPEST_SHARED(shared);
    constexpr int n = rows_of_thread<width>;
    struct alignas(sizeof(A) * width < 16 ? sizeof(A) * width : 16) Numbers {
        A w[width];
    };
    struct Loaded {
        T x[n];
        Numbers of;
    };
    T* tile = reinterpret_cast<T*>(shared);
    A* weights = reinterpret_cast<A*>(shared + (score_rows * score_pitch * sizeof(T) + 15) / 16 * 16);
    const std::size_t panels = (s.n_scores + s.panel() - 1) >> s.panel_bits;
    const std::size_t first_score = blockIdx.x % panels * s.panel(), first_row = blockIdx.x / panels * score_rows;
    const ScoreShare<width> share(s.panel());
    const unsigned count = s.columns() / share.parts, from = share.part * count;
    A sums[n][width] = {};
    for (std::size_t column = 0; column < s.n_columns; column += s.columns()) {
        const std::size_t rows = s.n_rows - first_row, columns = s.n_columns - column;
        const ScoreTile at{first_row, column, unsigned(rows < score_rows ? rows : score_rows),
                           unsigned(columns < s.columns() ? columns : s.columns())};
        load_score_weights(s, at, first_score, weights);
        load_score_tile(s, at, tile);
        __syncthreads();
        in_order<width == 1 ? 4 : 1>(
            from, from + count, 1u,
            [&](unsigned j) {
                Loaded loaded;
                STEEPEST_UNROLL
                for (int r = 0; r < n; ++r) loaded.x[r] = tile[(share.row + 32 * r) * score_pitch + j];
                loaded.of = *reinterpret_cast<const Numbers*>(weights + (j << s.panel_bits) + share.group * width);
                return loaded;
            },
            [&](unsigned, const Loaded& loaded) {
                STEEPEST_UNROLL
                for (int r = 0; r < n; ++r) STEEPEST_UNROLL
                for (int c = 0; c < width; ++c) sums[r][c] += A(loaded.x[r]) * loaded.of.w[c];
            });
        __syncthreads();
    }
    // The parts of the columns, along a tree: warps of the upper half leave their sums to those of the lower one.
    A* left = reinterpret_cast<A*>(shared);
    for (unsigned half = share.parts / 2; half > 0; half /= 2) {
        const unsigned others = half * (block_threads / share.parts);  // threads of half of the parts
        if (share.part >= half && share.part < 2 * half) {
            STEEPEST_UNROLL
            for (int i = 0; i < n * width; ++i)
                left[unsigned(i) * others + threadIdx.x - others] = sums[i / width][i % width];
        }
        __syncthreads();
        if (share.part < half) {
            STEEPEST_UNROLL
            for (int i = 0; i < n * width; ++i) sums[i / width][i % width] += left[unsigned(i) * others + threadIdx.x];
        }
        __syncthreads();
    }
    if (share.part > 0) return;
    bool all = true;
    STEEPEST_UNROLL
    for (int r = 0; r < n; ++r) {
        const std::size_t row = first_row + share.row + 32 * unsigned(r);
        if (row >= s.n_rows) continue;
        STEEPEST_UNROLL
        for (int c = 0; c < width; ++c) {
            const std::size_t score = first_score + share.group * width + unsigned(c);
            if (score >= s.n_scores) continue;
            A z = sums[r][c] + s.b[score];
            if (s.offset) z += s.offset[row * s.n_scores + score];
            s.out[row * s.n_scores + score] = z;
            all = all && finite(z);
        }
    }
    if (!all) atomicMax(s.not_finite, 1u);
}

template <class A>
struct Predictions {
    const A* scores;
    std::size_t n_rows, n_scores;  // one score of two classes
    Prediction kind;
    A* out;  // may be the scores, but for probabilities of two classes
    int* places;  // of the largest score
};

// The two classes of a score.
template <class A>
__device__ __forceinline__ void write_two_classes(A z, bool logarithms, A* out) {
    const A t = exp_nonpositive(-magnitude(z)), near = logarithms ? -log1p_unit(t) : A(1) / (A(1) + t);
    const A far = logarithms ? near - magnitude(z) : t / (A(1) + t);
    out[0] = z < A(0) ? near : far;
    out[1] = z < A(0) ? far : near;
}

// A thread a row, and a row's scores in their order.
template <class A>
__global__ void __launch_bounds__(block_threads, 2) score_predictions(const __grid_constant__ Predictions<A> p) {
    const std::size_t row = std::size_t(blockIdx.x) * block_threads + threadIdx.x;
    if (row >= p.n_rows) return;
    const std::size_t k = p.n_scores;
    const A* z = p.scores + row * k;
    A* out = p.out + row * (k == 1 && p.kind != Prediction::means ? 2 : k);
    const auto score = [&](std::size_t c) { return z[c]; };
    if (p.kind == Prediction::means) {
        in_order<4>(std::size_t(0), k, std::size_t(1), score, [&](std::size_t c, A x) { out[c] = exponential(x); });
        return;
    }
    if (k == 1 && p.kind != Prediction::places)
        return write_two_classes(z[0], p.kind == Prediction::log_probabilities, out);
    A most = z[0];
    int place = k == 1 && most > A(0);
    in_order<4>(std::size_t(1), k, std::size_t(1), score, [&](std::size_t c, A x) {
        place = x > most ? int(c) : place;
        most = x > most ? x : most;
    });
    if (p.kind == Prediction::places) {
        p.places[row] = place;
        return;
    }
    A rest = A(0);  // the powers of all other scores
    in_order<4>(std::size_t(0), k, std::size_t(1), score,
                [&](std::size_t c, A x) { rest += c == std::size_t(place) ? A(0) : exp_nonpositive(x - most); });
    const A unit = p.kind == Prediction::probabilities ? A(1) / (A(1) + rest) : log1p_nonnegative(rest);
    in_order<4>(std::size_t(0), k, std::size_t(1), score, [&](std::size_t c, A x) {
        out[c] = p.kind == Prediction::probabilities ? exp_nonpositive(x - most) * unit : x - most - unit;
    });
}

}  // namespace steepest::cuda
