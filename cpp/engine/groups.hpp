// Groups of columns, which stand side by side in an X: dense numbers, compressed rows, and categorical columns as
// codes.
#pragma once

#include <memory>
#include <string>

#include "cpp/engine/interrupt.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

template <class T>
class ColumnGroup {
  public:
    explicit ColumnGroup(std::size_t n_columns) : n_columns(n_columns) {}
    virtual ~ColumnGroup() = default;

    // How many entries the rows before `row` have.
    virtual std::size_t entries_before(std::size_t row) const = 0;
    // z_i += x_i . w, of at most group_rows rows.
    virtual void add_products(const ListedRows&, const T* w, double* z) const = 0;
    // gradient_j += r_i x_ij of the columns in a range; the order of a column's sum depends on the rows alone.
    virtual void add_rows(const ListedRows&, const T* r, const ColumnRange&, double* gradient) const = 0;
    // Adds a row to n_columns numbers.
    virtual void add_row(std::size_t row, T* x) const = 0;
    virtual void column_statistics(const T* weight, double* mean, double* deviation, Interrupt&) const = 0;

    const std::size_t n_columns;
};

constexpr std::size_t group_rows = 512;  // of a block, which is scored at once

template <class T>
std::unique_ptr<ColumnGroup<T>> group_of_numbers(const Matrix<T>&);
template <class V, class I>
std::unique_ptr<ColumnGroup<ArithmeticOf<V>>> group_of_sparse_rows(const SparseMatrix<V, I>&, std::size_t n_entries,
                                                                   Interrupt&);
// Of `n_levels` levels, of which the first is the baseline where `first` is 1. Throws std::invalid_argument where a
// code is none of -1 ... n_levels - 1; `name` is the column's.
template <class T, class C>
std::unique_ptr<ColumnGroup<T>> group_of_codes(const Codes<C>&, std::size_t n_levels, const std::string& name,
                                               Interrupt&);

}  // namespace steepest
