// What is made of a block's scores z = x . w + b (and u = x . v + c along a direction): losses and the coefficients r
// of the sum of r_i x_i. A pass over X knows what a stage reads and makes. The loss is a function that it calls for
// each block, so that the losses share the passes.
#pragma once

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"
#include "cpp/math/elementary.hpp"

namespace steepest {
namespace {

// The coefficients of one score x . w + bias.
template <class T>
struct Linear {
    const T* w;
    T bias;
};

template <class T>
STEEPEST_INLINE Linear<T> score_of(const Coefficients<T>& point, std::size_t c = 0) {
    return {point.of(c), point.bias(c)};
}

constexpr std::size_t max_block = 2048;  // rows; the most a stage is given at once

template <class T>
struct StageArrays {
    T z[max_block], u[max_block], loss[max_block], r[max_block];
};

// Fills the arrays that a stage makes of n rows, for a loss of these parameters.
template <class T>
using BlockLoss = void (*)(const LossParameters&, StageArrays<T>&, T bias, T direction_bias, const T* y, std::size_t n);

// Sums of one score over rows. `gradient` (length n_columns) is added to.
template <class T>
struct ScoreSums {
    BlockLoss<T> apply;
    const LossParameters& parameters;
    double loss;
    double slope;
    double* gradient;
};

struct ValueStage {
    static constexpr bool scores = true, direction = false, losses = true, accumulates = false;
};

struct GradientStage {
    static constexpr bool scores = true, direction = false, losses = true, accumulates = true;
};

// Without the scores it is the product of a loss whose curvature is constant.
template <bool reads_scores>
struct HessianProductStage {
    static constexpr bool scores = reads_scores, direction = true, losses = false, accumulates = true;
};

template <class Loss, class T>
void value_of_block(const LossParameters& parameters, StageArrays<T>& a, T bias, T, const T* y, std::size_t n) {
    const Loss of(parameters);
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) a.loss[i] = of.value(a.z[i] + bias, y[i]);
}

template <class Loss, class T>
void gradient_of_block(const LossParameters& parameters, StageArrays<T>& a, T bias, T, const T* y, std::size_t n) {
    const Loss of(parameters);
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) {
        const T z = a.z[i] + bias, target = y[i];
        a.loss[i] = of.value(z, target);
        a.r[i] = of.slope(z, target);
    }
}

template <class Loss, class T>
void product_of_block(const LossParameters& parameters, StageArrays<T>& a, T bias, T direction_bias, const T* y,
                      std::size_t n) {
    const Loss of(parameters);
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) {
        const T z = Loss::constant_curvature ? T(0) : a.z[i] + bias;
        a.r[i] = of.curvature(z, y[i]) * (a.u[i] + direction_bias);
    }
}

// Applies the loss and the weights to a block of n rows and adds its sums.
template <class Stage, class T>
STEEPEST_INLINE void finish_block(StageArrays<T>& a, T bias, T direction_bias, const T* y, const T* weight,
                                  std::size_t n, ScoreSums<T>& sums) {
    sums.apply(sums.parameters, a, bias, direction_bias, y, n);
    if (weight) {
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) {
            if constexpr (Stage::losses) a.loss[i] = weighted(weight[i], a.loss[i]);
            if constexpr (Stage::accumulates) a.r[i] = weighted(weight[i], a.r[i]);
        }
    }
    if constexpr (Stage::losses) sums.loss += sum_of(a.loss, n);
    if constexpr (Stage::accumulates) sums.slope += sum_of(a.r, n);
}

// What the Hessian and the gradient of a block of rows are made of.
template <class T, std::size_t most>
struct NewtonArrays {
    T z[most], loss[most], slope[most], curvature[most];
};

// Fills them from the products x . w, with the weights; returns the sum of the losses. Without the gradient they and
// the slopes are left out.
template <class T, std::size_t most>
using NewtonBlockLoss = double (*)(const LossParameters&, NewtonArrays<T, most>&, T bias, const T* y, const T* weight,
                                   std::size_t n, bool with_gradient);

template <class Loss, class T, std::size_t most>
double newton_of_block(const LossParameters& parameters, NewtonArrays<T, most>& a, T bias, const T* y, const T* weight,
                       std::size_t n, bool with_gradient) {
    const Loss of(parameters);
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i)
        a.curvature[i] = weighted(weight ? weight[i] : T(1), of.curvature(a.z[i] + bias, y[i]));
    if (!with_gradient) return 0.0;
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) {
        const T score = a.z[i] + bias, s = weight ? weight[i] : T(1);
        a.loss[i] = weighted(s, of.value(score, y[i]));
        a.slope[i] = weighted(s, of.slope(score, y[i]));
    }
    return sum_of(a.loss, n);
}

}  // namespace
}  // namespace steepest
