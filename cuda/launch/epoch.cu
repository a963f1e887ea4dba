#include <algorithm>

#include "cuda/launch/epoch.hpp"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/plan.cuh"

namespace steepest::cuda {
namespace {

template <class S>
Kernel<Epoch<S>> steps_kernel(const Plan& plan) {
    if (plan.tiling == Tiling::bulk) return &tile_epoch<S, true>;
    if (plan.tiling == Tiling::tiles) return &tile_epoch<S, false>;
    constexpr int most = most_vectors(16 / sizeof(S));
    if constexpr (most >= 8)
        if (plan.vectors == 8) return &lanes_epoch<S, 8>;
    if constexpr (most >= 4)
        if (plan.vectors == 4) return &lanes_epoch<S, 4>;
    return plan.vectors == 2 ? &lanes_epoch<S, 2> : &lanes_epoch<S, 1>;
}

}  // namespace

template <class S>
EpochPlan plan_epoch(const Layout& layout, std::size_t batch_size, const Device& device, Tiling wanted) {
    if (wanted == Tiling::stream) wanted = Tiling::lanes;  // rows in any order do not stream
    EpochPlan found{};
    if (!device.cooperative) return found;
    for (const Tiling tiling : {Tiling::lanes, Tiling::bulk, Tiling::tiles}) {
        if (wanted != Tiling::automatic && wanted != tiling) continue;
        const std::size_t beside = parameter_bytes<ArithmeticOf<S>>(layout.n_columns);
        if (!fits<S>(tiling, layout, device, beside, found.plan)) continue;
        found.n_chunks = step_chunks(batch_size);
        const std::size_t rows = batch_size / (found.n_chunks ? found.n_chunks : 1);
        if (tiling != Tiling::lanes && rows > most_rows_of_a_float_sum) continue;
        found.plan.blocks = resident_blocks(steps_kernel<S>(found.plan), found.plan.shared_bytes, device);
        found.fits = found.plan.blocks > 0;
        if (found.fits) return found;
    }
    return found;
}

template <class S>
void run_steps(const EpochPlan& epoch, const Steps<S>& steps, Stream stream) {
    const Plan& plan = epoch.plan;
    launch(steps_kernel<S>(plan), {std::min(epoch.n_chunks, plan.blocks), plan.shared_bytes, true}, stream,
           Epoch<S>{steps.rows, steps.batch_size, steps.n, steps.step, epoch.n_chunks, steps.partial, steps.path,
                    steps.status, plan.lanes, plan.tile});
}

#define STEEPEST_INSTANTIATE(S, name)                                                    \
    template EpochPlan plan_epoch<S>(const Layout&, std::size_t, const Device&, Tiling); \
    template void run_steps(const EpochPlan&, const Steps<S>&, Stream);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
