#include <algorithm>
#include <ptx.cuh>
#include <vector>

#include "cuda/kernels/scores.cuh"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/scores.hpp"

namespace steepest::cuda {
namespace {

std::size_t blocks_for(std::size_t n, std::size_t of_block) { return (n + of_block - 1) / of_block; }

unsigned bits_for(std::size_t n, unsigned least, unsigned most) {
    unsigned bits = least;
    while (bits < most && (std::size_t(1) << bits) < n) ++bits;
    return bits;
}

template <class T, class A, int width>
void launch_scores(const Scores<A>& scores, Stream stream) {
    const Kernel<Scores<A>> kernel = &row_scores<T, A, width>;
    const std::size_t blocks = blocks_for(scores.n_rows, score_rows) * blocks_for(scores.n_scores, scores.panel());
    const std::size_t shared = score_shared_bytes<T, A, width>(scores.panel(), scores.columns());
    launch(kernel, {blocks, shared}, stream, scores);
}

template <class T, class A>
void launch_scores(const Scores<A>& scores, Stream stream) {
    if (scores.n_scores == 1) {
        launch_scores<T, A, 1>(scores, stream);
    } else {
        launch_scores<T, A, several_scores>(scores, stream);
    }
}

}  // namespace

template <class A>
bool row_scores(const Rows& rows, int storage, const ScoreWeights<A>& weights, const A* offset, A* out, Stream stream) {
    const std::size_t k = weights.n_scores, d = rows.n_columns;
    Scores<A> scores{rows.X, storage, rows.n_rows, d,   rows.row_major, nullptr, nullptr, offset, k,
                     0,      0,       0,           out, nullptr};
    scores.panel_bits = k == 1 ? 0 : bits_for(k, several_score_bits, most_panel_bits);
    scores.column_bits = bits_for(d, least_column_bits, most_column_bits);
    scores.stride = blocks_for(k, scores.panel()) * scores.panel();
    std::vector<A> numbers((d + 1) * scores.stride, A(0));
    for (std::size_t c = 0; c < k; ++c) {
        for (std::size_t j = 0; j < d; ++j) numbers[j * scores.stride + c] = weights.W[c * d + j];
        numbers[d * scores.stride + c] = weights.b[c];
    }
    Buffer there, not_finite;
    there.reserve(numbers.size() * sizeof(A));
    not_finite.reserve(sizeof(unsigned));
    HostReads reads(stream);
    copy_to_device(there.as<void>(), numbers.data(), numbers.size() * sizeof(A), stream);
    fill_zero(not_finite.as<void>(), sizeof(unsigned), stream);
    scores.W = there.as<A>();
    scores.b = scores.W + d * scores.stride;
    scores.not_finite = not_finite.as<unsigned>();
    if constexpr (sizeof(A) == sizeof(double)) {
        if (is_double(storage)) {
            launch_scores<double>(scores, stream);
        } else {
            launch_scores<float>(scores, stream);
        }
    } else {
        launch_scores<float>(scores, stream);
    }
    unsigned found = 0;
    copy_to_host(&found, not_finite.as<void>(), sizeof(unsigned), stream);
    reads.done();
    return found == 0;
}

template <class A>
void score_predictions(const A* scores, std::size_t n_rows, std::size_t n_scores, Prediction kind, A* out, int* places,
                       Stream stream) {
    Buffer there;
    if (kind == Prediction::places) there.reserve(n_rows * sizeof(int));
    const Kernel<Predictions<A>> kernel = &score_predictions<A>;
    launch(kernel, {blocks_for(n_rows, block_threads)}, stream,
           Predictions<A>{scores, n_rows, n_scores, kind, out, there.as<int>()});
    if (kind == Prediction::places) {
        copy_to_host(places, there.as<void>(), n_rows * sizeof(int), stream);
    } else {
        wait(stream);
    }
}

#define STEEPEST_INSTANTIATE(A)                                                                  \
    template bool row_scores<A>(const Rows&, int, const ScoreWeights<A>&, const A*, A*, Stream); \
    template void score_predictions<A>(const A*, std::size_t, std::size_t, Prediction, A*, int*, Stream);
STEEPEST_INSTANTIATE(float)
STEEPEST_INSTANTIATE(double)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
