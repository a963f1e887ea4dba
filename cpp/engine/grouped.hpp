// The source of an X that is made of groups of columns. The products of all groups are added up, the loss makes one
// number a row and score of them, and each group adds its rows up with these numbers.
#pragma once

#include <memory>
#include <vector>

#include "cpp/engine/groups.hpp"
#include "cpp/engine/source.hpp"

namespace steepest {

template <class T>
using ColumnGroups = std::vector<std::unique_ptr<ColumnGroup<T>>>;

template <class T>
class GroupedSource : public Source<T> {
  public:
    // Of n_rows rows each. Views: the arrays must live as long as the source. `weight` may be null: all 1.
    GroupedSource(std::size_t n_rows, ColumnGroups<T> groups, const T* y, const T* weight, double weight_sum);

    bool supports(Capability) const override;
    std::size_t n_elements() const override { return entries_before(this->n_rows); }
    double* sums(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    HessianSums hessian(const Pass<T>&, bool with_gradient, Interrupt&) const override;
    void column_statistics(double* mean, double* deviation, Interrupt&) const override;

  private:
    struct Block;  // of rows

    std::size_t entries_before(std::size_t row) const;
    std::size_t cost_before(std::size_t row) const;
    auto panels() const;
    ListedRows rows_between(const Selection&, std::size_t part, std::size_t n_parts) const;
    void score(const Pass<T>&, const ListedRows&, const Block&, double* loss, double* slopes) const;
    void add_rows(const SumsShape&, const ListedRows&, const T* r, std::size_t step, std::size_t first,
                  std::size_t last, double* sums) const;
    void add_chunk(const Pass<T>&, const ListedRows&, double* sums) const;
    void add_chunk_by_columns(const Pass<T>&, const ListedRows&, double* sums, Interrupt&) const;

    ColumnGroups<T> groups_;
    std::vector<std::size_t> first_columns_;  // of each group
    const T* y_;
    const T* weight_;
};

}  // namespace steepest
