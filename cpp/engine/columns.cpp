#include "cpp/engine/columns.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/narrow.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

constexpr std::size_t line = 8;          // doubles of a cache line
constexpr std::size_t rows_a_task = 64;  // a multiple of a line
constexpr std::size_t columns_a_task = 256;
constexpr std::size_t few = 1 << 15;     // numbers that one thread copies as fast as two

int threads_for(std::size_t n_numbers) { return n_numbers < few ? 1 : threads_in_use(); }

// The numbers of up to a line of rows, column by column, so that each column gets a whole cache line at once.
template <class S, class T>
void copy_rows(const Matrix<S>& X, const T* weight, std::size_t first, std::size_t last, const std::uint32_t* which,
               std::size_t count, double* out) {
    const S* x[line];
    const std::size_t n = last - first;
    for (std::size_t i = 0; i < n; ++i) x[i] = X.data + (first + i) * X.n_columns;
    for (std::size_t k = 0; k < count; ++k) {
        double* to = out + k * X.n_rows + first;
        for (std::size_t i = 0; i < n; ++i)
            to[i] = weight && weight[first + i] == T(0) ? 0.0 : double(widen(x[i][which[k]]));
    }
}

template <class S, class T>
void copy_column(const Matrix<S>& X, const T* weight, std::size_t column, double* out) {
    const S* x = X.data + column * X.n_rows;
    for (std::size_t i = 0; i < X.n_rows; ++i) out[i] = weight && weight[i] == T(0) ? 0.0 : double(widen(x[i]));
}

// Adds r[k][i] times row i of X to out[k], for all k and the columns [first, last), rows of weight 0 left out. X is
// row-major.
template <class S, class T>
void combine_rows_of(const Matrix<S>& X, const T* weight, const double* r, std::size_t count, std::size_t first,
                     std::size_t last, double* out) {
    const std::size_t n = X.n_rows, d = X.n_columns, width = last - first;
    std::vector<double> tile(std::is_same_v<S, double> ? 0 : rows_a_task * width), factors(rows_a_task * count);
    for (std::size_t row = 0; row < n; row += rows_a_task) {
        std::uint32_t rows[rows_a_task], which[rows_a_task];
        std::size_t used = 0;
        for (std::size_t i = row; i < std::min(row + rows_a_task, n); ++i)
            if (!weight || weight[i] != T(0)) rows[used++] = std::uint32_t(i);
        const double* block = tile.data();
        std::size_t stride = width;
        if constexpr (std::is_same_v<S, double>) {
            block = X.data + first, stride = d;
            std::copy(rows, rows + used, which);
        } else {
            for (std::size_t k = 0; k < used; ++k) {
                const S* x = X.data + rows[k] * d + first;
                for (std::size_t j = 0; j < width; ++j) tile[k * width + j] = double(widen(x[j]));
                which[k] = std::uint32_t(k);
            }
        }
        for (std::size_t k = 0; k < count; ++k)
            for (std::size_t i = 0; i < used; ++i) factors[k * used + i] = r[k * n + rows[i]];
        narrow_kernels().combine(block, stride, which, used, width, factors.data(), count, out + first, d);
    }
}

}  // namespace

template <class S>
void combine_rows(const Matrix<S>& X, const ArithmeticOf<S>* weight, const double* r, std::size_t count, double* out,
                  Interrupt& interrupt) {
    const std::size_t n = X.n_rows, d = X.n_columns;
    std::fill(out, out + count * d, 0.0);
    if (X.order == Order::row_major) {
        for_each_task((d + columns_a_task - 1) / columns_a_task, threads_for(n * d), interrupt,
                      [&](std::size_t task, int) {
                          const std::size_t first = task * columns_a_task;
                          combine_rows_of(X, weight, r, count, first, std::min(first + columns_a_task, d), out);
                      });
        return;
    }
    for_each_task(d, threads_for(n * d), interrupt, [&](std::size_t j, int) {
        std::vector<double> column(n);
        copy_column(X, weight, j, column.data());
        constexpr std::uint32_t only = 0;
        for (std::size_t k = 0; k < count; ++k)
            column_kernels().dots(column.data(), n, &only, 0, 1, r + k * n, out + k * d + j);
    });
}

template <class S>
void copy_columns(const Matrix<S>& X, const ArithmeticOf<S>* weight, const std::uint32_t* which, std::size_t count,
                  double* out, Interrupt& interrupt) {
    const std::size_t n = X.n_rows;
    if (X.order == Order::column_major) {
        for_each_task(count, threads_for(n * count), interrupt,
                      [&](std::size_t k, int) { copy_column(X, weight, which[k], out + k * n); });
        return;
    }
    for_each_task((n + rows_a_task - 1) / rows_a_task, threads_for(n * count), interrupt, [&](std::size_t task, int) {
        const std::size_t end = std::min((task + 1) * rows_a_task, n);
        for (std::size_t first = task * rows_a_task; first < end; first += line)
            copy_rows(X, weight, first, std::min(first + line, end), which, count, out);
    });
}

template <class V, class I>
void copy_columns(const SparseMatrix<V, I>& X, const ArithmeticOf<V>* weight, const std::uint32_t* which,
                  std::size_t count, double* out, Interrupt& interrupt) {
    const std::size_t n = X.n_rows;
    std::vector<std::uint32_t> place(X.n_columns, UINT32_MAX);
    for (std::size_t k = 0; k < count; ++k) place[which[k]] = std::uint32_t(k);
    std::fill(out, out + n * count, 0.0);
    const auto copy = [&](std::size_t task, int) {
        const std::size_t end = std::min((task + 1) * rows_a_task, n);
        for (std::size_t row = task * rows_a_task; row < end; ++row) {
            if (weight && weight[row] == ArithmeticOf<V>(0)) continue;
            const std::size_t last = X.start(row + 1);
            for (std::size_t e = X.start(row); e < last; ++e) {
                const std::uint32_t k = place[std::size_t(X.columns[e])];
                if (k != UINT32_MAX) out[k * n + row] += double(X.value(e));
            }
        }
    };
    for_each_task((n + rows_a_task - 1) / rows_a_task, threads_for(X.n_elements()), interrupt, copy);
}

#define STEEPEST_INSTANTIATE(S, name)                                                                                \
    template void copy_columns(const Matrix<S>&, const ArithmeticOf<S>*, const std::uint32_t*, std::size_t, double*, \
                               Interrupt&);                                                                          \
    template void combine_rows(const Matrix<S>&, const ArithmeticOf<S>*, const double*, std::size_t, double*,        \
                               Interrupt&);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE
#define STEEPEST_INSTANTIATE(V, I)                                                                                   \
    template void copy_columns(const SparseMatrix<V, I>&, const ArithmeticOf<V>*, const std::uint32_t*, std::size_t, \
                               double*, Interrupt&);
STEEPEST_FOR_EACH_SPARSE(STEEPEST_INSTANTIATE)

}  // namespace steepest
