#include "cpp/engine/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpp/engine/dispatch.hpp"

namespace steepest {
namespace {

constexpr std::size_t panel_columns = 1024;           // of a task on a row-major X: its sums stay in the first cache
constexpr std::size_t panel_of_columns = 32;          // on a column-major one
constexpr std::size_t chunk_elements = 1 << 18;
constexpr std::size_t min_chunk_rows = 4096;          // all chunks' sums are then small beside X
constexpr std::size_t max_chunks = 256;

}  // namespace

template <class S>
void column_statistics(const Matrix<S>& X, const ArithmeticOf<S>* weight, double* mean, double* deviation,
                       Interrupt& interrupt) {
    const std::size_t n = X.n_rows, d = X.n_columns;
    const std::size_t panel = X.order == Order::row_major ? panel_columns : panel_of_columns;
    const std::size_t n_panels = (d + panel - 1) / panel;
    const std::size_t n_chunks =
        std::clamp<std::size_t>(std::min(n / min_chunk_rows, n * d / chunk_elements), 1, max_chunks);
    std::vector<double> values(n_chunks * 3 * d), weights(n_chunks);
    const auto moments_of = [&](std::size_t chunk) -> ColumnMoments {
        double* first = &values[chunk * 3 * d];
        return {first, first + d, first + 2 * d};
    };
    const auto kernel = columns_of<S>().moments;
    for_each_task(n_chunks * n_panels, threads_in_use(), interrupt, [&](std::size_t task, int) {
        const std::size_t chunk = task / n_panels, at = task % n_panels, column = d * at / n_panels;
        const std::size_t row = n * chunk / n_chunks, last_row = n * (chunk + 1) / n_chunks;
        const double total = kernel(X, weight, row, last_row, column, d * (at + 1) / n_panels, moments_of(chunk));
        if (at == 0) weights[chunk] = total;
    });
    std::size_t first = 0;
    while (weights[first] == 0.0) ++first;
    const ColumnMoments all = moments_of(first);
    double total = weights[first];
    for (std::size_t chunk = first + 1; chunk < n_chunks; ++chunk) {
        if (weights[chunk] == 0.0) continue;
        statistics().merge_moments(all, total, moments_of(chunk), weights[chunk], d);
        total += weights[chunk];
    }
    for (std::size_t j = 0; j < d; ++j) {
        mean[j] = all.shift[j] + all.mean[j];
        deviation[j] = std::sqrt((all.squares[j] < 0.0 ? 0.0 : all.squares[j]) / total);
    }
}

#define STEEPEST_INSTANTIATE(S, name) \
    template void column_statistics(const Matrix<S>&, const ArithmeticOf<S>*, double*, double*, Interrupt&);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)

}  // namespace steepest
