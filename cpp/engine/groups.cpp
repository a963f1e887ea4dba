#include "cpp/engine/groups.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/sparse.hpp"
#include "cpp/engine/statistics.hpp"

namespace steepest {
namespace {

template <class T>
class Numbers : public ColumnGroup<T> {
  public:
    explicit Numbers(const Matrix<T>& X) : ColumnGroup<T>(X.n_columns), X_(X) {}

    std::size_t entries_before(std::size_t row) const override { return row * X_.n_columns; }
    void add_products(const ListedRows& rows, const T* w, double* z) const override {
        numbers_kernels_of<T>().add_products(X_, rows, w, z);
    }
    void add_rows(const ListedRows& rows, const T* r, const ColumnRange& range, double* gradient) const override {
        numbers_kernels_of<T>().add_rows(X_, rows, r, range, gradient);
    }
    void add_row(std::size_t row, T* x) const override {
        const bool by_rows = X_.order == Order::row_major;
        for (std::size_t j = 0; j < X_.n_columns; ++j)
            x[j] += X_.data[by_rows ? row * X_.n_columns + j : j * X_.n_rows + row];
    }
    void column_statistics(const T* weight, double* mean, double* deviation, Interrupt& interrupt) const override {
        steepest::column_statistics(X_, weight, mean, deviation, interrupt);
    }

  private:
    Matrix<T> X_;
};

template <class V, class I, class T = ArithmeticOf<V>>
class Compressed : public ColumnGroup<T> {
  public:
    Compressed(const SparseMatrix<V, I>& X, const SparseFacts& facts)
        : ColumnGroup<T>(X.n_columns), X_(X), facts_(facts) {}

    std::size_t entries_before(std::size_t row) const override { return X_.start(row); }
    void add_products(const ListedRows& rows, const T* w, double* z) const override {
        T products[group_rows];
        sparse_kernels_of<V, I>().products(X_, rows, w, SIZE_MAX, products);
        for (std::size_t i = 0; i < rows.count; ++i) z[i] += double(products[i]);
    }
    void add_rows(const ListedRows& rows, const T* r, const ColumnRange& range, double* gradient) const override {
        const bool some = range.column > 0 || range.last_column < X_.n_columns;
        sparse_kernels_of<V, I>().add_rows(X_, rows, r, {nullptr, nullptr, some, range.column, range.last_column},
                                           gradient);
    }
    void add_row(std::size_t row, T* x) const override {
        for (std::size_t e = X_.start(row); e < X_.start(row + 1); ++e) x[std::size_t(X_.columns[e])] += X_.value(e);
    }
    void column_statistics(const T* weight, double* mean, double* deviation, Interrupt& interrupt) const override {
        SparseSource<V, I>(X_, facts_, nullptr, weight, 0.0).column_statistics(mean, deviation, interrupt);
    }

  private:
    SparseMatrix<V, I> X_;
    SparseFacts facts_;
};

template <class T, class C>
class Category : public ColumnGroup<T> {
  public:
    explicit Category(const Codes<C>& X) : ColumnGroup<T>(X.n_columns), X_(X) {}

    std::size_t entries_before(std::size_t row) const override { return row; }
    void add_products(const ListedRows& rows, const T* w, double* z) const override {
        codes_kernels_of<C, T>().add_products(X_, rows, w, z);
    }
    void add_rows(const ListedRows& rows, const T* r, const ColumnRange& range, double* gradient) const override {
        codes_kernels_of<C, T>().add_rows(X_, rows, r, range, gradient);
    }
    void add_row(std::size_t row, T* x) const override {
        const std::size_t j = X_.column(row);
        if (j < X_.n_columns) x[j] += T(1);
    }
    void column_statistics(const T* weight, double* mean, double* deviation, Interrupt&) const override;

  private:
    Codes<C> X_;
};

// Of a column of 0 and 1 the mean is the share p of the ones, and the variance p (1 - p).
template <class T, class C>
void Category<T, C>::column_statistics(const T* weight, double* mean, double* deviation, Interrupt&) const {
    std::vector<T> ones(weight ? 0 : group_rows, T(1));
    std::vector<double> none(1);
    double total = 0.0;
    std::fill_n(mean, X_.n_columns, 0.0);
    for (std::size_t first = 0; first < X_.n_rows; first += group_rows) {
        const ListedRows rows{nullptr, first, std::min(group_rows, X_.n_rows - first)};
        const T* weights = weight ? weight + first : ones.data();
        add_rows(rows, weights, {0, X_.n_columns}, mean);
        for (std::size_t i = 0; i < rows.count; ++i) total += double(weights[i]);
    }
    for (std::size_t j = 0; j < X_.n_columns; ++j) {
        const double share = mean[j] / total;
        deviation[j] = std::sqrt(share * (std::max(total - mean[j], 0.0) / total));
        mean[j] = share;
    }
}

// The first row of a code that is out of range, or n_rows.
template <class C>
std::size_t first_wrong(const Codes<C>& X, std::size_t n_levels, Interrupt& interrupt) {
    constexpr std::size_t task_rows = 1 << 16;
    std::atomic<std::size_t> wrong{X.n_rows};
    const auto most = std::int64_t(n_levels);
    for_each_task((X.n_rows + task_rows - 1) / task_rows, threads_in_use(), interrupt, [&](std::size_t task, int) {
        const std::size_t first = task * task_rows, last = std::min(first + task_rows, X.n_rows);
        const auto [low, high] = std::minmax_element(X.codes + first, X.codes + last);
        if (*low >= -1 && std::int64_t(*high) < most) return;
        std::size_t row = first, least = wrong;
        while (X.codes[row] >= -1 && std::int64_t(X.codes[row]) < most) ++row;
        while (row < least && !wrong.compare_exchange_weak(least, row)) {
        }
    });
    return wrong;
}

}  // namespace

template <class T>
std::unique_ptr<ColumnGroup<T>> group_of_numbers(const Matrix<T>& X) {
    const bool by_rows = X.order == Order::row_major && X.n_columns > 1;
    return std::make_unique<Numbers<T>>(
        Matrix<T>{X.data, X.n_rows, X.n_columns, by_rows ? Order::row_major : Order::column_major});
}

template <class V, class I>
std::unique_ptr<ColumnGroup<ArithmeticOf<V>>> group_of_sparse_rows(const SparseMatrix<V, I>& X, std::size_t n_entries,
                                                                   Interrupt& interrupt) {
    return std::make_unique<Compressed<V, I>>(X, checked_facts(X, n_entries, interrupt));
}

template <class T, class C>
std::unique_ptr<ColumnGroup<T>> group_of_codes(const Codes<C>& X, std::size_t n_levels, const std::string& name,
                                               Interrupt& interrupt) {
    const std::size_t row = first_wrong(X, n_levels, interrupt);
    if (row < X.n_rows)
        throw std::invalid_argument("X: codes of " + name + " must be from 0 to " +
                                    std::to_string(std::int64_t(n_levels) - 1) + ", or -1 for none, got " +
                                    std::to_string(int(X.codes[row])) + " in row " + std::to_string(row));
    return std::make_unique<Category<T, C>>(X);
}

template std::unique_ptr<ColumnGroup<float>> group_of_numbers(const Matrix<float>&);
template std::unique_ptr<ColumnGroup<double>> group_of_numbers(const Matrix<double>&);
#define STEEPEST_SPARSE(V, I)                                                                              \
    template std::unique_ptr<ColumnGroup<ArithmeticOf<V>>> group_of_sparse_rows(const SparseMatrix<V, I>&, \
                                                                                std::size_t, Interrupt&);
STEEPEST_FOR_EACH_SPARSE(STEEPEST_SPARSE)
#define STEEPEST_CODES(C, name)                                                                                    \
    template std::unique_ptr<ColumnGroup<float>> group_of_codes(const Codes<C>&, std::size_t, const std::string&,  \
                                                                Interrupt&);                                       \
    template std::unique_ptr<ColumnGroup<double>> group_of_codes(const Codes<C>&, std::size_t, const std::string&, \
                                                                 Interrupt&);
STEEPEST_FOR_EACH_CODE(STEEPEST_CODES)

}  // namespace steepest
