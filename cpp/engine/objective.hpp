// A loss and a penalty over a source of rows: value, gradient and curvature over all rows or a batch of them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "cpp/engine/source.hpp"
#include "cpp/math/penalty.hpp"

namespace steepest {

// F(w) = mean of the weighted losses + l1 |w|_1 + l2 / 2 |w|^2. The parameters are those of the scores, one after the
// other: each has one for each column and, where asked, an intercept after them, not penalised. `loss` is one that
// kernels_of knows. With factors, one a column, the penalty of column j is times factors[j]; infinity: the column is
// left out, its parameter must be 0, and it has no slope and no curvature. `constant` is added to the mean. The softmax
// may have offsets of its rows' scores: see Coefficients.
template <class T>
struct Objective {
    const Source<T>* source;
    LossChoice loss;
    std::size_t n_scores;
    bool intercept;
    double l1, l2;
    double constant = 0.0;
    const double* factors = nullptr;
    const T* row_offsets = nullptr;

    bool leaves_out(std::size_t column) const { return factors && std::isinf(factors[column]); }
    std::size_t n_columns() const { return source->n_columns; }
    Layout layout() const {
        const std::size_t row = n_columns() + intercept;
        return {n_scores * row, row, n_columns()};
    }
    std::size_t n_parameters() const { return layout().n; }
    double inverse_mean_weight() const { return double(source->n_rows) / source->weight_sum; }
    SumsShape shape() const { return {n_scores, n_columns()}; }
    Coefficients<T> at(const T* w) const { return {w, n_scores, n_columns() + intercept, n_columns(), row_offsets}; }
};

// The sums over a selection of rows at w. `finish` makes the value and the gradient of those over all rows.
template <class T>
Sums sums(const Objective<T>&, const T* w, const Selection&, Interrupt&);

// Writes the gradient of the smooth part; returns the value with its L1 part.
template <class T>
double finish(const Objective<T>&, const Sums&, const T* w, T* gradient);

template <class T>
double value(const Objective<T>&, const T* w, Interrupt&);

// What finish makes of sums.
template <class T>
double value_and_gradient(const Objective<T>&, const T* w, T* gradient, Workspace<T>&, Interrupt&);

// The same at two points, w and v, of one score, from one pass over a source that supports two_points.
template <class T>
std::pair<double, double> values_and_gradients(const Objective<T>&, const T* w, const T* v, T* gradient_at_w,
                                               T* gradient_at_v, Workspace<T>&, Interrupt&);

// The same over a selection of rows, whose weights are divided by their mean over all rows, without the penalty in the
// value. `inverse_mean` is 1 / that mean; with the objective's own, the mean over batches is the gradient of all rows.
template <class T>
double batch_gradient(const Objective<T>&, const T* w, const Selection&, double inverse_mean, T* gradient,
                      Workspace<T>&, Interrupt&);

template <class T>
void hessian_product(const Objective<T>&, const T* w, const T* v, T* product, Workspace<T>&, Interrupt&);

// The sums that `finish` makes a Hessian product of, with v in the place of w.
template <class T>
Sums product_sums(const Objective<T>&, const T* w, const T* v, Interrupt&);

// n_parameters^2 elements.
template <class T>
void hessian(const Objective<T>&, const T* w, T* result, Interrupt&);

// The sums that a Hessian is made of: unpenalised, not divided, without a gradient.
template <class T>
HessianSums hessian_sums(const Objective<T>&, const T* w, Interrupt&);

// The Hessian, and what value_and_gradient gives: from one pass where the source can.
template <class T>
double value_gradient_and_hessian(const Objective<T>&, const T* w, T* gradient, T* hessian, Interrupt&);

// Euclidean norm of the gradient; with L1 that of the subgradient nearest to 0.
template <class T>
double gradient_norm(const Objective<T>&, const T* w, const T* gradient);

}  // namespace steepest
