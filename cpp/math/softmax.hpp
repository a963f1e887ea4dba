// Cross-entropy of the softmax of k scores a row against the label y. The only place where its formula is written.
#pragma once

#include "cpp/math/elementary.hpp"

namespace steepest {

// Of a row with the scores z, m the largest of them: e_c = exp(z_c - m), `own` = e_y, `others` the sum of e_c without
// it. The loss is log(sum_c e^z_c) - z_y = (m - z_y) + log(own + others), its slope in z_c p_c - [c = y] with the
// probability p_c = e_c / (own + others). Nothing overflows for any z, and nothing cancels: where y is the largest, own
// is 1 and the logarithm that of 1 + others; else others is 1 or more.
struct Softmax {
    template <class T>
    static STEEPEST_HOST_DEVICE T exponential(T z, T m) {
        return exp_nonpositive(z - m);
    }
    template <class T>
    static STEEPEST_HOST_DEVICE T value(T z_of_label, T m, T own, T others) {
        return (m - z_of_label) + log1p_nonnegative(others - (T(1) - own));
    }
    // With scale = weight / (own + others).
    template <class T>
    static STEEPEST_HOST_DEVICE T slope(bool is_label, T e, T others, T scale) {
        return (is_label ? -others : e) * scale;
    }
    // The change of p_c, of probability e * scale, as the scores change by u, `mean` on average over the classes.
    template <class T>
    static STEEPEST_HOST_DEVICE T curvature(T e, T scale, T u, T mean) {
        return e * scale * (u - mean);
    }
};

}  // namespace steepest
