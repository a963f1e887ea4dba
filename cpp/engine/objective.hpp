// A loss bound to data: value, gradient and curvature over all rows or a batch of them, shared among the threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpp/engine/scaling.hpp"
#include "cpp/engine/threads.hpp"
#include "cpp/math/matrix.hpp"
#include "cpp/math/penalty.hpp"

namespace steepest {

// F(w) = mean of the weighted losses + l1 |w|_1 + l2 / 2 |w|^2. A score has a parameter for each column and, where
// asked, an intercept after them, not penalised. With one score a row, `loss` is one of losses.hpp; with more it is
// that of softmax.hpp, and the scores' parameters stand one after the other. X is stored as S; all else is what S is
// computed in.
template <class S>
struct Objective {
    using T = ArithmeticOf<S>;
    int loss;
    Matrix<S> X;
    const T* y;
    const T* weight;
    double weight_sum;
    bool intercept;
    double l1, l2;
    std::size_t n_scores = 1;
    Scaling scaling{};  // of the columns that the loss, the penalty and the parameters are about

    std::size_t n_parameters() const { return n_scores * (X.n_columns + intercept); }
    Layout layout() const { return {n_parameters(), X.n_columns + intercept, X.n_columns}; }
    Linear<T> at(const T* w) const { return {w, intercept ? w[X.n_columns] : T(0)}; }
    Scores<T> scores_at(const T* w) const { return {w, n_scores, X.n_columns + intercept, X.n_columns}; }
};

// Memory that a pass needs; kept by whoever makes many.
template <class T>
struct Workspace {
    std::vector<double> partial;
    std::vector<T> scratch, raw;
};

template <class S, class T>
double value(const Objective<S>&, const T* w, Interrupt&);

// Writes the gradient of the smooth part; returns the value with its L1 part.
template <class S, class T>
double value_and_gradient(const Objective<S>&, const T* w, T* gradient, Workspace<T>&, Interrupt&);

// The same over the rows that index lists (their losses weighted n / weight_sum, so that the mean over batches is the
// gradient of all rows) without the penalty in the value; up to `ahead` entries past `count` are prefetched.
template <class S, class T>
double batch_gradient(const Objective<S>&, const T* w, const std::uint32_t* index, std::size_t count, std::size_t ahead,
                      T* gradient, Workspace<T>&, Interrupt&);

// The single row of a selection (valid until the workspace is used again) and its slope in each score; null where its
// loss is not finite.
template <class S, class T>
const T* row_slopes(const Objective<S>&, const Rows<S>&, const T* w, T* slopes, Workspace<T>&);

template <class S, class T>
void hessian_product(const Objective<S>&, const T* w, const T* v, T* product, Interrupt&);

// n_parameters^2 elements.
template <class S, class T>
void hessian(const Objective<S>&, const T* w, T* result, Interrupt&);

// The same, and what value_and_gradient gives, from one pass.
template <class S, class T>
double value_gradient_and_hessian(const Objective<S>&, const T* w, T* gradient, T* hessian, Interrupt&);

// Euclidean norm of the gradient; with L1 that of the subgradient nearest to 0.
template <class S, class T>
double gradient_norm(const Objective<S>&, const T* w, const T* gradient);

}  // namespace steepest
