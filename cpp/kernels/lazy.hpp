// Steps from sparse rows that cost their entries. A column without one misses the step; before it is read again, what
// it missed is made up for at once.
#pragma once

#include "cpp/kernels/update.hpp"
#include "cpp/math/prefetch.hpp"

namespace steepest {
namespace {

template <class T>
STEEPEST_INLINE T value_of(const SparseRow<T>& row, std::size_t e) {
    return row.values ? row.values[e] : T(1);
}

// Calls body(i, column, entry's value) with all entries, row by row.
template <class T, class Body>
STEEPEST_INLINE void over_entries(const EntryRows<T>& rows, Body body) {
    for (std::size_t i = 0; i < rows.count; ++i) {
        const SparseRow<T> row = rows.rows[i];
        if (row.values) {
            for (std::size_t e = 0; e < row.count; ++e) body(i, row.columns[e], row.values[e]);
        } else {
            for (std::size_t e = 0; e < row.count; ++e) body(i, row.columns[e], T(1));
        }
    }
}

constexpr std::size_t rows_ahead = 12, parameters_ahead = 3;

// Asks for the entries of a row that comes later.
template <class T>
STEEPEST_INLINE void fetch_entries(const EntryRows<T>& rows, std::size_t i) {
    if (i + rows_ahead >= rows.count + rows.ahead) return;
    const SparseRow<T> later = rows.rows[i + rows_ahead];
    prefetch_all(later.columns, later.count);
    if (later.values) prefetch_all(later.values, later.count);
}

// In double, as entries of a column may cancel.
template <bool ones, class T>
STEEPEST_INLINE double product_of_entries(const SparseRow<T>& row, const T* w) {
    Vector<double, 4> sums = {};
    std::size_t e = 0;
    for (; e + 4 <= row.count; e += 4) {
        const std::uint32_t* j = row.columns + e;
        const Vector<double, 4> of_w = as_doubles<4, T>(Vector<T, 4>{w[j[0]], w[j[1]], w[j[2]], w[j[3]]});
        if constexpr (ones) {
            sums += of_w;
        } else {
            sums += as_doubles<4, T>(load<T, 4>(row.values + e)) * of_w;
        }
    }
    double sum = sums[0];
    for (; e < row.count; ++e) sum += (ones ? 1.0 : double(row.values[e])) * double(w[row.columns[e]]);
    return (sum + sums[1]) + (sums[2] + sums[3]);
}
template <class T>
STEEPEST_INLINE double product_of(const SparseRow<T>& row, const T* w) {
    return row.values ? product_of_entries<false>(row, w) : product_of_entries<true>(row, w);
}

template <class T>
void lazy_products(const EntryRows<T>& rows, const T* w, double scale, T* z) {
    for (std::size_t i = 0; i < rows.count; ++i) {
        const SparseRow<T> row = rows.rows[i];
        fetch_entries(rows, i);
        z[i] = T(scale * product_of(row, w));
    }
}

template <class T>
void lazy_add(const EntryRows<T>& rows, const T* r, T* w) {
    over_entries(rows, [r, w](std::size_t i, std::uint32_t j, T x) { w[j] += r[i] * x; });
}

// What makes up for the steps (from, to] that a column missed. One for each way of idling.
template <class T, class Rule, Idle idle = idle_of<Rule>()>
struct CatchUp;

// The steps are one of gradient 0 and the sum of their rates: a shrinkage where there is an L1 penalty.
template <class T, class Rule>
struct CatchUpByRates {
    Hyperparameters h;
    const double* rates;
    T l1;
    CatchUpByRates(const MissedSteps& missed, const Hyperparameters& h, double l1)
        : h(h), rates(missed.rates), l1(T(l1)) {}
    STEEPEST_INLINE void operator()(const LazyScore<T>& score, std::size_t j, std::uint32_t from, std::uint32_t to) {
        h.learning_rate = rates[to] - rates[from];
        T w = score.w[j], s[max_states] = {};
        if constexpr (Rule::n_states > 0) s[0] = score.state[0][j];
        step_of<T, Rule, true>(Rule(h), w, T(0), s, l1);
        score.w[j] = w;
    }
};
template <class T, class Rule>
struct CatchUp<T, Rule, Idle::scale> : CatchUpByRates<T, Rule> {
    using CatchUpByRates<T, Rule>::CatchUpByRates;
};
template <class T, class Rule>
struct CatchUp<T, Rule, Idle::rates> : CatchUpByRates<T, Rule> {
    using CatchUpByRates<T, Rule>::CatchUpByRates;
};

template <class T, class Rule>
struct CatchUp<T, Rule, Idle::decay> {
    const double *low, *high;
    CatchUp(const MissedSteps& missed, const Hyperparameters&, double) : low(missed.low), high(missed.high) {}
    STEEPEST_INLINE void operator()(const LazyScore<T>& score, std::size_t j, std::uint32_t from, std::uint32_t to) {
        const std::uint32_t n = to - from;
        score.state[0][j] = T(low[n % low_powers] * high[n / low_powers] * double(score.state[0][j]));
    }
};

template <class T>
STEEPEST_INLINE void take_step(const LinearStep& step, const LazyScore<T>& score, std::size_t j) {
    const double w = double(score.w[j]), v = double(score.state[0][j]);
    score.w[j] = T(step.ww * w + step.wv * v);
    score.state[0][j] = T(step.vw * w + step.vv * v);
}

// With an L1 penalty all steps are alike, and not under L2. The parameter then moves by a geometric series, and by the
// same threshold towards 0 in each step: after it has begun to move towards 0 it goes on so. Steps over which its sign
// does not change are therefore taken at once, and known by where they end.
template <class T, class Rule>
struct CatchUp<T, Rule, Idle::linear> {
    const MissedSteps& missed;
    double threshold = 0.0;

    CatchUp(const MissedSteps& missed, Hyperparameters h, double l1) : missed(missed) {
        if (!(l1 > 0.0)) return;
        h.learning_rate = missed.rates[1];
        T w = T(0), v = T(0);
        threshold = l1 * double(Rule(h)(w, T(0), &v));
    }
    static STEEPEST_INLINE void take(const LinearStep& step, double& w, double& v) {
        const double moved = step.ww * w + step.wv * v;
        v = step.vw * w + step.vv * v;
        w = moved;
    }
    STEEPEST_INLINE void take_alike(std::uint32_t n, double& w, double& v) const {
        for (int digit = 0; n > 0; ++digit, n /= low_powers)
            if (n % low_powers > 0) take(missed.levels[digit][n % low_powers], w, v);
    }
    // The longest products that begin at a step and do not go past the end.
    STEEPEST_INLINE void take_products(std::uint32_t from, std::uint32_t to, double& w, double& v) const {
        while (from < to) {
            const int most = 31 - __builtin_clz(to - from), aligned = from ? __builtin_ctz(from) : most;
            const int level = most < aligned ? most : aligned;
            take(missed.levels[level][from >> level], w, v);
            from += std::uint32_t(1) << level;
        }
    }
    // Takes some of n steps, at least one; returns how many.
    std::uint32_t shrink(std::uint32_t n, double& w, double& v) const {
        const LinearStep& one = missed.levels[0][1];
        const double sign = w != 0.0 ? with_sign_of(1.0, w) : with_sign_of(1.0, one.wv * v);
        for (std::uint32_t some = n; some > 1; some /= 2) {
            double end = w, rest = v;
            take_alike(some, end, rest);
            end -= sign * threshold * double(some);
            if (!(sign * end > 0.0)) continue;
            w = end, v = rest;
            return some;
        }
        take(one, w, v);
        w = soft_threshold(w, threshold);
        return 1;
    }
    STEEPEST_INLINE void operator()(const LazyScore<T>& score, std::size_t j, std::uint32_t from, std::uint32_t to) {
        double w = double(score.w[j]), v = double(score.state[0][j]);
        if (w == 0.0 && v == 0.0) return;
        if (!missed.alike) {
            take_products(from, to, w, v);
        } else if (!(threshold > 0.0)) {
            take_alike(to - from, w, v);
        } else {
            for (std::uint32_t n = to - from; n > 0;) {
                if (w == 0.0 && magnitude(missed.levels[0][1].wv * v) <= threshold) {  // it can no longer leave 0
                    double zero = 0.0;
                    take_alike(n, zero, v);
                    break;
                }
                n -= shrink(n, w, v);
            }
        }
        score.w[j] = T(w);
        score.state[0][j] = T(v);
    }
};

// Asks for the parameters of a row that comes later.
template <class Rule, class T>
STEEPEST_INLINE void ask_for(const SparseRow<T>& row, const LazyScore<T>& score) {
    for (std::size_t e = 0; e < row.count; ++e) {
        const std::uint32_t j = row.columns[e];
        __builtin_prefetch(score.up_to + j, 1);
        __builtin_prefetch(score.w + j, 1);
        if constexpr (Rule::n_states > 0) __builtin_prefetch(score.state[0] + j, 1);
    }
}

template <class T, class Rule>
void catch_up(const EntryRows<T>& rows, const LazyScore<T>& score, const MissedSteps& missed, const Hyperparameters& h,
              double l1) {
    CatchUp<T, Rule> catch_up(missed, h, l1);
    const std::uint32_t before = missed.now - 1;
    for (std::size_t i = 0; i < rows.count; ++i) {
        if (i + parameters_ahead < rows.count + rows.ahead) ask_for<Rule>(rows.rows[i + parameters_ahead], score);
        const SparseRow<T> row = rows.rows[i];
        for (std::size_t e = 0; e < row.count; ++e) {
            const std::uint32_t j = row.columns[e], from = score.up_to[j];
            if (from == before) continue;
            catch_up(score, j, from, before);
            score.up_to[j] = before;
        }
    }
}

template <class T, class Rule>
void settle(const LazyScore<T>& score, const MissedSteps& missed, const Hyperparameters& h, double l1,
            std::size_t first, std::size_t last) {
    CatchUp<T, Rule> catch_up(missed, h, l1);
    for (std::size_t j = first; j < last; ++j) {
        if (score.up_to[j] != missed.now) catch_up(score, j, score.up_to[j], missed.now);
        score.up_to[j] = 0;
    }
}

template <class T>
std::size_t touch(const EntryRows<T>& rows, std::uint32_t* up_to, std::uint32_t now, std::uint32_t* columns) {
    std::size_t n = 0;
    over_entries(rows, [&](std::size_t, std::uint32_t j, T) {
        columns[n] = j;
        n += up_to[j] != now;
        up_to[j] = now;
    });
    return n;
}

template <class T, class Rule, bool proximal>
STEEPEST_INLINE void step_column(const Rule& rule, const LazyScore<T>& score, std::size_t j, const StepScale& scale,
                                 T slope, T l1, T l2) {
    T w = T(scale.before * double(score.w[j])), s[max_states] = {};
    if constexpr (Rule::n_states > 0) s[0] = score.state[0][j];
    if constexpr (Rule::n_states > 1) s[1] = score.state[1][j];
    step_of<T, Rule, proximal>(rule, w, slope + l2 * w, s, l1);
    score.w[j] = T(scale.inverse * double(w));
    if constexpr (Rule::n_states > 0) score.state[0][j] = s[0];
    if constexpr (Rule::n_states > 1) score.state[1][j] = s[1];
}

template <class T, class Rule>
void step(const std::uint32_t* columns, std::size_t n, const LazyScore<T>& score, const StepScale& scale,
          const Hyperparameters& h, double l1, double l2, T* gradient) {
    const Rule rule(h);
    const auto over_columns = [&](auto proximal) {
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t j = columns[i];
            step_column<T, Rule, decltype(proximal)::value>(rule, score, j, scale, gradient[j], T(l1), T(l2));
            gradient[j] = T(0);
        }
    };
    l1 > 0.0 ? over_columns(std::true_type()) : over_columns(std::false_type());
}

template <class T, class Rule>
void step_row(const SparseRow<T>& row, T slope, const LazyScore<T>& score, const StepScale& scale, std::uint32_t now,
              const Hyperparameters& h, double l1, double l2) {
    const Rule rule(h);
    const auto over_columns = [&](auto proximal) {
        for (std::size_t e = 0; e < row.count; ++e) {
            const std::size_t j = row.columns[e];
            score.up_to[j] = now;
            step_column<T, Rule, decltype(proximal)::value>(rule, score, j, scale, slope * value_of(row, e), T(l1),
                                                            T(l2));
        }
    };
    l1 > 0.0 ? over_columns(std::true_type()) : over_columns(std::false_type());
}

template <class T>
void step_linear(const EntryRows<T>& rows, const T* r, const LazyScore<T>& score, const LinearStep& step,
                 std::uint32_t now) {
    const T w = T(step.wg), v = T(step.vg);
    over_entries(rows, [&](std::size_t i, std::uint32_t j, T x) {
        if (score.up_to[j] != now) {
            take_step(step, score, j);
            score.up_to[j] = now;
        }
        score.w[j] += w * (r[i] * x);
        score.state[0][j] += v * (r[i] * x);
    });
}

template <class Rule>
struct OfDouble;
template <template <class> class Rule, class T>
struct OfDouble<Rule<T>> {
    using type = Rule<double>;
};

// By what the rule does to w = 1, to its state 1 and to the gradient 1. Without a state, the state stays 0.
template <class Rule>
LinearStep linear_step(const Hyperparameters& h, double l2) {
    const Rule rule(h);
    double of_w[2] = {1.0, 0.0}, of_v[2] = {0.0, 1.0}, of_g[2] = {0.0, 0.0};
    rule(of_w[0], l2, of_w + 1);
    rule(of_v[0], 0.0, of_v + 1);
    rule(of_g[0], 1.0, of_g + 1);
    return {of_w[0], of_v[0], of_w[1], of_v[1], of_g[0], of_g[1]};
}

}  // namespace
}  // namespace steepest
