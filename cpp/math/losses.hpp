// The losses of one score z = x . w + b against its target y. The only place where a loss formula is written. A loss is
// made of its parameters, and reads those that it has.
#pragma once

#include "cpp/math/elementary.hpp"

// X(name): every number that a loss may be given.
#define STEEPEST_FOR_EACH_LOSS_PARAMETER(X) X(delta)

namespace steepest {

struct LossParameters {
#define STEEPEST_MEMBER(name) double name = 0.0;
    STEEPEST_FOR_EACH_LOSS_PARAMETER(STEEPEST_MEMBER)
#undef STEEPEST_MEMBER
};

struct LeastSquares {
    static constexpr bool constant_curvature = true;
    STEEPEST_HOST_DEVICE explicit LeastSquares(const LossParameters&) {}
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
    STEEPEST_HOST_DEVICE explicit Logistic(const LossParameters&) {}
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

// Logistic of the score z + offset, with the target and the offset of a row in one number: the offset, whose last bit
// is the label. That changes the offset by one unit in the last place at most.
struct OffsetLogistic {
    static constexpr bool constant_curvature = false;
    STEEPEST_HOST_DEVICE explicit OffsetLogistic(const LossParameters&) {}
    template <class T>
    static STEEPEST_HOST_DEVICE T label_in(T offset) {
        using Integer = typename FloatFormat<T>::Integer;
        return bits_as<T>(-(bits_as<Integer>(offset) & 1) & bits_as<Integer>(T(1)));
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T value(T z, T offset) {
        return Logistic::value(z + offset, label_in(offset));
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T slope(T z, T offset) {
        return Logistic::slope(z + offset, label_in(offset));
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T curvature(T z, T offset) {
        return Logistic::curvature(z + offset, offset);
    }
};

// The square of r = z - y up to delta, and its tangent beyond (twice the loss of Huber, The Annals of Mathematical
// Statistics 35, 1964): with a large delta it is LeastSquares. With c the nearest number to r in [-delta, delta] it is
// c (2 r - c), and its slope 2 c.
struct Huber {
    static constexpr bool constant_curvature = false;
    double delta;
    STEEPEST_HOST_DEVICE explicit Huber(const LossParameters& parameters) : delta(parameters.delta) {}
    template <class T>
    STEEPEST_HOST_DEVICE T clipped(T r) const {
        const T most = T(delta), below = r > most ? most : r;
        return below < -most ? -most : below;  // a NaN stays one
    }
    template <class T>
    STEEPEST_HOST_DEVICE T value(T z, T y) const {
        const T r = z - y, c = clipped(r);
        return c * (T(2) * r - c);
    }
    template <class T>
    STEEPEST_HOST_DEVICE T slope(T z, T y) const {
        return T(2) * clipped(z - y);
    }
    template <class T>
    STEEPEST_HOST_DEVICE T curvature(T z, T y) const {
        return magnitude(z - y) > T(delta) ? T(0) : T(2);
    }
};

// The negative log-likelihood of a count y >= 0 of mean e^z, but for log(y!). It is infinite where e^z is.
struct Poisson {
    static constexpr bool constant_curvature = false;
    STEEPEST_HOST_DEVICE explicit Poisson(const LossParameters&) {}
    template <class T>
    static STEEPEST_HOST_DEVICE T value(T z, T y) {
        return exponential(z) - weighted(y, z);
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T slope(T z, T y) {
        return exponential(z) - y;
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T curvature(T z, T) {
        return exponential(z);
    }
};

// A loss by its number, among those of the list below or softmax_loss, with its parameters.
struct LossChoice {
    int number;
    LossParameters parameters;
};

}  // namespace steepest

// X(struct, name): every table of losses, native and Python, is filled from these lists.
#define STEEPEST_FOR_EACH_LOSS(X)    \
    X(LeastSquares, "least_squares") \
    X(Logistic, "logistic")          \
    X(Huber, "huber")                \
    X(Poisson, "poisson")
// With those of rows in host memory alone.
#define STEEPEST_FOR_EACH_HOST_LOSS(X) STEEPEST_FOR_EACH_LOSS(X) X(OffsetLogistic, "offset_logistic")
