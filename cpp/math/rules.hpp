// The update rules of one parameter w with gradient g and its state, all 0 before the first step. The only place where
// an update formula is written. A call returns the coordinate's learning rate at rest (where g no longer changes): the
// scale of its proximal step.
#pragma once

#include <cstdint>

#include "cpp/math/elementary.hpp"

// X(type, name): what a rule may be given besides the learning rate and the number of the step.
#define STEEPEST_FOR_EACH_HYPERPARAMETER(X) \
    X(double, momentum)                     \
    X(double, rho)                          \
    X(double, beta1)                        \
    X(double, beta2)                        \
    X(double, epsilon)                      \
    X(double, weight_decay)                 \
    X(bool, bias_correction)

// X(struct, name): every table of rules, native and Python, is filled from this list.
#define STEEPEST_FOR_EACH_RULE(X)          \
    X(GradientDescent, "gradient_descent") \
    X(MomentumSum, "momentum_sum")         \
    X(MomentumAverage, "momentum_average") \
    X(MomentumStep, "momentum_step")       \
    X(Nesterov, "nesterov")                \
    X(AdaGrad, "adagrad")                  \
    X(RMSProp, "rmsprop")                  \
    X(Adam, "adam")                        \
    X(LazyAdam, "lazy_adam")

namespace steepest {

struct Hyperparameters {
    double learning_rate = 0.0;
    double bias_correction1 = 1.0, bias_correction2 = 1.0;  // 1 / (1 - beta^t) where bias_correction is asked for
#define STEEPEST_MEMBER(type, name) type name{};
    STEEPEST_FOR_EACH_HYPERPARAMETER(STEEPEST_MEMBER)
#undef STEEPEST_MEMBER

    // Step t = 1, 2, ..., never less than in the call before.
    void set_step(std::int64_t t) {
        if (!bias_correction) return;
        bias_correction1 = bias_correction_of(beta1, t, forgotten1);
        bias_correction2 = bias_correction_of(beta2, t, forgotten2);
    }

  private:
    bool forgotten1 = false, forgotten2 = false;  // beta^t no longer counts beside 1, nor will it again

    static double bias_correction_of(double beta, std::int64_t t, bool& forgotten) {
        if (forgotten) return 1.0;
        const double factor = 1.0 / (1.0 - __builtin_pow(beta, double(t)));
        forgotten = factor == 1.0;
        return factor;
    }
};

constexpr int max_states = 2;

// What steps of gradient 0 do to a parameter and its state: those that a column misses where batches of sparse rows
// have no entry in it. With an L2 penalty the gradient of such a step is l2 w.
enum class Idle {
    steps,    // whatever the rule says: such a step is taken like any other
    nothing,  // by its definition nothing, with a penalty too
    scale,    // w is multiplied by a number, 1 without L2; with L1, the steps are one of the sum of their rates
    rates,    // without L2 the state stays, and the steps are one of the sum of their rates
    decay,    // without a penalty w stays, and the state is multiplied by a number
    linear,   // without L1 w and the only state become linear combinations of both, with L2 too
};

template <class T>
struct GradientDescent {
    static constexpr int n_states = 0;
    static constexpr Idle idle = Idle::scale;
    T rate;
    STEEPEST_HOST_DEVICE explicit GradientDescent(const Hyperparameters& h) : rate(T(h.learning_rate)) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T*) const {
        w -= rate * g;
        return rate;
    }
};

template <class T>
struct MomentumSum {
    static constexpr int n_states = 1;
    static constexpr Idle idle = Idle::linear;
    T rate, mu, rate_at_rest;
    STEEPEST_HOST_DEVICE explicit MomentumSum(const Hyperparameters& h)
        : rate(T(h.learning_rate)), mu(T(h.momentum)), rate_at_rest(T(h.learning_rate / (1.0 - h.momentum))) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T* state) const {
        T& v = state[0];
        v = mu * v + g;
        w -= rate * v;
        return rate_at_rest;
    }
};

template <class T>
struct MomentumAverage {
    static constexpr int n_states = 1;
    static constexpr Idle idle = Idle::linear;
    T rate, mu, one_minus_mu;
    STEEPEST_HOST_DEVICE explicit MomentumAverage(const Hyperparameters& h)
        : rate(T(h.learning_rate)), mu(T(h.momentum)), one_minus_mu(T(1.0 - h.momentum)) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T* state) const {
        T& v = state[0];
        v = mu * v + one_minus_mu * g;
        w -= rate * v;
        return rate;
    }
};

template <class T>
struct MomentumStep {
    static constexpr int n_states = 1;
    static constexpr Idle idle = Idle::linear;
    T rate, mu, rate_at_rest;
    STEEPEST_HOST_DEVICE explicit MomentumStep(const Hyperparameters& h)
        : rate(T(h.learning_rate)), mu(T(h.momentum)), rate_at_rest(T(h.learning_rate / (1.0 - h.momentum))) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T* state) const {
        T& change = state[0];
        change = mu * change - rate * g;
        w += change;
        return rate_at_rest;
    }
};

template <class T>
struct Nesterov {
    static constexpr int n_states = 1;
    static constexpr Idle idle = Idle::linear;
    T rate, mu, rate_at_rest;
    STEEPEST_HOST_DEVICE explicit Nesterov(const Hyperparameters& h)
        : rate(T(h.learning_rate)), mu(T(h.momentum)), rate_at_rest(T(h.learning_rate / (1.0 - h.momentum))) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T* state) const {
        T& v = state[0];
        v = mu * v + g;
        w -= rate * (g + mu * v);
        return rate_at_rest;
    }
};

// rate / below, and 0 where that is not a finite number: at below = 0, of a coordinate whose gradients were all 0 or
// whose squares all underflow, and at an epsilon too small for the type. Such a coordinate stays where it is. A NaN
// stays one, and an infinite `below` gives one: squares of gradients overflowed, and a rate of 0 would freeze the
// coordinate for ever. The last term is 0 for every finite number.
template <class T>
STEEPEST_HOST_DEVICE T scaled_rate(T rate, T below) {
    constexpr T most = FloatFormat<T>::largest;
    const T quotient = rate / below;
    const T finite = quotient > most ? T(0) : quotient;
    return (below == T(0) ? T(0) : finite) + (below - below);
}

template <class T>
struct AdaGrad {
    static constexpr int n_states = 1;
    static constexpr Idle idle = Idle::rates;
    T rate, epsilon;
    STEEPEST_HOST_DEVICE explicit AdaGrad(const Hyperparameters& h) : rate(T(h.learning_rate)), epsilon(T(h.epsilon)) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T* state) const {
        T& sum = state[0];
        sum += g * g;
        const T scaled = scaled_rate(rate, square_root(sum) + epsilon);
        w -= scaled * g;
        return scaled;
    }
};

template <class T>
struct RMSProp {
    static constexpr int n_states = 1;
    static constexpr Idle idle = Idle::decay;
    T rate, rho, one_minus_rho, epsilon;
    STEEPEST_HOST_DEVICE explicit RMSProp(const Hyperparameters& h)
        : rate(T(h.learning_rate)), rho(T(h.rho)), one_minus_rho(T(1.0 - h.rho)), epsilon(T(h.epsilon)) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T* state) const {
        T& mean = state[0];
        mean = rho * mean + one_minus_rho * g * g;
        const T scaled = scaled_rate(rate, square_root(mean) + epsilon);
        w -= scaled * g;
        return scaled;
    }
};

// With weight_decay > 0 the decay is decoupled from the gradient (AdamW).
template <class T>
struct Adam {
    static constexpr int n_states = 2;
    T rate, beta1, beta2, one_minus_beta1, one_minus_beta2, bias_correction1, bias_correction2, epsilon, keep;
    STEEPEST_HOST_DEVICE explicit Adam(const Hyperparameters& h)
        : rate(T(h.learning_rate)),
          beta1(T(h.beta1)),
          beta2(T(h.beta2)),
          one_minus_beta1(T(1.0 - h.beta1)),
          one_minus_beta2(T(1.0 - h.beta2)),
          bias_correction1(T(h.bias_correction1)),
          bias_correction2(T(h.bias_correction2)),
          epsilon(T(h.epsilon)),
          keep(T(1.0 - h.learning_rate * h.weight_decay)) {}
    STEEPEST_HOST_DEVICE T operator()(T& w, T g, T* state) const {
        T& m = state[0];
        T& v = state[1];
        w *= keep;
        m = beta1 * m + one_minus_beta1 * g;
        v = beta2 * v + one_minus_beta2 * g * g;
        const T scaled = scaled_rate(rate, square_root(bias_correction2 * v) + epsilon);
        w -= scaled * (bias_correction1 * m);
        return scaled;
    }
};

// Adam that skips, in a step from sparse rows, the parameters of columns without an entry in them.
template <class T>
struct LazyAdam : Adam<T> {
    static constexpr Idle idle = Idle::nothing;
    STEEPEST_HOST_DEVICE explicit LazyAdam(const Hyperparameters& h) : Adam<T>(h) {}
};

// The proximal step of threshold * |w|.
template <class T>
STEEPEST_HOST_DEVICE T soft_threshold(T w, T threshold) {
    const T shrunk = magnitude(w) - threshold;
    return with_sign_of(shrunk < T(0) ? T(0) : shrunk, w);  // a NaN stays one
}

}  // namespace steepest
