// Passes over the rows of a sparse X for several scores at once. Their numbers of a column lie side by side, so that an
// entry waits for memory once and not once a score.
#pragma once

#include "cpp/kernels/sparse.hpp"

namespace steepest {
namespace {

// Calls body(first score, how many as a constant): by eights, then what is left by 4, 2 and 1.
template <class Body>
STEEPEST_INLINE void over_scores(std::size_t k, Body body) {
    std::size_t c = 0;
    for (; c + 8 <= k; c += 8) body(c, std::integral_constant<std::size_t, 8>{});
    if (k - c >= 4) body(c, std::integral_constant<std::size_t, 4>{}), c += 4;
    if (k - c >= 2) body(c, std::integral_constant<std::size_t, 2>{}), c += 2;
    if (k - c >= 1) body(c, std::integral_constant<std::size_t, 1>{});
}

template <std::size_t N, class T>
STEEPEST_INLINE Vector<double, int(N)> doubles_at(const T* p) {
    if constexpr (N == 1) {
        return double(*p);
    } else {
        return as_doubles<int(N), T>(load<T, int(N)>(p));
    }
}

// Asks for the numbers of all scores at a column.
template <class T>
STEEPEST_INLINE void ask_for_scores(const T* at, std::size_t k) {
    __builtin_prefetch(at);
    if (k * sizeof(T) > 32) __builtin_prefetch(at + k - 1);
}

template <bool Ahead, std::size_t N, class V, class I, class T = ArithmeticOf<V>>
STEEPEST_INLINE Vector<double, int(N)> products_of(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last,
                                                   const T* w, std::size_t k, std::size_t ahead) {
    Vector<double, int(N)> sums[4] = {};
    std::size_t e = first;
    for (; e + 4 <= last; e += 4) {
        if (Ahead && e + 4 <= ahead) {
#pragma GCC unroll 4
            for (std::size_t a = 0; a < 4; ++a)
                ask_for_scores(w + std::size_t(X.columns[e + a + entries_ahead]) * k, k);
        }
#pragma GCC unroll 4
        for (std::size_t a = 0; a < 4; ++a)
            sums[a] += double(X.value(e + a)) * doubles_at<N>(w + std::size_t(X.columns[e + a]) * k);
    }
    for (; e < last; ++e) sums[0] += double(X.value(e)) * doubles_at<N>(w + std::size_t(X.columns[e]) * k);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <class V, class I, class T = ArithmeticOf<V>>
void products_beside(const SparseMatrix<V, I>& X, const ListedRows& rows, const T* w, std::size_t k,
                     std::size_t longest, T* z, std::size_t step) {
    const std::size_t ahead = last_ahead(X);
    with_ahead<T>(X.n_columns * k, [&](auto asks) {
        for (std::size_t i = 0; i < rows.count; ++i) {
            const std::size_t row = rows.row(i), first = X.start(row), last = X.start(row + 1);
            if (last - first > longest) continue;
            over_scores(k, [&](std::size_t c, auto n) {
                double sums[n.value];
                store<double, int(n.value)>(sums, products_of<asks.value, n.value>(X, first, last, w + c, k, ahead));
                for (std::size_t a = 0; a < n.value; ++a) z[(c + a) * step + i] = T(sums[a]);
            });
        }
    });
}

template <class V, class I, class T = ArithmeticOf<V>>
void add_rows_beside(const SparseMatrix<V, I>& X, const ListedRows& rows, const T* r, std::size_t step, std::size_t k,
                     const SparsePart& part, double* gradient) {
    const std::size_t ahead = last_ahead(X), span = part.last_column - part.column;
    with_ahead<double>(X.n_columns * k, [&](auto asks) {
        for (std::size_t i = 0; i < rows.count; ++i) {
            bool absent = true;
            for (std::size_t c = 0; c < k; ++c) absent = absent && is_absent(r[c * step + i]);
            if (absent) continue;
            const std::size_t row = rows.row(i), start = X.start(row);
            const bool bounded = !part.scattered;
            const std::size_t first = bounded && part.from ? start + part.from[row] : start;
            const std::size_t last = bounded && part.to ? start + part.to[row] : X.start(row + 1);
            over_scores(k, [&](std::size_t c, auto n) {
                double slopes_of_row[n.value];
                for (std::size_t a = 0; a < n.value; ++a) slopes_of_row[a] = double(r[(c + a) * step + i]);
                const auto slopes = load<double, int(n.value)>(slopes_of_row);
                for (std::size_t e = first; e < last; ++e) {
                    if (asks.value && c == 0 && e < ahead)
                        ask_for_scores(gradient + std::size_t(X.columns[e + entries_ahead]) * k, k);
                    const std::size_t column = std::size_t(X.columns[e]);
                    if (part.scattered && column - part.column >= span) continue;
                    double* at = gradient + column * k + c;
                    store<double, int(n.value)>(at, load<double, int(n.value)>(at) + slopes * double(X.value(e)));
                }
            });
        }
    });
}

}  // namespace
}  // namespace steepest
