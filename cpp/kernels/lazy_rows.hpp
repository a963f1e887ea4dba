// Steps from single sparse rows, one after the other, of a rule that scales: each waits for the one before, so it is
// score, slope and update at once.
#pragma once

#include "cpp/kernels/lazy.hpp"

namespace steepest {
namespace {

template <class T>
STEEPEST_INLINE void add_row(const SparseRow<T>& row, T r, T* w) {
    if (row.values) {
#pragma GCC unroll 4
        for (std::size_t e = 0; e < row.count; ++e) w[row.columns[e]] += r * row.values[e];
    } else {
#pragma GCC unroll 4
        for (std::size_t e = 0; e < row.count; ++e) w[row.columns[e]] += r;
    }
}

template <class T>
STEEPEST_INLINE void fetch_parameters(const EntryRows<T>& rows, std::size_t i, const T* w) {
    if (i + parameters_ahead >= rows.count + rows.ahead) return;
    const SparseRow<T> later = rows.rows[i + parameters_ahead];
    for (std::size_t e = 0; e < later.count; ++e) __builtin_prefetch(w + later.columns[e], 1);
}

// Rounds as lazy_products, the loss, lazy_add and an update of the intercept do.
template <class T, class Rule>
std::size_t step_rows(const EntryRows<T>& rows, T* w, const Hyperparameters& h, RowSteps<T>& steps) {
    const Rule rule(h);
    const double to_w = steps.mean * steps.step.wg, most = 1.0 / steps.least;
    double scale = steps.scale;
    T bias = steps.intercept ? *steps.intercept : T(0), none[max_states] = {};
    std::size_t i = 0;
    for (; i < rows.count && magnitude(scale) >= steps.least && magnitude(scale) <= most; ++i) {
        fetch_entries(rows, i);
        if (steps.far) fetch_parameters(rows, i, w);
        const SparseRow<T> row = rows.rows[i];
        double loss = 0.0;
        const T score = T(scale * product_of(row, w)) + bias, weight = steps.weight ? steps.weight[i] : T(1);
        const double slope = double(steps.loss(steps.parameters, score, steps.y[i], weight, &loss));
        steps.finite = __builtin_isfinite(steps.mean * loss);
        if (!steps.finite) break;
        scale *= steps.step.ww;
        add_row(row, T(to_w * (1.0 / scale) * slope), w);
        if (steps.intercept) rule(bias, T(steps.mean * slope), none);
    }
    steps.scale = scale;
    if (steps.intercept) *steps.intercept = bias;
    return i;
}

}  // namespace
}  // namespace steepest
