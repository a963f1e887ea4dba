#include "cpp/engine/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpp/math/macros.hpp"

namespace steepest {
namespace {

constexpr std::size_t panel_columns = 1024;           // of a task on a row-major X: its sums stay in the first cache
constexpr std::size_t panel_of_columns = 32;          // on a column-major one
constexpr std::size_t first_rows = 256;               // that tell about where the mean is
constexpr std::size_t chunk_elements = 1 << 18;
constexpr std::size_t min_chunk_rows = 4096;          // all chunks' sums are then small beside X
constexpr std::size_t max_chunks = 256;

// Rows and columns of X with the weights of its rows.
template <class S>
struct Part {
    const Matrix<S>& X;
    const ArithmeticOf<S>* weight;
    std::size_t row, last_row, column, last_column;

    double weight_of(std::size_t i) const { return weight ? double(weight[i]) : 1.0; }
    const S* at(std::size_t i, std::size_t j) const {
        return X.data + (X.order == Order::row_major ? i * X.n_columns + j : j * X.n_rows + i);
    }
};

// Adds weight (x - shift) and weight (x - shift)^2 of every column of the part to `first` and `second`.
template <class S>
void add_rows(const Part<S>& part, const double* shift, double* first, double* second) {
    const std::size_t n = part.last_column - part.column;
    for (std::size_t i = part.row; i < part.last_row; ++i) {
        const S* x = part.at(i, part.column);
        const double s = part.weight_of(i);
        if (s == 0.0) continue;
        STEEPEST_VECTORIZE
        for (std::size_t j = 0; j < n; ++j) {
            const double difference = double(widen(x[j])) - shift[j], weighted = s * difference;
            first[j] += weighted;
            second[j] += weighted * difference;
        }
    }
}

// The same of n numbers of one column about one shift: in `lanes` sums of each kind, which the caller adds.
template <bool weighted, class S, class T = ArithmeticOf<S>>
void add_segment(const S* x, const T* weight, std::size_t n, double shift, double* first, double* second) {
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < n; ++i) {
        const bool absent = weighted && weight[i] == T(0);
        const double difference = absent ? 0.0 : double(widen(x[i])) - shift;
        const double product = weighted ? double(weight[i]) * difference : difference;
        first[i] += product;
        second[i] += product * difference;
    }
}

// The same of a column-major X.
template <class S>
void add_columns(const Part<S>& part, const double* shift, double* first, double* second) {
    constexpr std::size_t lanes = 32;
    for (std::size_t j = part.column; j < part.last_column; ++j) {
        const double k = shift[j - part.column];
        double sums[lanes] = {}, squares[lanes] = {};
        for (std::size_t i = part.row; i < part.last_row; i += lanes) {
            const std::size_t n = std::min(lanes, part.last_row - i);
            if (part.weight) {
                add_segment<true>(part.at(i, j), part.weight + i, n, k, sums, squares);
            } else {
                add_segment<false>(part.at(i, j), part.weight, n, k, sums, squares);
            }
        }
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            first[j - part.column] += sums[lane];
            second[j - part.column] += squares[lane];
        }
    }
}

template <class S>
void add_part(const Part<S>& part, const double* shift, double* first, double* second) {
    part.X.order == Order::row_major ? add_rows(part, shift, first, second) : add_columns(part, shift, first, second);
}

// Of some rows of some columns: the sum of the weights, and for each column a shift, the mean about it and the sum of
// squares about the mean.
struct Moments {
    double weight = 0.0;
    double *shift, *mean, *squares;
};

// The shift is the mean of the first rows. All sums are taken about it: then squares of the order of the deviation are
// subtracted, never of that of the mean (Chan, Golub and LeVeque, The American Statistician 37, 1983), and the mean is
// found to more digits than a number of its size holds.
template <class S>
double find_moments(Part<S> part, double* shift, double* mean, double* squares) {
    const std::size_t n = part.last_column - part.column, end = part.last_row;
    const auto weight_to = [&](std::size_t last) {
        double weight = 0.0;
        for (std::size_t i = part.row; i < last; ++i) weight += part.weight_of(i);
        return weight;
    };
    while (part.row < end && part.weight_of(part.row) == 0.0) ++part.row;
    if (part.row == end) return 0.0;
    for (std::size_t j = 0; j < n; ++j) shift[j] = double(widen(*part.at(part.row, part.column + j)));
    part.last_row = std::min(part.row + first_rows, end);
    add_part(part, shift, mean, squares);
    const double of_first = weight_to(part.last_row);
    for (std::size_t j = 0; j < n; ++j) {
        shift[j] += mean[j] / of_first;
        mean[j] = squares[j] = 0.0;
    }
    part.last_row = end;
    add_part(part, shift, mean, squares);
    const double total = weight_to(end);
    for (std::size_t j = 0; j < n; ++j) {
        const double sum = mean[j];
        mean[j] = sum / total;
        squares[j] -= sum * mean[j];
    }
    return total;
}

// Adds the moments of more rows, about the shifts of the first.
void merge(Moments& all, const Moments& more, std::size_t n) {
    if (more.weight == 0.0) return;
    const double total = all.weight + more.weight, share = more.weight / total;
    for (std::size_t j = 0; j < n; ++j) {
        const double difference = (more.shift[j] - all.shift[j]) + (more.mean[j] - all.mean[j]);
        all.mean[j] += difference * share;
        all.squares[j] += more.squares[j] + difference * difference * all.weight * share;
    }
    all.weight = total;
}

}  // namespace

template <class S>
void column_statistics(const Matrix<S>& X, const ArithmeticOf<S>* weight, double* mean, double* deviation,
                       Interrupt& interrupt) {
    const std::size_t n = X.n_rows, d = X.n_columns;
    const std::size_t panel = X.order == Order::row_major ? panel_columns : panel_of_columns;
    const std::size_t n_panels = (d + panel - 1) / panel;
    const std::size_t n_chunks =
        std::clamp<std::size_t>(std::min(n / min_chunk_rows, n * d / chunk_elements), 1, max_chunks);
    std::vector<double> values(n_chunks * 3 * d);
    std::vector<Moments> moments(n_chunks);
    for (std::size_t chunk = 0; chunk < n_chunks; ++chunk) {
        double* first = &values[chunk * 3 * d];
        moments[chunk] = {0.0, first, first + d, first + 2 * d};
    }
    for_each_task(n_chunks * n_panels, threads_in_use(), interrupt, [&](std::size_t task, int) {
        const std::size_t chunk = task / n_panels, at = task % n_panels, column = d * at / n_panels;
        const std::size_t row = n * chunk / n_chunks, last_row = n * (chunk + 1) / n_chunks;
        Moments& of = moments[chunk];
        const double total = find_moments<S>({X, weight, row, last_row, column, d * (at + 1) / n_panels},
                                             of.shift + column, of.mean + column, of.squares + column);
        if (at == 0) of.weight = total;
    });
    std::size_t first = 0;
    while (moments[first].weight == 0.0) ++first;
    Moments& all = moments[first];
    for (std::size_t chunk = first + 1; chunk < n_chunks; ++chunk) merge(all, moments[chunk], d);
    for (std::size_t j = 0; j < d; ++j) {
        mean[j] = all.shift[j] + all.mean[j];
        deviation[j] = std::sqrt((all.squares[j] < 0.0 ? 0.0 : all.squares[j]) / all.weight);
    }
}

#define STEEPEST_INSTANTIATE(S) \
    template void column_statistics(const Matrix<S>&, const ArithmeticOf<S>*, double*, double*, Interrupt&);
STEEPEST_INSTANTIATE(float)
STEEPEST_INSTANTIATE(double)
STEEPEST_INSTANTIATE(Float16)
STEEPEST_INSTANTIATE(BFloat16)

}  // namespace steepest
