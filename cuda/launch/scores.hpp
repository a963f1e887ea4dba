// Scores of dense rows, and what predictions make of them.
#pragma once

#include "cuda/kernels/predictions.hpp"
#include "cuda/launch/columns.hpp"

namespace steepest::cuda {

// The coefficients of scores, on the host. A is the type in which they are added up.
template <class A>
struct ScoreWeights {
    const A* W;  // n_scores x n_columns
    const A* b;  // n_scores
    std::size_t n_scores;
};

// Writes the scores of all rows, n_rows x n_scores, and returns whether all are finite. `offset` (null: none) and `out`
// are on the device. Waits for the work.
template <class A>
bool row_scores(const Rows&, int storage, const ScoreWeights<A>&, const A* offset, A* out, Stream);

// Writes n_rows x n_scores numbers, n_rows x 2 for probabilities of two classes, which have one score, or the numbers
// of the likeliest classes to `places`, on the host.
template <class A>
void score_predictions(const A* scores, std::size_t n_rows, std::size_t n_scores, Prediction, A* out, int* places,
                       Stream);

}  // namespace steepest::cuda
