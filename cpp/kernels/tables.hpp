// The tables of kernels that one ISA level fills. Kernels take valid raw pointers and run on the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "cpp/math/codes.hpp"
#include "cpp/math/lazy.hpp"
#include "cpp/math/losses.hpp"
#include "cpp/math/matrix.hpp"
#include "cpp/math/rules.hpp"
#include "cpp/math/sparse.hpp"

namespace steepest {

#define STEEPEST_COUNT(type, name) +1
constexpr int n_losses = 0 STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_COUNT);
constexpr int n_rules = 0 STEEPEST_FOR_EACH_RULE(STEEPEST_COUNT);
#undef STEEPEST_COUNT

constexpr std::size_t hessian_tile = 6;     // rows of a Hessian that a kernel makes at once
constexpr std::size_t hessian_panel = 192;  // rows for one call: this and half of it are whole tiles and vectors

STEEPEST_INLINE constexpr std::size_t round_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }

// Sums of a Hessian of so many parameters: its lower triangle, a row for the gradient below it, and in that row's
// corner the loss. Rows are padded to vectors and tiles; what stands above the diagonal means nothing.
struct HessianShape {
    std::size_t size;

    STEEPEST_INLINE constexpr std::size_t stride() const { return round_up(size + 1, 32); }
    STEEPEST_INLINE std::size_t n_elements() const { return round_up(size + 1, hessian_tile) * stride(); }
    STEEPEST_INLINE std::size_t corner() const { return size * stride() + size; }
};

// The passes over an X stored as S with one loss; everything else is what S is computed in. `sums` are added to: the
// weighted losses, then for each score the n_columns of its gradient and its sum of slopes; neither averaged nor
// penalised. `value` adds to the losses alone.
template <class S>
struct LossKernels {
    using T = ArithmeticOf<S>;
    // Elements of scratch that a kernel over rows of X needs.
    std::size_t (*scratch_size)(const Matrix<S>& X, std::size_t n_scores);
    void (*value)(const LossParameters&, const Rows<S>&, const Coefficients<T>&, T* scratch, double* sums);
    void (*gradient)(const LossParameters&, const Rows<S>&, const Coefficients<T>&, T* scratch, double* sums);
    // Of gradients of (x . direction) * curvature.
    void (*hessian_product)(const LossParameters&, const Rows<S>&, const Coefficients<T>&,
                            const Coefficients<T>& direction, T* scratch, double* sums);
    std::size_t (*hessian_scratch_size)(const Matrix<S>& X, std::size_t n_scores);
    // Rows [first, last), first a multiple of hessian_panel / 2, of the lower triangle of the Hessian's block of scores
    // a and b (it is symmetric), which are added to: the sums of a HessianShape of a score's parameters. With one score
    // the last row is that of the gradient. Several have none, and take no rows by index.
    void (*hessian)(const LossParameters&, const Rows<S>&, const Coefficients<T>&, std::size_t a, std::size_t b,
                    std::size_t first, std::size_t last, T* scratch, double* hessian);
    // The row of the selection at position `at` (copied to `scratch` where X is not row-major floats), its slope in
    // each score, and a number that is finite where its loss is.
    const T* (*row)(const LossParameters&, const Rows<S>&, std::size_t at, const Coefficients<T>&, T* scratch,
                    T* slopes, double* finite);
};

// The update rules, in an object of their own that is compiled without fused multiply-adds: a rule then rounds alike in
// whole vectors and in the rest, and at every level.
template <class T>
struct Updates {
    // One step of n parameters; l1 is the weight of the L1 penalty.
    void (*update[n_rules])(T* w, const T* gradient, T* const* state, std::size_t n, const Hyperparameters&, T l1);
    // The same with the gradient slope * x + l2 * w of a single row, never stored.
    void (*update_row[n_rules])(T* w, const T* x, T slope, T l2, T* const* state, std::size_t n, const Hyperparameters&,
                                T l1);
};

constexpr int permutation_turns = 8;  // as many keys as it has turns

constexpr std::size_t cholesky_group = 8;

// Parts of a Cholesky factorisation A = U^T U in the upper triangle of A, by rows that are `stride` apart and padded
// with zeros to more than a tile.
struct CholeskyKernels {
    // Factors the triangle of rows and columns [first, last); false at a pivot that is not above `least`.
    bool (*triangle)(double* a, std::size_t stride, std::size_t first, std::size_t last, double least);
    // Columns [from, to) of the rows [first, last) of U, whose triangle is there; tasks begin at whole tiles.
    void (*rows)(double* a, std::size_t stride, std::size_t first, std::size_t last, std::size_t from, std::size_t to);
    // Subtracts what the rows [first, last) of U make of the rows [from, to), from their diagonal to column n.
    void (*subtract)(double* a, std::size_t stride, std::size_t first, std::size_t last, std::size_t from,
                     std::size_t to, std::size_t n);
    // x = (U^T U)^-1 x, of one vector and of cholesky_group of them, whose elements number i stand side by side.
    void (*solve)(const double* u, std::size_t stride, std::size_t n, double* x);
    void (*solve_group)(const double* u, std::size_t stride, std::size_t n, double* x);
};

// One of a kind for each storage.
template <template <class> class Of>
struct ForEachStorage {
#define STEEPEST_MEMBER(S, name) Of<S> for_##S;
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_MEMBER)
#undef STEEPEST_MEMBER

    template <class S>
    STEEPEST_INLINE const Of<S>& of() const {
#define STEEPEST_CASE(Storage, name) \
    if constexpr (std::is_same_v<S, Storage>) return for_##Storage;
        STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
    }
};

// Of the losses of losses.hpp, of one score a row.
template <class S>
struct PassKernels {
    LossKernels<S> of_loss[n_losses];
    // The sum of n elements: a stream over memory and nothing else, to measure what the machine can read.
    double (*sum)(const S* data, std::size_t n);
};

struct PassTable {
    ForEachStorage<PassKernels> storages;
    // Entries [start, start + n) of the pseudorandom permutation of [0, 2^bits) with these keys.
    void (*permute)(const std::uint32_t* keys, int bits, std::uint32_t start, std::size_t n, std::uint32_t* out);
    CholeskyKernels cholesky;
    // Minimises slope . z + z . matrix z / 2 + sum l1 |z|, its matrix n x n, over each of `count` coordinates in turn,
    // not below `lower` (null: no bounds), and keeps `slope` what it is at z. Returns the largest square of a change
    // times its curvature.
    double (*descend_coordinates)(const double* matrix, std::size_t n, const double* l1, const double* lower,
                                  const std::uint32_t* which, std::size_t count, double* z, double* slope);
};

// Of the softmax of two scores a row or more.
using SoftmaxTable = ForEachStorage<LossKernels>;

// Of some rows, for each column: a shift, the mean about it and the sum of squares about the mean.
struct ColumnMoments {
    double *shift, *mean, *squares;
};

// What is made of the columns of an X stored as S.
template <class S>
struct ColumnKernels {
    using T = ArithmeticOf<S>;
    // Adds the moments of rows [row, last_row) of columns [column, last_column) to those, of all columns, that are 0.
    // Returns the sum of the rows' weights; where it is 0, nothing is written.
    double (*moments)(const Matrix<S>&, const T* weight, std::size_t row, std::size_t last_row, std::size_t column,
                      std::size_t last_column, const ColumnMoments&);
    // Writes the rows [first, first + n) of the selection as standardised columns, with their targets and, where there
    // are any, weights: in X's order, but row-major where they are listed.
    void (*standardise)(const Rows<S>&, std::size_t first, std::size_t n, const double* centre, const double* inverse,
                        T* x, T* y, T* weight);
};

// Where a step begins and ends, with the gradients there; `diagonal` may be null.
template <class T>
struct PairEnds {
    const T *w, *to_w;
    const double *gradient, *to_gradient, *diagonal;
};

// Of a vector a of n numbers as they are stored and a vector x of doubles.
template <class T>
struct PairKernels {
    // Writes the elements [first, first + n) of the step and of the change of the gradient. Adds to `sums` their
    // product and their squares, in the metric of the diagonal.
    void (*subtract)(const PairEnds<T>& ends, std::size_t first, std::size_t n, T* step, T* change, double* sums);
    double (*dot)(const T* a, const double* x, std::size_t n);
    void (*add_multiple)(const T* a, double factor, std::size_t n, double* x);  // x += factor a
};

struct StatisticsTable {
    ForEachStorage<ColumnKernels> storages;
    PairKernels<float> pairs_of_float;
    PairKernels<double> pairs_of_double;
    // Adds the moments of more rows, of the weight `of_more`, to those of rows of the weight `weight`: n columns.
    void (*merge_moments)(const ColumnMoments& all, double weight, const ColumnMoments& more, double of_more,
                          std::size_t n);
    // Adds the elements [first, last) of parts 1, 2, ... to those of part 0, in their order; `stride` elements a part.
    void (*add_partials)(double* partial, std::size_t n_parts, std::size_t stride, std::size_t first, std::size_t last);
};

// Rows of any X by their numbers: `count` from `first`, or those that `index` lists from its entry `first` on.
struct ListedRows {
    const std::uint32_t* index;
    std::size_t first, count;

    STEEPEST_INLINE std::size_t row(std::size_t i) const { return index ? index[first + i] : first + i; }
};

// The entries of rows that lie in the columns [column, last_column). Where rows are in the order of their columns these
// are, from a row's start, the entries [from[row], to[row]); null: from the first, to the last. Where they are not,
// `scattered`, each entry is looked at.
struct SparsePart {
    const std::uint32_t *from, *to;
    bool scattered;
    std::size_t column, last_column;
};

// The passes over a sparse X: they know no loss.
template <class V, class I>
struct SparseKernels {
    using T = ArithmeticOf<V>;
    // z_i = x_i . w; rows longer than `longest` are left out.
    void (*products)(const SparseMatrix<V, I>&, const ListedRows&, const T* w, std::size_t longest, T* z);
    // The same bits of w and v at once: u_i = x_i . v. `pairs`, unless null, has w_j and v_j side by side.
    void (*two_products)(const SparseMatrix<V, I>&, const ListedRows&, const T* w, const T* v, const T* pairs,
                         std::size_t longest, T* z, T* u);
    // x_i . w of the entries [first, last) of one row.
    double (*product)(const SparseMatrix<V, I>&, std::size_t first, std::size_t last, const T* w);
    // gradient_j += r_i x_ij of the entries in a part.
    void (*add_rows)(const SparseMatrix<V, I>&, const ListedRows&, const T* r, const SparsePart&, double* gradient);
    // The same of k scores at once, whose numbers of w at a column lie side by side at w[column * k], as do those of
    // the gradient; those of score c are at z + c * step and r + c * step. In float32 the
    // bits are those of a score at a time.
    void (*products_beside)(const SparseMatrix<V, I>&, const ListedRows&, const T* w, std::size_t k,
                            std::size_t longest, T* z, std::size_t step);
    void (*add_rows_beside)(const SparseMatrix<V, I>&, const ListedRows&, const T* r, std::size_t step, std::size_t k,
                            const SparsePart&, double* gradient);
    // present_j += s_i and first_j += s_i x_ij, s the weights (null: 1), of the entries in a part.
    void (*add_weights)(const SparseMatrix<V, I>&, const ListedRows&, const T* weight, const SparsePart&,
                        double* present, double* first);
    // second_j += s_i (x_ij - mean_j)^2.
    void (*add_squares)(const SparseMatrix<V, I>&, const ListedRows&, const T* weight, const SparsePart&,
                        const double* mean, double* second);
};

// What is made of n rows' products x . w: those of score c are at z + c * step, and those of a direction at u.
template <class T>
struct ScoreBlock {
    T *z, *u;
    std::size_t step, n;
    const T *y, *weight;
};

// Of one loss. Each adds the weighted losses to `sums`, and leaves at z what is multiplied by x; `slopes`, one number a
// score, is added to.
template <class T>
struct ScoreKernels {
    using Kernel = void (*)(const LossParameters&, const ScoreBlock<T>&, const Coefficients<T>& point,
                            const Coefficients<T>& direction, double* loss, double* slopes);
    Kernel value, gradient, hessian_product;
    // Of a single row with this score: adds its weighted loss, and returns its weighted slope. Null for several scores.
    using Row = T (*)(const LossParameters&, T score, T y, T weight, double* loss);
    Row row;
};

// Steps from single rows, one after the other, of a rule that multiplies w by a number where it has no gradient: w is
// stored over `scale`, which every step changes. Steps end before the scale is not between `least` and 1 / `least`.
template <class T>
struct RowSteps {
    const T *y, *weight;  // of the rows; weight null: 1
    typename ScoreKernels<T>::Row loss;
    const LossParameters& parameters;
    LinearStep step;
    double mean;   // makes a gradient of a row's slope
    T* intercept;  // null: none
    bool far;      // whether parameters are asked for ahead
    double scale, least;
    bool finite;  // false: the loss of the next row is not, so it is not taken
};

// Steps from sparse rows that cost their entries. Of a rule that takes no such steps, a kernel is null.
template <class T>
struct LazyKernels {
    using Rows = EntryRows<T>;
    using CatchUp = void (*)(const Rows&, const LazyScore<T>&, const MissedSteps&, const Hyperparameters&, double l1);
    using Settle = void (*)(const LazyScore<T>&, const MissedSteps&, const Hyperparameters&, double l1,
                            std::size_t first, std::size_t last);
    using Step = void (*)(const std::uint32_t* columns, std::size_t n, const LazyScore<T>&, const StepScale&,
                          const Hyperparameters&, double l1, double l2, T* gradient);
    using StepRow = void (*)(const SparseRow<T>&, T slope, const LazyScore<T>&, const StepScale&, std::uint32_t now,
                             const Hyperparameters&, double l1, double l2);
    using Linear = LinearStep (*)(const Hyperparameters&, double l2);

    // z_i = scale * x_i . w.
    void (*products)(const Rows&, const T* w, double scale, T* z);
    // w_j += r_i x_ij.
    void (*add)(const Rows&, const T* r, T* w);
    // Brings the columns that the rows have up to date with the step before `now`.
    CatchUp catch_up[n_rules];
    // Brings the columns [first, last) up to date with the step `now`, from which steps are then counted.
    Settle settle[n_rules];
    // Marks the columns of the rows as up to date with `now`, and writes each down once, where there is room for as
    // many as the rows have entries, and one. Returns how many.
    std::size_t (*touch)(const Rows&, std::uint32_t* up_to, std::uint32_t now, std::uint32_t* columns);
    // A step of n columns; the gradient of the loss becomes 0.
    Step step[n_rules];
    // A step of the columns of one row, each once, by the gradient slope * x of the loss.
    StepRow step_row[n_rules];
    // Steps from single rows of a rule that scales. Returns how many were taken.
    std::size_t (*step_rows[n_rules])(const Rows&, T* w, const Hyperparameters&, RowSteps<T>&);
    // A step of a linear rule, by the gradients r_i x_ij of the loss.
    void (*step_linear)(const Rows&, const T* r, const LazyScore<T>&, const LinearStep&, std::uint32_t now);
    // What a step of a rule is that is linear or, without a gradient, scales.
    Linear linear_step[n_rules];
};

struct LazyTable {
    LazyKernels<float> for_float;
    LazyKernels<double> for_double;
};

struct EndOfList {};
template <class... Kernels>
struct AllOf : Kernels... {};

struct SparseTable {
#define STEEPEST_MEMBER(V, I) SparseKernels<V, I>,
    AllOf<STEEPEST_FOR_EACH_SPARSE(STEEPEST_MEMBER) EndOfList> all;
#undef STEEPEST_MEMBER
    ScoreKernels<float> for_float[n_losses + 1];  // the last is softmax
    ScoreKernels<double> for_double[n_losses + 1];
};

// The columns [column, last_column) of a group of columns.
struct ColumnRange {
    std::size_t column, last_column;
};

// Of the group of columns X: z_i += x_i . w, and gradient_j += r_i x_ij of the columns in a range. Each gradient_j is
// added up in an order that no range changes.
template <class X, class T>
struct GroupKernels {
    void (*add_products)(const X&, const ListedRows&, const T* w, double* z);
    void (*add_rows)(const X&, const ListedRows&, const T* r, const ColumnRange&, double* gradient);
};
template <class C, class T>
struct CodesKernels : GroupKernels<Codes<C>, T> {};
template <class T>
struct NumbersKernels : GroupKernels<Matrix<T>, T> {};

struct CodesTable {
#define STEEPEST_MEMBER(C, name) CodesKernels<C, float>, CodesKernels<C, double>,
    AllOf<STEEPEST_FOR_EACH_CODE(STEEPEST_MEMBER) NumbersKernels<float>, NumbersKernels<double>> all;
#undef STEEPEST_MEMBER
};

struct UpdateTable {
    Updates<float> for_float;
    Updates<double> for_double;
};

template <class T>
const Updates<T>& updates_of(const UpdateTable& table) {
    if constexpr (std::is_same_v<T, float>) {
        return table.for_float;
    } else {
        return table.for_double;
    }
}

// A quadratic model of some columns of a block, whose columns of n numbers lie one after the other: the sum over the
// rows of the slope times the change of a score and half of `h` times its square, and the penalty of the coefficients.
// Column j of the model is column which[j] of the block, less mean[j]. Where h is null, all of it is `constant`.
// `curvature` is the second derivative by a coefficient, its l2 included.
template <class T>
struct ModelOfColumns {
    const T* block;
    std::size_t n;
    const std::uint32_t* which;
    std::size_t count;
    const T* h;
    T constant;
    const double *mean, *curvature, *l1, *l2, *lower;
};
using ColumnModel = ModelOfColumns<double>;

// Of columns of a block.
struct ColumnsTable {
    // out[k] = column which[k] times q, for k in [first, last).
    void (*dots)(const double* block, std::size_t n, const std::uint32_t* which, std::size_t first, std::size_t last,
                 const double* q, double* out);
    // z += v[k] times column which[k], in the rows [first, last).
    void (*add)(const double* block, std::size_t n, const std::uint32_t* which, std::size_t count, const double* v,
                std::size_t first, std::size_t last, double* z);
    // Adds the products of columns a[0..3] and b[0..3], times h (null: 1), over the rows [first, last): 16 numbers.
    void (*multiply)(const double* block, std::size_t n, const double* h, const std::uint32_t* a,
                     const std::uint32_t* b, std::size_t first, std::size_t last, double* out);
    // Minimises the model over each of `count` of its columns in turn, and keeps q the slopes of the rows at v. Returns
    // the largest square of a change times its curvature.
    double (*descend)(const ColumnModel&, const std::uint32_t* order, std::size_t count, double* v, double* q);
};

}  // namespace steepest
