// Plain views that launch code hands to kernels: the rows of a pass, and how its sums become a step.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/math/losses.hpp"
#include "cpp/math/rules.hpp"
#include "cpp/math/storage.hpp"

namespace steepest::cuda {

constexpr int block_threads = 256;
constexpr int block_warps = block_threads / 32;

// Numbers of the losses and the rules, for a branch that all threads take alike.
#define STEEPEST_ID(type, name) id_of_##type,
enum LossId { STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_ID) };
enum RuleId { STEEPEST_FOR_EACH_RULE(STEEPEST_ID) no_rule = -1 };
#undef STEEPEST_ID

// `count` rows from `begin`, or those that `index` lists.
template <class S>
struct Batch {
    using T = ArithmeticOf<S>;
    const S* X;
    const T* y;
    const T* weight;             // null: all 1
    const std::uint32_t* index;  // null: in sequence
    std::size_t n_rows, n_columns, begin, count;
    bool row_major;
    bool aligned;  // row-major, and every row starts at a multiple of 16 bytes
    LossChoice loss;

    STEEPEST_HOST_DEVICE std::size_t row(std::size_t at) const { return index ? index[at] : begin + at; }
    // Rows [first, first + n) of these.
    STEEPEST_HOST_DEVICE Batch part(std::size_t first, std::size_t n) const {
        Batch rows = *this;
        if (index) rows.index += first;
        rows.begin += first;
        rows.count = n;
        return rows;
    }
    STEEPEST_HOST_DEVICE Batch chunk(std::size_t i, std::size_t n_chunks) const {
        const std::size_t first = count * i / n_chunks;
        return part(first, count * (i + 1) / n_chunks - first);
    }
};

// A chunk's sums lie together: d of the gradient, then the slope's (the intercept's gradient), then the loss's.
STEEPEST_HOST_DEVICE constexpr std::size_t sums_of(std::size_t n_columns) { return n_columns + 2; }

// What becomes of the sums: the gradient scale * sum + l2 w, and the rule's step where there is a rule.
template <class T>
struct Step {
    T* w;
    T* state[max_states];
    T* gradient;        // written where there is no rule
    int rule;
    const void* rules;  // the rule's struct for each step, made on the host
    double scale;
    T l1, l2;
    std::size_t n_columns;
    bool intercept;

    STEEPEST_HOST_DEVICE std::size_t n_parameters() const { return n_columns + intercept; }
};

// What a launch leaves behind for the host.
struct Status {
    double loss;              // sum of the last pass
    unsigned long long steps; // taken since it was cleared
    unsigned diverged;        // a loss was not finite: no step has been taken since
};

}  // namespace steepest::cuda
