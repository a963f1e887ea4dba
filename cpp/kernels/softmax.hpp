// What is made of a block's scores, one vector of the block's rows a class: z[c * step + i].
#pragma once

#include "cpp/kernels/simd.hpp"
#include "cpp/kernels/tables.hpp"
#include "cpp/math/softmax.hpp"

namespace steepest {
namespace {

constexpr std::size_t softmax_rows = 256;  // the most that are finished at once

template <class T>
struct SoftmaxBlock {
    T *z, *u;  // u: the scores of a direction
    std::size_t step, n;
    const T *y, *weight;
    T largest[softmax_rows], label_score[softmax_rows], own[softmax_rows], others[softmax_rows], scale[softmax_rows];
    T labels[softmax_rows];  // of numbered rows
};

// Gives the rows of weight 0 products of 0 in place of what may have overflowed: they are absent.
template <class T>
STEEPEST_INLINE void clear_absent(const SoftmaxBlock<T>& b, std::size_t k, T* products) {
    if (!b.weight) return;
    bool any = false;
    for (std::size_t i = 0; i < b.n; ++i) any |= b.weight[i] == T(0);
    if (!any) return;
    for (std::size_t c = 0; c < k; ++c, products += b.step)
        for (std::size_t i = 0; i < b.n; ++i) products[i] = b.weight[i] == T(0) ? T(0) : products[i];
}

// Adds the offsets of numbered rows, and takes their labels for the targets.
template <class T>
__attribute__((noinline, cold)) void add_row_offsets(SoftmaxBlock<T>& b, const Coefficients<T>& point) {
    const std::size_t k = point.n_scores;
    for (std::size_t i = 0; i < b.n; ++i) {
        const T* row = point.row_offsets + std::size_t(bits_as<typename FloatFormat<T>::Integer>(b.y[i])) * (k + 1);
        for (std::size_t c = 0; c < k; ++c) b.z[c * b.step + i] += row[c];
        b.labels[i] = row[k];
    }
    b.y = b.labels;
}

// Adds the intercepts, and makes e_c of the scores and what Softmax asks for.
template <class T>
STEEPEST_INLINE void exponentiate(SoftmaxBlock<T>& b, const Coefficients<T>& point) {
    clear_absent(b, point.n_scores, b.z);
    if (point.row_offsets) add_row_offsets(b, point);
    for (std::size_t i = 0; i < b.n; ++i) {
        b.largest[i] = T(-__builtin_inf());
        b.own[i] = b.others[i] = b.label_score[i] = T(0);
    }
    for (std::size_t c = 0; c < point.n_scores; ++c) {
        T* z = b.z + c * b.step;
        const T bias = point.bias(c), label = T(c);
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < b.n; ++i) {
            const T score = z[i] + bias;
            z[i] = score;
            b.largest[i] = score > b.largest[i] ? score : b.largest[i];
            b.label_score[i] = b.y[i] == label ? score : b.label_score[i];
        }
    }
    for (std::size_t c = 0; c < point.n_scores; ++c) {
        T* z = b.z + c * b.step;
        const T label = T(c);
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < b.n; ++i) {
            const T e = Softmax::exponential(z[i], b.largest[i]);
            const bool is_label = b.y[i] == label;
            z[i] = e;
            b.own[i] = is_label ? e : b.own[i];
            b.others[i] += is_label ? T(0) : e;
        }
    }
}

template <class T>
STEEPEST_INLINE void scale_of_rows(SoftmaxBlock<T>& b) {
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < b.n; ++i) b.scale[i] = T(1) / (b.own[i] + b.others[i]);
}

template <class T>
STEEPEST_INLINE void weigh(T* values, const SoftmaxBlock<T>& b) {
    if (!b.weight) return;
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < b.n; ++i) values[i] *= b.weight[i];
}

template <class T>
STEEPEST_INLINE double losses(SoftmaxBlock<T>& b) {
    T* loss = b.label_score;
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < b.n; ++i)
        loss[i] = Softmax::value(b.label_score[i], b.largest[i], b.own[i], b.others[i]);
    weigh(loss, b);
    return sum_of(loss, b.n);
}

struct SoftmaxValue {
    static constexpr bool direction = false, accumulates = false;
    template <class T>
    STEEPEST_INLINE double apply(SoftmaxBlock<T>& b, const Coefficients<T>& point, const Coefficients<T>&) const {
        exponentiate(b, point);
        return losses(b);
    }
};

// Leaves the weighted slopes in z.
struct SoftmaxGradient {
    static constexpr bool direction = false, accumulates = true;
    template <class T>
    STEEPEST_INLINE double apply(SoftmaxBlock<T>& b, const Coefficients<T>& point, const Coefficients<T>&) const {
        exponentiate(b, point);
        scale_of_rows(b);
        weigh(b.scale, b);
        for (std::size_t c = 0; c < point.n_scores; ++c) {
            T* z = b.z + c * b.step;
            const T label = T(c);
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < b.n; ++i) z[i] = Softmax::slope(b.y[i] == label, z[i], b.others[i], b.scale[i]);
        }
        return losses(b);
    }
};

// Leaves the weighted change of the slopes along the direction in z.
struct SoftmaxHessianProduct {
    static constexpr bool direction = true, accumulates = true;
    template <class T>
    STEEPEST_INLINE double apply(SoftmaxBlock<T>& b, const Coefficients<T>& point,
                                 const Coefficients<T>& direction) const {
        clear_absent(b, point.n_scores, b.u);
        exponentiate(b, point);
        scale_of_rows(b);
        T* mean = b.largest;
        for (std::size_t i = 0; i < b.n; ++i) mean[i] = T(0);
        for (std::size_t c = 0; c < point.n_scores; ++c) {
            const T *e = b.z + c * b.step, *u = b.u + c * b.step;
            const T bias = direction.bias(c);
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < b.n; ++i) mean[i] += e[i] * b.scale[i] * (u[i] + bias);
        }
        weigh(b.scale, b);
        for (std::size_t c = 0; c < point.n_scores; ++c) {
            T* e = b.z + c * b.step;
            const T* u = b.u + c * b.step;
            const T bias = direction.bias(c);
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < b.n; ++i) e[i] = Softmax::curvature(e[i], b.scale[i], u[i] + bias, mean[i]);
        }
        return 0.0;
    }
};

// Writes the weighted change of the slope in score `first` along score `second`, row by row.
template <class R>
struct SoftmaxCurvature {
    static constexpr bool direction = false, accumulates = false;
    std::size_t first, second;
    R* out;
    template <class T>
    STEEPEST_INLINE double apply(SoftmaxBlock<T>& b, const Coefficients<T>& point, const Coefficients<T>&) {
        exponentiate(b, point);
        scale_of_rows(b);
        const T *e = b.z + first * b.step, *other = b.z + second * b.step;
        const T along = T(first == second);
        STEEPEST_VECTORIZE
        for (std::size_t i = 0; i < b.n; ++i)
            out[i] = Softmax::curvature(e[i], b.scale[i], along, other[i] * b.scale[i]);
        weigh(out, b);
        out += b.n;
        return 0.0;
    }
};

}  // namespace
}  // namespace steepest
