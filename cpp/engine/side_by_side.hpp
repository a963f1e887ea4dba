// Numbers of several scores side by side: those of all scores at a column are next to each other, so that an entry of
// the column waits for memory once.
#pragma once

#include <algorithm>

#include "cpp/engine/source.hpp"
#include "cpp/engine/threads.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

constexpr std::size_t task_columns = 16384, turned_columns = 64;  // the latter: whose numbers of all scores are near

inline std::size_t parts_of(std::size_t n, std::size_t size) { return (n + size - 1) / size; }

// Calls body(column, score) for all, in tasks of columns, in an order that keeps memory near.
template <class Body>
void over_columns_and_scores(std::size_t d, std::size_t k, Interrupt& interrupt, Body body) {
    for_each_task(parts_of(d, task_columns), threads_in_use(), interrupt, [&](std::size_t task, int) {
        const std::size_t first = task * task_columns, last = std::min(first + task_columns, d);
        for (std::size_t block = first; block < last; block += turned_columns)
            for (std::size_t c = 0; c < k; ++c)
                for (std::size_t j = block; j < std::min(block + turned_columns, last); ++j) body(j, c);
    });
}

// The coefficients of score c at column j go to beside[j * n_scores + c].
template <class T>
void put_beside(const Coefficients<T>& from, T* beside, Interrupt& interrupt) {
    const std::size_t k = from.n_scores;
    over_columns_and_scores(from.n_columns, k, interrupt,
                            [&](std::size_t j, std::size_t c) { beside[j * k + c] = from.of(c)[j]; });
}

// Where the sum of slopes of a score is: side by side, they come before the gradients.
template <class T>
std::size_t slope_of(const Pass<T>& pass, std::size_t score) {
    return pass.beside ? 1 + score : pass.shape().slope(score);
}

// Zeros at the gradients of the columns of a part.
template <class T>
void clear_part(const Pass<T>& pass, const SparsePart& part, double* sums) {
    const std::size_t k = pass.point.n_scores;
    if (pass.beside) std::fill(sums + 1 + k + part.column * k, sums + 1 + k + part.last_column * k, 0.0);
    for (std::size_t c = 0; !pass.beside && c < k; ++c) {
        double* gradient = sums + pass.shape().gradient(c);
        std::fill(gradient + part.column, gradient + part.last_column, 0.0);
    }
}

// Sums whose gradients lie side by side, in the shape of all sums.
template <class T>
double* turn_sums(const SumsShape& shape, const double* beside, Workspace<T>& workspace, Interrupt& interrupt) {
    const std::size_t d = shape.n_columns, k = shape.n_scores;
    workspace.turned.resize(shape.size());
    double* sums = workspace.turned.data();
    const double* gradient = beside + 1 + k;
    sums[0] = beside[0];
    for (std::size_t c = 0; c < k; ++c) sums[shape.slope(c)] = beside[1 + c];
    over_columns_and_scores(d, k, interrupt,
                            [&](std::size_t j, std::size_t c) { sums[shape.gradient(c) + j] = gradient[j * k + c]; });
    return sums;
}

}  // namespace steepest
