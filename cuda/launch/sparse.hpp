// Passes over the rows of a sparse X, in its two halves: products of the rows with w and their slopes, and the rows
// added up with these. All are asynchronous but the check.
#pragma once

#include "cuda/kernels/sparse.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

// A CSR matrix of values of T, whose columns and starts are int32 or int64.
template <class T>
struct SparseView {
    const T* values;
    const void* columns;
    bool wide_columns;
    const void* starts;
    bool wide_starts;
    std::size_t n_rows, n_columns, n_entries;  // n_entries: where the last row ends

    Shares shares() const { return shares_of(n_rows, n_entries); }
};

struct SparseFaults {
    std::size_t row;    // the first whose start falls or leaves the entries; n_rows where there is none
    std::size_t entry;  // the first that names no column; n_entries where there is none
};

// n_entries is the length of the array of columns. The starts are read, no other kernel may before. Waits.
template <class T>
SparseFaults check_sparse(const SparseView<T>&, Stream);

// What the sums over columns need: arrays of n_columns, but for `of_slots` of hot_columns.
struct ColumnSums {
    Column* columns;
    Limb* high;  // with two more for the sums of slopes and losses
    Limb* low;
    unsigned* n_hot;
    std::size_t* of_slots;

    double* sums() const { return reinterpret_cast<double*>(high); }
};

// Looks at X once and fills `columns`. Rows of weight 0 are absent.
template <class T>
void describe_columns(const SparseView<T>&, const T* weight, const ColumnSums&, const Device&, Stream);

// Products of the rows with a point, in two parts: z has one number a row, carry one a share.
template <class T>
void multiply(const SparseView<T>&, const T* w, double* carry, double* z, const Device&, Stream);

// What a loss makes of the products; the parts of a direction are null for a gradient.
template <class T>
struct SlopesOf {
    const T* y;
    const T* weight;
    LossChoice loss;
    const T* bias;
    const T* along;
    const double* carry;
    const double* carry_u;
    double* z;  // become the slopes
    const double* u;
    SparseTotals* partial;  // slope_chunks(n_rows)
    SparseTotals* totals;
};

// The slopes of the rows and their totals; the sums of slopes and losses go behind those of the columns.
template <class T>
void make_slopes(const SparseView<T>&, const SlopesOf<T>&, const ColumnSums&, Stream);

// The sums over the columns of slope * x, in `sums()`.
template <class T>
void add_rows(const SparseView<T>&, const SlopesOf<T>&, const ColumnSums&, const Device&, Stream);

}  // namespace steepest::cuda
