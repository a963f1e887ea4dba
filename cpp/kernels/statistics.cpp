// What one ISA level makes of columns, of sums and of long vectors, beside the losses. Compiled once per level as
// passes.cpp is, without fused multiply-adds: every level rounds alike.
#include "cpp/kernels/moments.hpp"
#include "cpp/kernels/pairs.hpp"
#include "cpp/kernels/standardise.hpp"

namespace steepest {
namespace {

void merge_moments(const ColumnMoments& all, double weight, const ColumnMoments& more, double of_more, std::size_t n) {
    const double share = of_more / (weight + of_more);
    STEEPEST_VECTORIZE
    for (std::size_t j = 0; j < n; ++j) {
        const double difference = (more.shift[j] - all.shift[j]) + (more.mean[j] - all.mean[j]);
        all.mean[j] += difference * share;
        all.squares[j] += more.squares[j] + difference * difference * weight * share;
    }
}

void add_partials(double* partial, std::size_t n_parts, std::size_t stride, std::size_t first, std::size_t last) {
    for (std::size_t part = 1; part < n_parts; ++part) {
        const double* more = partial + part * stride;
        STEEPEST_VECTORIZE
        for (std::size_t j = first; j < last; ++j) partial[j] += more[j];
    }
}

template <class S>
constexpr ColumnKernels<S> table = {&find_moments<S>, &standardise<S>};

}  // namespace

#define STEEPEST_TABLE(S, name) table<S>,
#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(statistics_, level)

extern const StatisticsTable STEEPEST_NAME(STEEPEST_LEVEL);
const StatisticsTable STEEPEST_NAME(STEEPEST_LEVEL) = {{STEEPEST_FOR_EACH_STORAGE(STEEPEST_TABLE)},
                                                       {&subtract_pair<float>, &dot<float>, &add_multiple<float>},
                                                       {&subtract_pair<double>, &dot<double>, &add_multiple<double>},
                                                       &merge_moments,
                                                       &add_partials};

}  // namespace steepest
