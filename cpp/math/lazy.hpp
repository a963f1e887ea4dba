// Steps from sparse rows that change the parameters of their entries and owe the others the steps that they miss:
// views of the rows, of parameters that are not all up to date, and what of missed steps is known beforehand.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/math/rules.hpp"

namespace steepest {

// Of a rule that does not say, such steps are taken like any other.
template <class Rule>
constexpr Idle idle_of() {
    if constexpr (requires { Rule::idle; }) {
        return Rule::idle;
    } else {
        return Idle::steps;
    }
}

#define STEEPEST_IDLE(rule, name) idle_of<rule<double>>(),
constexpr Idle idle_of_rule[] = {STEEPEST_FOR_EACH_RULE(STEEPEST_IDLE)};
#undef STEEPEST_IDLE

// `values` null: all 1.
template <class T>
struct SparseRow {
    const std::uint32_t* columns;
    const T* values;
    std::size_t count;
};

// `ahead` more rows lie behind the rows: those of the next step, to prefetch.
template <class T>
struct EntryRows {
    const SparseRow<T>* rows;
    std::size_t count, ahead;
};

// One score's parameters, each up to date with the step up_to[j]; null: all are alike.
template <class T>
struct LazyScore {
    T* w;
    T* state[max_states];
    std::uint32_t* up_to;
};

// A step of a rule that is linear in w, its state v and the gradient g: (w, v) becomes
// (ww w + wv v + wg g, vw w + vv v + vg g). Those of steps without g are multiplied as matrices.
struct LinearStep {
    double ww, wv, vw, vv, wg, vg;

    STEEPEST_INLINE LinearStep after(const LinearStep& first) const {
        return {ww * first.ww + wv * first.vw,
                ww * first.wv + wv * first.vv,
                vw * first.ww + vv * first.vw,
                vw * first.wv + vv * first.vv,
                0.0,
                0.0};
    }
};

constexpr int max_levels = 32;
constexpr std::uint32_t low_powers = 256;

// What missed steps are made of. Steps are counted from when all parameters were up to date; `now` is the one that is
// being taken.
struct MissedSteps {
    std::uint32_t now;
    // Idle::scale and Idle::rates: rates[t] is the sum of the rates of the steps 1, ..., t, in units of the scale.
    const double* rates;
    // Idle::decay: powers of the factor, number i and number low_powers * i.
    const double *low, *high;
    // Idle::linear: levels[k][i] is the product of the steps (i 2^k, (i + 1) 2^k]; where all steps are `alike`, that of
    // i low_powers^k of them.
    const LinearStep* levels[max_levels];
    bool alike;
};

// w is the stored number times a scale, which is `before` before a step and 1 / `inverse` after it.
struct StepScale {
    double before = 1.0, inverse = 1.0;
};

}  // namespace steepest
