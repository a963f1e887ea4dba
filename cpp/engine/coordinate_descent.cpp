#include "cpp/engine/coordinate_descent.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

// The model's slope at z.
std::vector<double> slope_at(const QuadraticModel& model, const double* z) {
    std::vector<double> slope(model.slope, model.slope + model.n);
    for (std::size_t i = 0; i < model.n; ++i) {
        const double step = z[i] - model.w[i];
        if (step == 0.0) continue;
        const double* row = model.matrix + i * model.n;
        STEEPEST_VECTORIZE
        for (std::size_t j = 0; j < model.n; ++j) slope[j] += step * row[j];
    }
    return slope;
}

}  // namespace

bool coordinate_descent(const QuadraticModel& model, double* z, std::size_t max_sweeps, double tolerance,
                        Interrupt& interrupt) {
    const auto kernel = passes().descend_coordinates;
    std::vector<double> slope = slope_at(model, z), before(model.n);
    std::vector<std::uint32_t> all(model.n), active;
    std::iota(all.begin(), all.end(), 0u);
    double longest = 0.0;  // squares, as the kernel returns
    for (std::size_t i = 0; i < model.n; ++i)
        longest = std::max(longest, z[i] * z[i] * model.matrix[i * (model.n + 1)]);
    const auto sweep = [&](const std::vector<std::uint32_t>& which) {
        if (interrupt.poll()) throw Interrupted{};
        const double moved =
            kernel(model.matrix, model.n, model.l1, model.lower, which.data(), which.size(), z, slope.data());
        longest = std::max(longest, moved);
        return moved > tolerance * tolerance * longest;
    };
    for (std::size_t sweeps = 0; sweeps < max_sweeps; ++sweeps) {
        std::copy(z, z + model.n, before.begin());
        if (!sweep(all)) return true;
        active.clear();
        for (std::uint32_t i = 0; i < model.n; ++i)
            if (z[i] != 0.0 || before[i] != 0.0) active.push_back(i);
        while (++sweeps < max_sweeps && sweep(active)) {
        }
    }
    return false;
}

}  // namespace steepest
