// The losses of one score z = x . w + b against its target y. The only place where a loss formula is written.
#pragma once

#include "cpp/math/elementary.hpp"

namespace steepest {

struct LeastSquares {
    static constexpr bool constant_curvature = true;
    template <class T>
    static STEEPEST_HOST_DEVICE T value(T z, T y) {
        return (z - y) * (z - y);
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T slope(T z, T y) {
        return T(2) * (z - y);
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T curvature(T, T) {
        return T(2);
    }
};

// y is 0 or 1. With m = (1 - 2y) z, log(1 + e^z) - y z = log(1 + e^m) and its slope is (1 - 2y) sigma(m): neither
// cancels nor overflows for any z.
struct Logistic {
    static constexpr bool constant_curvature = false;
    template <class T>
    static STEEPEST_HOST_DEVICE T value(T z, T y) {
        const T m = (T(1) - T(2) * y) * z;
        return (m > T(0) ? m : T(0)) + log1p_unit(exp_nonpositive(-magnitude(m)));
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T slope(T z, T y) {
        const T sign = T(1) - T(2) * y;
        const T m = sign * z;
        const T e = exp_nonpositive(-magnitude(m));
        return sign * (m > T(0) ? T(1) : e) / (T(1) + e);
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T curvature(T z, T) {
        const T e = exp_nonpositive(-magnitude(z));
        return e / ((T(1) + e) * (T(1) + e));
    }
};

}  // namespace steepest

// X(struct, name): every table of losses, native and Python, is filled from this list.
#define STEEPEST_FOR_EACH_LOSS(X)    \
    X(LeastSquares, "least_squares") \
    X(Logistic, "logistic")
