#include "cpp/engine/columns.hpp"

#include <algorithm>
#include <vector>

#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

constexpr std::size_t line = 8;          // doubles of a cache line
constexpr std::size_t rows_a_task = 64;  // a multiple of a line
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

}  // namespace

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
                               Interrupt&);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE
#define STEEPEST_INSTANTIATE(V, I)                                                                                   \
    template void copy_columns(const SparseMatrix<V, I>&, const ArithmeticOf<V>*, const std::uint32_t*, std::size_t, \
                               double*, Interrupt&);
STEEPEST_FOR_EACH_SPARSE(STEEPEST_INSTANTIATE)

}  // namespace steepest
