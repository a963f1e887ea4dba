// The seam: a source has rows, with targets and weights, and adds up what a method needs of them. It is typed on what
// is computed with; how its numbers are stored is its own affair. A wrapper is a source over another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpp/engine/interrupt.hpp"
#include "cpp/engine/memory.hpp"
#include "cpp/engine/scaling.hpp"
#include "cpp/engine/sums.hpp"
#include "cpp/math/lazy.hpp"
#include "cpp/math/losses.hpp"
#include "cpp/math/matrix.hpp"

namespace steepest {

// What a source may be able to do besides passes over all its rows: passes over rows by their numbers, the slopes of a
// single row, the entries of some rows, a Hessian, passes over columns that it standardises block by block, column
// statistics, and gradients at two points from one pass. Python's Capability has the same names.
#define STEEPEST_FOR_EACH_CAPABILITY(X) \
    X(batches) X(single_rows) X(row_entries) X(hessian) X(standardised_blocks) X(column_statistics) X(two_points)
#define STEEPEST_ITEM(name) name,
enum class Capability { STEEPEST_FOR_EACH_CAPABILITY(STEEPEST_ITEM) };
#undef STEEPEST_ITEM
#define STEEPEST_NAME(name) #name,
constexpr const char* capability_names[] = {STEEPEST_FOR_EACH_CAPABILITY(STEEPEST_NAME)};
#undef STEEPEST_NAME

// `count` rows from `begin`, or those that `index` lists. `ahead` more entries of `index` may be read past `count`, to
// prefetch the rows that come next.
struct Selection {
    const std::uint32_t* index;
    std::size_t begin, count, ahead;
};

// Memory that the passes of one objective need; kept by whoever makes many.
template <class T>
struct Workspace {
    Buffer<double> partial;
    std::vector<T> scratch;
    Buffer<T> pairs, raw_point, raw_direction;
    Buffer<double> turned;
};

// Some rows by their entries, with their targets and weights (empty: all 1). What is not stored as it is needed here is
// copied to `columns` and `values`.
template <class T>
struct RowEntries {
    std::vector<SparseRow<T>> rows;
    std::vector<T> y, weight;
    std::size_t n_entries;
    bool distinct;  // whether no row has a column twice
    std::vector<std::uint32_t> columns;
    std::vector<T> values;
};

enum class Work { value, gradient, hessian_product };

// One pass over rows. `direction` is read by the Hessian product alone. With `blocks` the columns are standardised
// block by block before they reach a kernel.
template <class T>
struct Pass {
    Work work;
    LossChoice loss;
    Coefficients<T> point, direction;
    Selection rows;
    const Scaling* blocks = nullptr;
    // Where a source made them: the numbers of point and direction, of one score, side by side; or those of all scores,
    // of the point and then of the direction.
    const T *pairs = nullptr, *beside = nullptr;

    SumsShape shape() const { return {point.n_scores, point.n_columns}; }
};

// The lower triangle of the Hessian's blocks of scores a >= b, one pair after another. With `gradient` there is one
// block, below it a row for the gradient and in that row's corner the loss.
struct HessianSums {
    std::vector<double> values;
    std::size_t row, block;  // elements
    bool gradient;
};

template <class T>
class Source {
  public:
    Source(std::size_t n_rows, std::size_t n_columns, double weight_sum)
        : n_rows(n_rows), n_columns(n_columns), weight_sum(weight_sum) {}
    virtual ~Source() = default;

    virtual bool supports(Capability) const = 0;
    // How many numbers a pass reads, and so about what it costs: the non-zeros of a sparse source. A source cuts its
    // passes by this, never by the number of threads, and QuasiNewton compares the cost of a Hessian with it.
    virtual std::size_t n_elements() const = 0;

    // The sums of a pass, of its shape, or of `value` the loss alone: in the workspace until it is used again, and the
    // caller's to change.
    virtual double* sums(const Pass<T>&, Workspace<T>&, Interrupt&) const = 0;
    // The sums of the gradients at a pass's point and at its direction, one after the other. Where the numbers of the
    // rows are finite, each has the bits of a pass of its own. Of one score.
    virtual double* sums_at_two(const Pass<T>&, Workspace<T>&, Interrupt&) const { throw unsupported("two points"); }
    // A selection's first row, n_columns numbers that are valid until the workspace is used again, and its slope in
    // each score; null where its loss is not finite. A source that does not hold its rows so does not claim
    // single_rows, and a step from one row is then a pass over a batch of one, which costs n_columns.
    virtual const T* row_slopes(const LossChoice&, const Coefficients<T>&, const Selection&, T*, Workspace<T>&) const {
        throw unsupported("single rows");
    }
    // The entries of a selection's rows, valid until the next call: what a step needs that costs the entries alone
    // (sparse_steps.hpp).
    virtual void entries(const Selection&, RowEntries<T>&) const { throw unsupported("the entries of rows"); }
    // Of all rows; with the gradient where it is asked for and comes with the pass.
    virtual HessianSums hessian(const Pass<T>&, bool, Interrupt&) const { throw unsupported("a Hessian"); }
    // n_columns means and deviations.
    virtual void column_statistics(double*, double*, Interrupt&) const { throw unsupported("column statistics"); }

    Selection all_rows() const { return {nullptr, 0, n_rows, 0}; }

    const std::size_t n_rows, n_columns;
    const double weight_sum;

  private:
    static std::invalid_argument unsupported(const char* what) {
        return std::invalid_argument(std::string("X: this kind of data does not give ") + what);
    }
};

}  // namespace steepest
