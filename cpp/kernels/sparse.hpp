// Passes over the rows of a sparse X: products of rows with w, and rows added up. Both wait for numbers of w and of the
// sums that lie anywhere, so they ask for them ahead.
#pragma once

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

constexpr std::size_t entries_ahead = 32, rows_ahead = 2;
constexpr std::size_t far_bytes = std::size_t(5) << 19;  // of numbers that are asked for ahead: about what is not near

// The entries before this one ask ahead: entries are read past the end of a row, never past that of X.
template <class V, class I>
STEEPEST_INLINE std::size_t last_ahead(const SparseMatrix<V, I>& X) {
    const std::size_t n = X.n_elements();
    return n < entries_ahead ? 0 : n - entries_ahead;
}

// Calls body(whether to ask ahead, as a constant).
template <class Number, class Body>
STEEPEST_INLINE void with_ahead(std::size_t n_columns, Body body) {
    if (n_columns * sizeof(Number) > far_bytes) {
        body(std::true_type{});
    } else {
        body(std::false_type{});
    }
}

constexpr int at_once = 8;  // entries

// Eight values, as doubles.
template <class V, class I>
STEEPEST_INLINE Vector<double, at_once> values_at(const SparseMatrix<V, I>& X, std::size_t e) {
    if constexpr (is_ones<V>) {
        return Vector<double, at_once>{} + 1.0;
    } else if constexpr (is_widened<V>) {
        return Vector<double, at_once>{double(X.value(e)),     double(X.value(e + 1)), double(X.value(e + 2)),
                                       double(X.value(e + 3)), double(X.value(e + 4)), double(X.value(e + 5)),
                                       double(X.value(e + 6)), double(X.value(e + 7))};
    } else {
        return as_doubles<at_once, V>(load<V, at_once>(X.values + e));
    }
}

using Four = Vector<double, 4>;

// Four values, as doubles.
template <class V, class I>
STEEPEST_INLINE Four four_values_at(const SparseMatrix<V, I>& X, std::size_t e) {
    if constexpr (is_ones<V>) {
        return Four{} + 1.0;
    } else if constexpr (is_widened<V>) {
        return Four{double(X.value(e)), double(X.value(e + 1)), double(X.value(e + 2)), double(X.value(e + 3))};
    } else {
        return as_doubles<4, V>(load<V, 4>(X.values + e));
    }
}

// In four sums of double: entries of the same column may cancel, and a row may be long.
template <bool Ahead, class V, class I, class T = ArithmeticOf<V>>
STEEPEST_INLINE double product_of(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last, const T* w,
                                  std::size_t ahead) {
    Four sums = {};
    std::size_t e = first;
    for (; e + 4 <= last; e += 4) {
        if (Ahead && e + 4 <= ahead) {
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) __builtin_prefetch(w + X.columns[e + k + entries_ahead]);
        }
        const I* j = X.columns + e;
        sums += four_values_at(X, e) * as_doubles<4, T>(Vector<T, 4>{w[j[0]], w[j[1]], w[j[2]], w[j[3]]});
    }
    double sum = sums[0];
    for (; e < last; ++e) sum += double(X.value(e)) * double(w[X.columns[e]]);
    return (sum + sums[1]) + (sums[2] + sums[3]);
}

template <class V, class I, class T = ArithmeticOf<V>>
double product(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last, const T* w) {
    return product_of<true>(X, first, last, w, last_ahead(X));
}

template <class V, class I, class T = ArithmeticOf<V>>
void products(const SparseMatrix<V, I>& X, const ListedRows& rows, const T* w, std::size_t longest, T* z) {
    const std::size_t ahead = last_ahead(X);
    with_ahead<T>(X.n_columns, [&](auto asks) {
        for (std::size_t i = 0; i < rows.count; ++i) {
            const std::size_t row = rows.row(i), first = X.start(row), last = X.start(row + 1);
            if (last - first <= longest) z[i] = T(product_of<asks.value>(X, first, last, w, ahead));
        }
    });
}

// Numbers of w and v at a column, and those at two columns.
template <class T>
struct TwoVectors {
    const T *w, *v;
    STEEPEST_INLINE Vector<double, 2> at(std::size_t j) const { return Vector<double, 2>{double(w[j]), double(v[j])}; }
    STEEPEST_INLINE Four at(std::size_t i, std::size_t j) const {
        return as_doubles<4, T>(Vector<T, 4>{w[i], v[i], w[j], v[j]});
    }
    STEEPEST_INLINE void ask_for(std::size_t j) const {
        __builtin_prefetch(w + j);
        __builtin_prefetch(v + j);
    }
};
// The same where w_j and v_j lie side by side, so that one read gives both.
template <class T>
struct Pairs {
    const T* pairs;
    STEEPEST_INLINE Vector<T, 2> pair(std::size_t j) const { return load<T, 2>(pairs + 2 * j); }
    STEEPEST_INLINE Vector<double, 2> at(std::size_t j) const {
        return __builtin_convertvector(pair(j), Vector<double, 2>);
    }
    STEEPEST_INLINE Four at(std::size_t i, std::size_t j) const {
        return as_doubles<4, T>(__builtin_shufflevector(pair(i), pair(j), 0, 1, 2, 3));
    }
    STEEPEST_INLINE void ask_for(std::size_t j) const { __builtin_prefetch(pairs + 2 * j); }
};

// Each of the two products is added up as product_of does.
template <bool Ahead, class V, class I, class Numbers>
STEEPEST_INLINE Vector<double, 2> two_products_of(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last,
                                                  const Numbers& numbers, std::size_t ahead) {
    Four sums01 = {}, sums23 = {};
    std::size_t e = first;
    for (; e + 4 <= last; e += 4) {
        if (Ahead && e + 4 <= ahead) {
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) numbers.ask_for(X.columns[e + k + entries_ahead]);
        }
        const I* j = X.columns + e;
        const Four x = four_values_at(X, e);
        sums01 += __builtin_shufflevector(x, x, 0, 0, 1, 1) * numbers.at(j[0], j[1]);
        sums23 += __builtin_shufflevector(x, x, 2, 2, 3, 3) * numbers.at(j[2], j[3]);
    }
    Vector<double, 2> sums0 = {sums01[0], sums01[1]};
    for (; e < last; ++e) sums0 += double(X.value(e)) * numbers.at(X.columns[e]);
    const Vector<double, 2> sums1 = {sums01[2], sums01[3]};
    return (sums0 + sums1) + Vector<double, 2>{sums23[0] + sums23[2], sums23[1] + sums23[3]};
}

template <class V, class I, class T = ArithmeticOf<V>>
void two_products(const SparseMatrix<V, I>& X, const ListedRows& rows, const T* w, const T* v, const T* pairs,
                  std::size_t longest, T* z, T* u) {
    const std::size_t ahead = last_ahead(X);
    const auto over_rows = [&](auto asks, const auto& numbers) {
        for (std::size_t i = 0; i < rows.count; ++i) {
            const std::size_t row = rows.row(i), first = X.start(row), last = X.start(row + 1);
            if (last - first > longest) continue;
            const Vector<double, 2> both = two_products_of<asks.value>(X, first, last, numbers, ahead);
            z[i] = T(both[0]);
            u[i] = T(both[1]);
        }
    };
    with_ahead<T>(2 * X.n_columns, [&](auto asks) {
        if (pairs) {
            over_rows(asks, Pairs<T>{pairs});
        } else {
            over_rows(asks, TwoVectors<T>{w, v});
        }
    });
}

// While a block of rows is added, the entries of the next one are fetched: how far ahead they are; 0: not known, or not
// all of them near.
template <class V, class I>
STEEPEST_INLINE std::size_t entries_to_fetch(const SparseMatrix<V, I>& X, const ListedRows& rows) {
    constexpr std::size_t most = std::size_t(1) << 15;
    if (rows.index || rows.count == 0) return 0;
    const std::size_t n = X.start(rows.first + rows.count) - X.start(rows.first);
    return n <= most ? n : 0;
}
template <class V, class I>
STEEPEST_INLINE void fetch_entries(const SparseMatrix<V, I>& X, std::size_t first, std::size_t last) {
    for (std::size_t e = first; e < last; e += 64 / sizeof(I)) __builtin_prefetch(X.columns + e, 0, 2);
    if constexpr (!is_ones<V>) {
        for (std::size_t e = first; e < last; e += 64 / sizeof(V)) __builtin_prefetch(X.values + e, 0, 2);
    }
}

// Asks for the sums of the first entries of a row that lie in a part.
template <class V, class I>
STEEPEST_INLINE void ask_ahead(const SparseMatrix<V, I>& X, std::size_t row, const SparsePart& part,
                               const double* sums) {
    const std::size_t first = X.start(row) + (part.from ? part.from[row] : 0);
    std::size_t last = part.to ? X.start(row) + part.to[row] : X.start(row + 1);
    if (last > first + entries_ahead) last = first + entries_ahead;
    for (std::size_t e = first; e < last; ++e) __builtin_prefetch(sums + X.columns[e], 1);
}

// Calls body(entry, column, i) with every entry of a part, i the place of its row in the selection. Rows whose number
// in `r` is absent_row are left out.
template <bool Ahead = false, bool Fetches = false, class V, class I, class Body, class T = ArithmeticOf<V>,
          class Several = std::nullptr_t>
STEEPEST_INLINE void over_entries(const SparseMatrix<V, I>& X, const ListedRows& rows, const SparsePart& part,
                                  const double* sums, Body body, const T* r = nullptr, Several several = nullptr) {
    const std::size_t ahead = last_ahead(X), span = part.last_column - part.column, next = entries_to_fetch(X, rows);
    for (std::size_t i = 0; i < rows.count; ++i) {
        if (r && is_absent(r[i])) continue;
        const std::size_t row = rows.row(i), start = X.start(row);
        if (part.scattered) {
            for (std::size_t e = start; e < X.start(row + 1); ++e) {
                const std::size_t column = std::size_t(X.columns[e]);
                if (column - part.column < span) body(e, column, i);
            }
            continue;
        }
        const std::size_t first = part.from ? start + part.from[row] : start;
        const std::size_t last = part.to ? start + part.to[row] : X.start(row + 1);
        if (Fetches && next) fetch_entries(X, start + next, X.start(row + 1) + next);
        // What comes next is in the rows that follow; of a part of each row, in the same part of them.
        std::size_t asked = ahead;
        if (Ahead && (part.from || part.to)) {
            asked = last < entries_ahead ? 0 : last - entries_ahead;
            if (i + rows_ahead < rows.count) ask_ahead(X, rows.row(i + rows_ahead), part, sums);
        }
        std::size_t e = first;
        if constexpr (!std::is_null_pointer_v<Several>) {
            for (; e + at_once <= last; e += at_once) {
                if (Ahead && e + at_once <= asked) {
#pragma GCC unroll 8
                    for (int k = 0; k < at_once; ++k) __builtin_prefetch(sums + X.columns[e + k + entries_ahead], 1);
                }
                several(e, i);
            }
        }
        for (; e < last; ++e) {
            if (Ahead && e < asked) __builtin_prefetch(sums + X.columns[e + entries_ahead], 1);
            body(e, std::size_t(X.columns[e]), i);
        }
    }
}

template <class V, class I, class T = ArithmeticOf<V>>
void add_rows(const SparseMatrix<V, I>& X, const ListedRows& rows, const T* r, const SparsePart& part,
              double* gradient) {
    with_ahead<double>(X.n_columns, [&](auto asks) {
        over_entries<asks.value, true>(
            X, rows, part, gradient,
            [&](std::size_t e, std::size_t column, std::size_t i) {
                gradient[column] += double(r[i]) * double(X.value(e));
            },
            r,
            [&](std::size_t e, std::size_t i) {
                double products[at_once];
                store<double, at_once>(products, values_at(X, e) * double(r[i]));
#pragma GCC unroll 8
                for (int k = 0; k < at_once; ++k) gradient[X.columns[e + k]] += products[k];
            });
    });
}

template <class V, class I, class T = ArithmeticOf<V>>
void add_weights(const SparseMatrix<V, I>& X, const ListedRows& rows, const T* weight, const SparsePart& part,
                 double* present, double* first) {
    over_entries(X, rows, part, first, [&](std::size_t e, std::size_t column, std::size_t i) {
        const double s = weight ? double(weight[i]) : 1.0;
        if (s == 0.0) return;
        present[column] += s;
        first[column] += s * double(X.value(e));
    });
}

template <class V, class I, class T = ArithmeticOf<V>>
void add_squares(const SparseMatrix<V, I>& X, const ListedRows& rows, const T* weight, const SparsePart& part,
                 const double* mean, double* second) {
    over_entries(X, rows, part, second, [&](std::size_t e, std::size_t column, std::size_t i) {
        const double s = weight ? double(weight[i]) : 1.0;
        if (s == 0.0) return;
        const double difference = double(X.value(e)) - mean[column];
        second[column] += s * difference * difference;
    });
}

}  // namespace
}  // namespace steepest
