// One step of the parameters: the rule, then the proximal step of the L1 penalty, in one pass over w, g and the state.
#pragma once

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {
namespace {

template <class T, class Rule, bool proximal>
STEEPEST_INLINE void step_of(const Rule& rule, T& w, T g, T* state, T l1) {
    const T rate = rule(w, g, state);
    if constexpr (proximal) w = soft_threshold(w, l1 * rate);
}

// Gradient(j) gives g_j before w_j changes.
template <class T, class Rule, bool proximal, class Gradient>
STEEPEST_INLINE void update_loop(const Rule& rule, T* __restrict w, Gradient gradient, T* const* state, std::size_t n,
                                 T l1) {
    T* __restrict first = Rule::n_states > 0 ? state[0] : nullptr;
    T* __restrict second = Rule::n_states > 1 ? state[1] : nullptr;
    STEEPEST_VECTORIZE
    for (std::size_t j = 0; j < n; ++j) {
        T wj = w[j];
        const T gj = gradient(j, wj);
        T s[max_states] = {};
        if constexpr (Rule::n_states > 0) s[0] = first[j];
        if constexpr (Rule::n_states > 1) s[1] = second[j];
        step_of<T, Rule, proximal>(rule, wj, gj, s, l1);
        w[j] = wj;
        if constexpr (Rule::n_states > 0) first[j] = s[0];
        if constexpr (Rule::n_states > 1) second[j] = s[1];
    }
}

template <class T, class Rule, class Gradient>
STEEPEST_INLINE void update_with(T* w, Gradient gradient, T* const* state, std::size_t n, const Hyperparameters& h,
                                 T l1) {
    const Rule rule(h);
    if (l1 > T(0)) {
        update_loop<T, Rule, true>(rule, w, gradient, state, n, l1);
    } else {
        update_loop<T, Rule, false>(rule, w, gradient, state, n, l1);
    }
}

template <class T, class Rule>
void update(T* w, const T* __restrict g, T* const* state, std::size_t n, const Hyperparameters& h, T l1) {
    update_with<T, Rule>(w, [g](std::size_t j, T) { return g[j]; }, state, n, h, l1);
}

template <class T, class Rule>
void update_row(T* w, const T* __restrict x, T slope, T l2, T* const* state, std::size_t n, const Hyperparameters& h,
                T l1) {
    update_with<T, Rule>(w, [x, slope, l2](std::size_t j, T wj) { return slope * x[j] + l2 * wj; }, state, n, h, l1);
}

}  // namespace
}  // namespace steepest
