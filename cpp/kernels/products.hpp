// Products of rows with k vectors at once: all their dots (Z = X B^T), and sums of the rows by k coefficients each
// (G += P^T X). Where X is column-major its columns are the rows here, and the two change places.
#pragma once

#include "cpp/kernels/simd.hpp"

namespace steepest {
namespace {

// How much stands in registers, of which AVX-512 has 32 vectors and the others 16: columns of a sum, by up to
// `max_sums` coefficients; rows by vectors of dots, of which too few keep the multipliers waiting for one another.
constexpr int panel_vectors = vector_bytes == 64 ? 4 : 2;
constexpr std::size_t max_sums = 6;

template <int rows_, std::size_t vectors_>
struct DotTile {
    static constexpr int rows = rows_;
    static constexpr std::size_t vectors = vectors_;
};

// Calls body(the tile that suits k vectors).
template <class Body>
STEEPEST_INLINE void with_dot_tile(std::size_t k, Body body) {
    if constexpr (vector_bytes == 64) {
        body(DotTile<8, 3>{});
    } else if (k < 12 && k % 3 != 0 && k != 2 && k != 5) {
        body(DotTile<3, 4>{});
    } else {
        body(DotTile<4, 3>{});
    }
}

// Elements from one packed vector to the next: whole vectors, the last of them as fill_tail makes it. A row that is
// shorter than a vector must be padded to one with zeros.
template <class T>
STEEPEST_INLINE std::size_t packed_length(std::size_t length) {
    constexpr std::size_t W = lanes<T>;
    return (length + W - 1) / W * W;
}

// The length that rows of d elements are padded to.
template <class T>
STEEPEST_INLINE std::size_t padded_length(std::size_t d) {
    return d < std::size_t(lanes<T>) ? lanes<T> : d;
}

// Packs a vector of d elements for rows of padded_length(d).
template <class T>
STEEPEST_INLINE void pack(const T* values, std::size_t d, T* packed) {
    constexpr std::size_t W = lanes<T>;
    const std::size_t whole = d / W * W;
    for (std::size_t j = 0; j < whole; ++j) packed[j] = values[j];
    if (d < W) {
        for (std::size_t j = 0; j < W; ++j) packed[j] = j < d ? values[j] : T(0);
    } else if (whole < d) {
        fill_tail<T, lanes<T>>(values, d, packed + whole);
    }
}

// k >= 2 vectors in groups of at most `most`, as alike as can be.
template <std::size_t most>
struct Groups {
    std::size_t count, size, larger;  // the first `larger` groups have one more than `size`

    STEEPEST_INLINE explicit Groups(std::size_t k) : count((k + most - 1) / most), size(k / count), larger(k % count) {}

    // Calls body(integral_constant<int, C>, first vector, group).
    template <class Body>
    STEEPEST_INLINE void for_each(Body body) const {
        for (std::size_t group = 0, first = 0; group < count; ++group) {
            const std::size_t n = size + (group < larger);
            if (n == 2) body(std::integral_constant<int, 2>{}, first, group);
            if (n == 3) body(std::integral_constant<int, 3>{}, first, group);
            if constexpr (most > 3) {
                if (n == 4) body(std::integral_constant<int, 4>{}, first, group);
                if (n == 5) body(std::integral_constant<int, 5>{}, first, group);
                if (n == 6) body(std::integral_constant<int, 6>{}, first, group);
            }
            first += n;
        }
    }
};

// The dots of R rows with C vectors, `step` elements apart: z[c * z_step + r]. Asks meanwhile for P rows of `later`.
template <class T, int R, int C, int P>
__attribute__((noinline)) void dots_of_rows(const T* const* rows, const T* b, std::size_t step, std::size_t length,
                                            T* z, std::size_t z_step, const T* const* later) {
    constexpr int W = lanes<T>;
    using V = Vector<T, W>;
    const T* x[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) x[r] = rows[r];
    V sum[C][R] = {};
    const auto add = [&](std::size_t at, std::size_t j) {
        V bj[C];
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) bj[c] = load<T, W>(b + std::size_t(c) * step + at);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const V xj = load<T, W>(x[r] + j);
#pragma GCC unroll 8
            for (int c = 0; c < C; ++c) sum[c][r] += xj * bj[c];
        }
    };
    std::size_t j = 0;
    for (; j + 2 * W <= length; j += 2 * W) {
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) __builtin_prefetch(later[p] + j, 0, 2);
        add(j, j);
        add(j + W, j + W);
    }
    if (j + W <= length) {
        add(j, j);
        j += W;
    }
    if (j < length) add(j, length - W);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
        if constexpr (R == 3) {
            V four[4] = {sum[c][0], sum[c][1], sum[c][2], V{}};
            T out[4];
            sum_lanes<T, W, 4>(four, out);
            for (int r = 0; r < R; ++r) z[std::size_t(c) * z_step + r] = out[r];
        } else {
            sum_lanes<T, W, R>(sum[c], z + std::size_t(c) * z_step);
        }
    }
}

template <class T, class Tile>
STEEPEST_INLINE void dots_in_tiles(const T* const* rows, std::size_t n, const T* b, std::size_t k, std::size_t length,
                                   T* z, std::size_t z_step, const T* const* later) {
    const std::size_t step = packed_length<T>(length);
    const Groups<Tile::vectors> groups(k);
    const auto tile = [&](auto R, std::size_t i) {
        groups.for_each([&](auto C, std::size_t c, std::size_t group) {
            const auto dots = [&](auto P, std::size_t row) {
                dots_of_rows<T, R.value, C.value, P.value>(rows + i, b + c * step, step, length, z + c * z_step + i,
                                                           z_step, P.value ? later + i + row : nullptr);
            };
            constexpr std::size_t all = R.value, half = (all + 1) / 2;
            if (all < Tile::rows || !later || group >= all || (groups.count < all && group > 1)) {
                dots(std::integral_constant<int, 0>{}, 0);
            } else if (groups.count == 1) {
                dots(std::integral_constant<int, int(all)>{}, 0);
            } else if (groups.count < all) {
                dots(std::integral_constant<int, int(half)>{}, group * (all - half));
            } else {
                dots(std::integral_constant<int, 1>{}, group);
            }
        });
    };
    std::size_t i = 0;
    for (; i + Tile::rows <= n; i += Tile::rows) tile(std::integral_constant<int, Tile::rows>{}, i);
    if constexpr (Tile::rows > 4) {
        if ((n - i) & 4) tile(std::integral_constant<int, 4>{}, i), i += 4;
    }
    if ((n - i) & 2) tile(std::integral_constant<int, 2>{}, i), i += 2;
    if ((n - i) & 1) tile(std::integral_constant<int, 1>{}, i);
}

// z[c * z_step + i] = rows[i] . b_c for n rows and k packed vectors; asks meanwhile for the rows `later` (null: none).
template <class T>
__attribute__((noinline)) void all_dots(const T* const* rows, std::size_t n, const T* b, std::size_t k,
                                        std::size_t length, T* z, std::size_t z_step, const T* const* later) {
    with_dot_tile(k, [&](auto tile) { dots_in_tiles<T, decltype(tile)>(rows, n, b, k, length, z, z_step, later); });
}

// g_c[0, V W) += sum_i p[i * k + c] x_i[0, V W) for C vectors g, `step` elements apart, from element `at` of the rows.
template <class T, int V, int C>
__attribute__((noinline)) void add_panel(const T* const* x, std::size_t n, std::size_t at, const T* p, std::size_t k,
                                         T* g, std::size_t step) {
    constexpr int W = lanes<T>;
    using Lanes = Vector<T, W>;
    Lanes sum[C][V];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) sum[c][v] = load<T, W>(g + std::size_t(c) * step + v * W);
    for (std::size_t i = 0; i < n; ++i, p += k) {
        Lanes xi[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) xi[v] = load<T, W>(x[i] + at + v * W);
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) {
            const Lanes scale = p[c] - Lanes{};
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[c][v] += scale * xi[v];
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) store<T, W>(g + std::size_t(c) * step + v * W, sum[c][v]);
}

// g_c += sum_i p[i * k + c] x_i over n rows, for k vectors g of packed_length(length): the last lanes as in a tail.
template <class T>
__attribute__((noinline)) void add_all(const T* const* x, std::size_t n, const T* p, std::size_t k, std::size_t length,
                                       T* g) {
    constexpr std::size_t W = lanes<T>;
    const std::size_t step = packed_length<T>(length);
    std::size_t j = 0;
    if (k <= 3) {
        constexpr std::size_t V = 2 * panel_vectors;
        for (; j + V * W <= length; j += V * W) {
            if (k == 2) add_panel<T, V, 2>(x, n, j, p, k, g + j, step);
            if (k == 3) add_panel<T, V, 3>(x, n, j, p, k, g + j, step);
        }
    }
    const Groups<max_sums> groups(k);
    const auto panels = [&](auto V, std::size_t at) {
        groups.for_each([&](auto C, std::size_t c, std::size_t) {
            add_panel<T, V.value, C.value>(x, n, at, p + c, k, g + c * step + j, step);
        });
        j += V.value * W;
    };
    while (j + panel_vectors * W <= length) panels(std::integral_constant<int, panel_vectors>{}, j);
    while (j + W <= length) panels(std::integral_constant<int, 1>{}, j);
    if (j < length) panels(std::integral_constant<int, 1>{}, length - W);
}

}  // namespace
}  // namespace steepest
