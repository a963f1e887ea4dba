// The loss of a row by its number: a branch that all threads take alike.
#pragma once

#include "cuda/kernels/approximate.cuh"
#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

template <class T>
struct LossAndSlope {
    T loss, slope;
};

// What a row's loss needs beside its score.
template <class T>
struct Target {
    T y = T(0), weight = T(0);
};

template <class S, class T = ArithmeticOf<S>>
__device__ __forceinline__ Target<T> load_target(const Batch<S>& rows, std::size_t at) {
    const std::size_t row = rows.row(at);
    return {rows.y[row], rows.weight ? rows.weight[row] : T(1)};
}

// A loss by its number, a score and a target. A target of `OffsetLogistic` is taken apart, which leaves `Logistic`.
template <class T>
struct OwnScore {
    int loss;
    T z, y;

    __device__ __forceinline__ OwnScore(const LossChoice& choice, T z_, T y_) : loss(choice.number), z(z_), y(y_) {
        if (loss != id_of_OffsetLogistic) return;
        loss = id_of_Logistic;
        z += y;
        y = OffsetLogistic::label_in(y);
    }
};

template <class T>
__device__ __forceinline__ LossAndSlope<T> loss_and_slope(const LossChoice& loss, T z, T y) {
    using Number = NumberOfLoss<T>;
    const OwnScore<T> own(loss, z, y);
    const typename Number::type score(own.z), target(own.y);
    switch (own.loss) {
#define STEEPEST_CASE(Loss, name)                                                                \
    case id_of_##Loss: {                                                                         \
        const Loss of(loss.parameters);                                                          \
        return {Number::value(of.value(score, target)), Number::value(of.slope(score, target))}; \
    }
        STEEPEST_FOR_EACH_LOSS(STEEPEST_CASE)
#undef STEEPEST_CASE
    }
    return {T(0), T(0)};
}

template <class T>
__device__ __forceinline__ T curvature_of(const LossChoice& loss, T z, T y) {
    using Number = NumberOfLoss<T>;
    const OwnScore<T> own(loss, z, y);
    const typename Number::type score(own.z), target(own.y);
    switch (own.loss) {
#define STEEPEST_CASE(Loss, name) \
    case id_of_##Loss:            \
        return Number::value(Loss(loss.parameters).curvature(score, target));
        STEEPEST_FOR_EACH_LOSS(STEEPEST_CASE)
#undef STEEPEST_CASE
    }
    return T(0);
}

}  // namespace steepest::cuda
