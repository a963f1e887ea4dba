// A loss over rows whose products x . w are known already, of one score a row or of several.
#pragma once

#include "cpp/kernels/softmax.hpp"
#include "cpp/kernels/stages.hpp"

namespace steepest {
namespace {

constexpr std::size_t scored_rows = 256;  // at once

// Calls body(first, n) for blocks of the rows.
template <class Body>
STEEPEST_INLINE void over_blocks(std::size_t count, Body body) {
    for (std::size_t first = 0; first < count; first += scored_rows)
        body(first, count - first < scored_rows ? count - first : scored_rows);
}

// Rows of weight 0 are absent: their products may have overflowed.
template <class T>
STEEPEST_INLINE void weigh_rows(T* values, const T* weight, std::size_t n) {
    if (!weight) return;
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) values[i] = weighted(weight[i], values[i]);
}

template <class Loss, class T>
T scored_row(const LossParameters& parameters, T score, T y, T weight, double* loss) {
    const Loss of(parameters);
    *loss += double(weighted(weight, of.value(score, y)));
    return weighted(weight, of.slope(score, y));
}

template <class Loss, class T>
void scored_value(const LossParameters& parameters, const ScoreBlock<T>& block, const Coefficients<T>& point,
                  const Coefficients<T>&, double* loss, double*) {
    const Loss of(parameters);
    const T bias = point.bias(0);
    over_blocks(block.n, [&](std::size_t first, std::size_t n) {
        const T *z = block.z + first, *y = block.y + first;
        T losses[scored_rows];
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) losses[i] = of.value(z[i] + bias, y[i]);
        weigh_rows(losses, block.weight ? block.weight + first : nullptr, n);
        *loss += sum_of(losses, n);
    });
}

template <class Loss, class T>
void scored_gradient(const LossParameters& parameters, const ScoreBlock<T>& block, const Coefficients<T>& point,
                     const Coefficients<T>&, double* loss, double* slopes) {
    const Loss of(parameters);
    const T bias = point.bias(0);
    if (block.n == 1) {  // a step from one row waits for its slope
        *block.z = scored_row<Loss>(parameters, *block.z + bias, *block.y, block.weight ? *block.weight : T(1), loss);
        *slopes += double(*block.z);
        return;
    }
    over_blocks(block.n, [&](std::size_t first, std::size_t n) {
        T* z = block.z + first;
        const T *y = block.y + first, *weight = block.weight ? block.weight + first : nullptr;
        T losses[scored_rows];
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) {
            const T score = z[i] + bias;
            losses[i] = of.value(score, y[i]);
            z[i] = of.slope(score, y[i]);
        }
        weigh_rows(losses, weight, n);
        weigh_rows(z, weight, n);
        *loss += sum_of(losses, n);
        *slopes += sum_of(z, n);
    });
}

template <class Loss, class T>
void scored_hessian_product(const LossParameters& parameters, const ScoreBlock<T>& block, const Coefficients<T>& point,
                            const Coefficients<T>& direction, double*, double* slopes) {
    const Loss of(parameters);
    const T bias = point.bias(0), along = direction.bias(0);
    over_blocks(block.n, [&](std::size_t first, std::size_t n) {
        T* z = block.z + first;
        const T *u = block.u + first, *y = block.y + first;
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < n; ++i) z[i] = of.curvature(z[i] + bias, y[i]) * (u[i] + along);
        weigh_rows(z, block.weight ? block.weight + first : nullptr, n);
        *slopes += sum_of(z, n);
    });
}

template <class Stage, class T>
void scored_softmax(const LossParameters&, const ScoreBlock<T>& all, const Coefficients<T>& point,
                    const Coefficients<T>& direction, double* loss, double* slopes) {
    over_blocks(all.n, [&](std::size_t first, std::size_t n) {
        SoftmaxBlock<T> block;
        block.z = all.z + first, block.u = all.u ? all.u + first : nullptr, block.step = all.step, block.n = n;
        block.y = all.y + first, block.weight = all.weight ? all.weight + first : nullptr;
        *loss += Stage().apply(block, point, direction);
        if constexpr (Stage::accumulates)
            for (std::size_t c = 0; c < point.n_scores; ++c) slopes[c] += sum_of(block.z + c * block.step, n);
    });
}

}  // namespace
}  // namespace steepest
