#include "cpp/engine/column_descent.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/narrow.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

constexpr std::size_t few = 1 << 19;         // multiply-adds that one thread does as fast as two
constexpr std::size_t task_numbers = 1 << 16;
constexpr std::size_t sum_rows = 1024;       // of a task that adds columns
constexpr std::size_t tile = 4, tiles = 8;   // columns of a kernel's product, and tiles of a task in each direction
constexpr std::size_t product_rows = 512;    // that stay in cache while the tiles of a task are multiplied
constexpr std::size_t poll_numbers = 1 << 24;

int threads_for(std::size_t work) { return work < few ? 1 : threads_in_use(); }

// The loss of a score that has its offset in it.
template <class Loss>
struct WithoutOffset {
    using type = Loss;
};
template <>
struct WithoutOffset<OffsetLogistic> {
    using type = Logistic;
};

// A tile's columns; past the end the last one again.
void fill_tile(const ChosenColumns& columns, std::size_t first, std::uint32_t* which) {
    for (std::size_t k = 0; k < tile; ++k) which[k] = columns.which[std::min(first + k, columns.count - 1)];
}

// The products of up to tile * tiles columns from `first_a` with as many from `first_b`.
void multiply_tiles(const ChosenColumns& a, const ChosenColumns& b, const double* h, std::size_t first_a,
                    std::size_t first_b, double* out) {
    constexpr std::size_t side = tile * tiles;
    double sums[tiles * tiles][tile * tile] = {};
    const std::size_t end_a = std::min(first_a + side, a.count), end_b = std::min(first_b + side, b.count);
    const auto multiply = column_kernels().multiply;
    for (std::size_t row = 0; row < a.n; row += product_rows) {
        const std::size_t end = std::min(row + product_rows, a.n);
        for (std::size_t i = first_a, t = 0; i < end_a; i += tile, ++t) {
            std::uint32_t which_a[tile], which_b[tile];
            fill_tile(a, i, which_a);
            for (std::size_t j = first_b, u = 0; j < end_b; j += tile, ++u) {
                fill_tile(b, j, which_b);
                multiply(a.block, a.n, h, which_a, which_b, row, end, sums[t * tiles + u]);
            }
        }
    }
    for (std::size_t i = first_a; i < end_a; ++i)
        for (std::size_t j = first_b; j < end_b; ++j) {
            const std::size_t k = i - first_a, l = j - first_b;
            out[i * b.count + j] = sums[k / tile * tiles + l / tile][k % tile * tile + l % tile];
        }
}

}  // namespace

void column_dots(const ChosenColumns& columns, const double* q, double* out, Interrupt& interrupt) {
    const std::size_t step = std::max<std::size_t>(task_numbers / (columns.n + 1), 1);
    for_each_task((columns.count + step - 1) / step, threads_for(columns.n * columns.count), interrupt,
                  [&](std::size_t task, int) {
                      const std::size_t first = task * step, last = std::min(first + step, columns.count);
                      column_kernels().dots(columns.block, columns.n, columns.which, first, last, q, out);
                  });
}

void add_columns(const ChosenColumns& columns, const double* v, double* z, Interrupt& interrupt) {
    for_each_task((columns.n + sum_rows - 1) / sum_rows, threads_for(columns.n * columns.count), interrupt,
                  [&](std::size_t task, int) {
                      const std::size_t first = task * sum_rows, last = std::min(first + sum_rows, columns.n);
                      column_kernels().add(columns.block, columns.n, columns.which, columns.count, v, first, last, z);
                  });
}

void column_products(const ChosenColumns& a, const ChosenColumns& b, const double* h, bool symmetric, double* out,
                     Interrupt& interrupt) {
    constexpr std::size_t side = tile * tiles;
    const std::size_t down = (a.count + side - 1) / side, across = (b.count + side - 1) / side;
    for_each_task(down * across, threads_for(a.n * a.count * b.count), interrupt, [&](std::size_t task, int) {
        const std::size_t i = task / across, j = task % across;
        if (!symmetric || j <= i) multiply_tiles(a, b, h, i * side, j * side, out);
    });
    for (std::size_t i = 0; symmetric && i < a.count; ++i)
        for (std::size_t j = i + 1; j < a.count; ++j) out[i * a.count + j] = out[j * a.count + i];
}

void column_squares(const ChosenColumns& columns, const double* h, double* out, Interrupt& interrupt) {
    const std::size_t step = tile * std::max<std::size_t>(task_numbers / (tile * (columns.n + 1)), 1);
    for_each_task((columns.count + step - 1) / step, threads_for(columns.n * columns.count), interrupt,
                  [&](std::size_t task, int) {
                      const std::size_t end = std::min((task + 1) * step, columns.count);
                      for (std::size_t first = task * step; first < end; first += tile) {
                          std::uint32_t which[tile];
                          double sums[tile * tile] = {};
                          fill_tile(columns, first, which);
                          column_kernels().multiply(columns.block, columns.n, h, which, which, 0, columns.n, sums);
                          for (std::size_t k = first; k < std::min(first + tile, end); ++k)
                              out[k] = sums[(k - first) * (tile + 1)];
                      }
                  });
}

void centre_columns(double* columns, std::size_t n, std::size_t count, const double* shares, double* out,
                    Interrupt& interrupt) {
    const std::size_t step = std::max<std::size_t>(task_numbers / (n + 1), 1);
    for_each_task((count + step - 1) / step, threads_for(n * count), interrupt, [&](std::size_t task, int) {
        constexpr std::uint32_t only = 0;
        for (std::size_t k = task * step; k < std::min((task + 1) * step, count); ++k) {
            double* x = columns + k * n;
            column_kernels().dots(x, n, &only, 0, 1, shares, out + k);
            STEEPEST_VECTORIZE
            for (std::size_t i = 0; i < n; ++i) x[i] -= out[k];
        }
    });
}

namespace {

// Of a model and its kernel, as descend_columns says.
template <class Model, class Kernel, class T>
bool descend(const Model& model, Kernel kernel, double* v, T* q, std::size_t max_sweeps, double tolerance,
             Interrupt& interrupt) {
    const std::size_t count = model.count, step = std::max<std::size_t>(poll_numbers / (model.n + 1), 1);
    std::vector<double> before(count);
    std::vector<std::uint32_t> all(count), active;
    std::iota(all.begin(), all.end(), 0u);
    double longest = 0.0;  // squares, as the kernel returns
    for (std::size_t j = 0; j < count; ++j) longest = std::max(longest, v[j] * v[j] * model.curvature[j]);
    const auto sweep = [&](const std::vector<std::uint32_t>& order) {
        double moved = 0.0;
        for (std::size_t first = 0; first < order.size(); first += step) {
            if (interrupt.poll()) throw Interrupted{};
            moved = std::max(moved, kernel(model, order.data() + first, std::min(step, order.size() - first), v, q));
        }
        longest = std::max(longest, moved);
        return moved > tolerance * tolerance * longest;
    };
    for (std::size_t sweeps = 0; sweeps < max_sweeps; ++sweeps) {
        std::copy(v, v + count, before.begin());
        if (!sweep(all)) return true;
        active.clear();
        for (std::uint32_t j = 0; j < count; ++j)
            if (v[j] != 0.0 || before[j] != 0.0) active.push_back(j);
        while (++sweeps < max_sweeps && sweep(active)) {
        }
    }
    return false;
}

}  // namespace

bool descend_columns(const ColumnModel& model, double* v, double* q, std::size_t max_sweeps, double tolerance,
                     Interrupt& interrupt) {
    return descend(model, column_kernels().descend, v, q, max_sweeps, tolerance, interrupt);
}

bool descend_columns(const NarrowModel& model, double* v, float* q, std::size_t max_sweeps, double tolerance,
                     Interrupt& interrupt) {
    return descend(model, narrow_kernels().descend, v, q, max_sweeps, tolerance, interrupt);
}

void row_losses(const LossChoice& choice, const double* z, const double* y, std::size_t n, double* value, double* slope,
                double* curvature) {
    int number = 0;
#define STEEPEST_CASE(Loss, name)                                \
    if (choice.number == number++) {                             \
        const WithoutOffset<Loss>::type loss(choice.parameters); \
        for (std::size_t i = 0; i < n; ++i) {                    \
            value[i] = loss.value(z[i], y[i]);                   \
            slope[i] = loss.slope(z[i], y[i]);                   \
            curvature[i] = loss.curvature(z[i], y[i]);           \
        }                                                        \
    }
    STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_CASE)
#undef STEEPEST_CASE
}

}  // namespace steepest
