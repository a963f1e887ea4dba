// Numbers of float32 whose powers and quotients are those of the device's fast units. A loss and its slope are then
// within 2^-20 of their size: 2^x has a relative error of 2^-22 there, 1/x one of 2^-23 (PTX ISA, `ex2` and `rcp`), and
// each rounding adds 2^-24. Logarithms are series, since that of the unit has an absolute error, in which small losses
// are lost.
#pragma once

#include <ptx.cuh>

#include "cpp/math/elementary.hpp"

namespace steepest::cuda {

struct Approximate {
    float x;

    Approximate() = default;
    template <class Number>
    STEEPEST_HOST_DEVICE explicit constexpr Approximate(Number x_) : x(float(x_)) {}

    friend STEEPEST_HOST_DEVICE Approximate operator-(Approximate a) { return Approximate(-a.x); }
    friend STEEPEST_HOST_DEVICE Approximate operator+(Approximate a, Approximate b) { return Approximate(a.x + b.x); }
    friend STEEPEST_HOST_DEVICE Approximate operator-(Approximate a, Approximate b) { return Approximate(a.x - b.x); }
    friend STEEPEST_HOST_DEVICE Approximate operator*(Approximate a, Approximate b) { return Approximate(a.x * b.x); }
    friend STEEPEST_HOST_DEVICE bool operator<(Approximate a, Approximate b) { return a.x < b.x; }
    friend STEEPEST_HOST_DEVICE bool operator>(Approximate a, Approximate b) { return a.x > b.x; }
    friend STEEPEST_HOST_DEVICE bool operator==(Approximate a, Approximate b) { return a.x == b.x; }
    friend __device__ __forceinline__ Approximate operator/(Approximate a, Approximate b) {
        return Approximate(a.x * ptx::reciprocal(b.x));
    }

    friend __device__ __forceinline__ Approximate magnitude(Approximate a) {
        return Approximate(steepest::magnitude(a.x));
    }

    // e^x as 2^t (1 + r ln 2) with t + r = x / ln 2, where r is what rounding took from t: without it the error would
    // grow with x. Beyond the limits the power is 0 or infinite, and so it is at them. A NaN passes by.
    friend __device__ __forceinline__ Approximate exponential(Approximate a) {
        constexpr float per_ln2 = 1.44269504f, rest = 1.92596299e-8f, ln2 = 0.693147181f, limit = 150.0f;
        const float above = a.x < -limit ? -limit : a.x, x = above > limit ? limit : above;
        const float t = x * per_ln2, r = fmaf(x, per_ln2, -t) + x * rest;
        return Approximate(ptx::power_of_2(t) * fmaf(r, ln2, 1.0f));
    }
    friend __device__ __forceinline__ Approximate exp_nonpositive(Approximate a) { return exponential(a); }

    // log(1 + t) for 0 <= t <= 1 (see steepest::log1p_unit): seven terms are float32's digits.
    friend __device__ __forceinline__ Approximate log1p_unit(Approximate t) {
        const float s = (t / (Approximate(2) + t)).x, square = s * s;
        float sum = 0.0f;
        STEEPEST_UNROLL
        for (int i = 6; i >= 0; --i) sum = 1.0f / float(2 * i + 1) + square * sum;
        return Approximate(2.0f * s * sum);
    }
};

// What a loss of numbers of T is computed with.
template <class T>
struct NumberOfLoss {
    using type = T;
    static __device__ __forceinline__ T value(T x) { return x; }
};
template <>
struct NumberOfLoss<float> {
    using type = Approximate;
    static __device__ __forceinline__ float value(Approximate a) { return a.x; }
};

}  // namespace steepest::cuda
