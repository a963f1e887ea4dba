// What is made of a block's scores z = x . w + b (and u = x . v + c along a direction): losses and the coefficients r
// of the sum of r_i x_i. A pass over X knows a stage, never a loss.
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

// Sums of one score over rows, for a loss of these parameters. `gradient` (length n_columns) is added to.
struct ScoreSums {
    const LossParameters& parameters;
    double loss;
    double slope;
    double* gradient;
};

constexpr std::size_t max_block = 2048;  // rows; the most a stage is given at once

template <class T>
struct StageArrays {
    T z[max_block], u[max_block], loss[max_block], r[max_block];
};

template <class L>
struct ValueStage {
    using Loss = L;
    static constexpr bool scores = true, direction = false, losses = true, accumulates = false;
    template <class T>
    static STEEPEST_INLINE void apply(const Loss& of, StageArrays<T>& a, T bias, T, const T* y, std::size_t n) {
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) a.loss[i] = of.value(a.z[i] + bias, y[i]);
    }
};

template <class L>
struct GradientStage {
    using Loss = L;
    static constexpr bool scores = true, direction = false, losses = true, accumulates = true;
    template <class T>
    static STEEPEST_INLINE void apply(const Loss& of, StageArrays<T>& a, T bias, T, const T* y, std::size_t n) {
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) {
            const T z = a.z[i] + bias, target = y[i];
            a.loss[i] = of.value(z, target);
            a.r[i] = of.slope(z, target);
        }
    }
};

template <class L>
struct HessianProductStage {
    using Loss = L;
    static constexpr bool scores = !Loss::constant_curvature, direction = true, losses = false, accumulates = true;
    template <class T>
    static STEEPEST_INLINE void apply(const Loss& of, StageArrays<T>& a, T bias, T direction_bias, const T* y,
                                      std::size_t n) {
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) {
            const T z = scores ? a.z[i] + bias : T(0);
            a.r[i] = of.curvature(z, y[i]) * (a.u[i] + direction_bias);
        }
    }
};

// Applies the stage and the weights to a block of n rows and adds its sums.
template <class Stage, class T>
STEEPEST_INLINE void finish_block(StageArrays<T>& a, T bias, T direction_bias, const T* y, const T* weight,
                                  std::size_t n, ScoreSums& sums) {
    Stage::apply(typename Stage::Loss(sums.parameters), a, bias, direction_bias, y, n);
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

    // From the products x . w, with the weights; returns the sum of the losses. Without the gradient they and the
    // slopes are left out.
    template <class Loss>
    STEEPEST_INLINE double finish(const Loss& of, T bias, const T* y, const T* weight, std::size_t n,
                                  bool with_gradient) {
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i)
            curvature[i] = weighted(weight ? weight[i] : T(1), of.curvature(z[i] + bias, y[i]));
        if (!with_gradient) return 0.0;
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) {
            const T score = z[i] + bias, s = weight ? weight[i] : T(1);
            loss[i] = weighted(s, of.value(score, y[i]));
            slope[i] = weighted(s, of.slope(score, y[i]));
        }
        return sum_of(loss, n);
    }
};

}  // namespace
}  // namespace steepest
