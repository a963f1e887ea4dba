// The source of a sparse X in compressed rows (CSR). A pass has two halves: the products of rows with w, of which the
// loss makes one number a row and score, and the rows added up with these numbers.
#pragma once

#include "cpp/engine/source.hpp"
#include "cpp/engine/sparse_columns.hpp"
#include "cpp/math/sparse.hpp"

namespace steepest {

// What a look at all of X's indices tells.
struct SparseFacts {
    bool in_order = true;     // the columns of no row fall
    bool distinct = true;     // and no row has one twice
    std::size_t longest = 0;  // entries of a row
};

// Throws std::invalid_argument where starts or columns are out of range; there are n_entries columns.
template <class V, class I>
SparseFacts checked_facts(const SparseMatrix<V, I>&, std::size_t n_entries, Interrupt&);

template <class V, class I>
class SparseSource : public Source<ArithmeticOf<V>> {
  public:
    using T = ArithmeticOf<V>;
    // Views: the arrays must live as long as the source. `weight` may be null: all 1.
    SparseSource(const SparseMatrix<V, I>& X, const SparseFacts& facts, const T* y, const T* weight, double weight_sum)
        : Source<T>(X.n_rows, X.n_columns, weight_sum),
          X_(X),
          facts_(facts),
          y_(y),
          weight_(weight),
          ranges_(X, facts.in_order && facts.longest <= UINT32_MAX) {}

    bool supports(Capability) const override;
    std::size_t n_elements() const override { return X_.n_elements(); }
    double* sums(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    void entries(const Selection&, RowEntries<T>&) const override;  // sparse_entries.cpp
    HessianSums hessian(const Pass<T>&, bool with_gradient, Interrupt&) const override;
    void column_statistics(double* mean, double* deviation, Interrupt&) const override;

  private:
    auto panels() const;
    const T* make_pairs(const Pass<T>&, std::size_t bytes_of_sums, Workspace<T>&, Interrupt&) const;
    const T* make_beside(const Pass<T>&, std::size_t bytes_of_sums, Workspace<T>&, Interrupt&) const;
    void add_block(const Pass<T>&, const ListedRows&, const T* z, std::size_t step, const SparsePart&, double*) const;
    std::size_t count_blocks(const ListedRows&) const;
    void add_chunk(const Pass<T>&, std::size_t chunk, std::size_t n_chunks, double* sums) const;
    void add_chunk_by_columns(const Pass<T>&, std::size_t chunk, std::size_t n_chunks, double* sums, Interrupt&) const;
    void score_block(const Pass<T>&, const ListedRows&, T* z, T* u, std::size_t step, double* own) const;
    void score(const Pass<T>&, const ListedRows&, const ScoreBlock<T>&, double* loss, double* slopes) const;
    void multiply_long_rows(const Pass<T>&, const ListedRows&, T* z, T* u, std::size_t step, int n_threads,
                            Interrupt&) const;
    std::size_t cost_of(const Selection&) const;
    std::size_t cost_before(std::size_t row) const;
    ListedRows rows_between(const Selection&, std::size_t part, std::size_t n_parts) const;

    SparseMatrix<V, I> X_;
    SparseFacts facts_;
    const T* y_;
    const T* weight_;
    mutable ColumnRanges<V, I> ranges_;
};

}  // namespace steepest
