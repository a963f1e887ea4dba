#include <algorithm>

#include "epoch.hpp"
#include "launch.cuh"
#include "plan.cuh"

namespace steepest::cuda {
namespace {

template <class S>
Kernel<Epoch<S>> kernel_of(const Plan& plan) {
    if (plan.tiling == Tiling::bulk) return &tile_epoch<S, true>;
    if (plan.tiling == Tiling::tiles) return &tile_epoch<S, false>;
    if constexpr (sizeof(S) > 2)
        if (plan.vectors == 8) return &lanes_epoch<S, 8>;
    return plan.vectors == 4 ? &lanes_epoch<S, 4> : plan.vectors == 2 ? &lanes_epoch<S, 2> : &lanes_epoch<S, 1>;
}

}  // namespace

template <class S>
EpochPlan plan_epoch(const Layout& layout, std::size_t batch_size, const Device& device, Tiling wanted) {
    EpochPlan found{};
    for (const Tiling tiling : {Tiling::lanes, Tiling::bulk, Tiling::tiles}) {
        if (wanted != Tiling::automatic && wanted != tiling) continue;
        const std::size_t beside = parameter_bytes<ArithmeticOf<S>>(layout.n_columns);
        if (!fits<S>(tiling, layout, device, beside, found.plan)) continue;
        found.n_chunks = step_chunks(batch_size);
        found.fits = resident_blocks(kernel_of<S>(found.plan), found.plan.shared_bytes, device) > 0;
        return found;
    }
    return found;
}

template <class S>
void run_steps(const EpochPlan& epoch, const Steps<S>& steps, const Device& device, Stream stream) {
    const Plan& plan = epoch.plan;
    const Kernel<Epoch<S>> kernel = kernel_of<S>(plan);
    const std::size_t blocks = std::min(epoch.n_chunks, resident_blocks(kernel, plan.shared_bytes, device));
    launch(kernel, {blocks, plan.shared_bytes, true}, stream,
           Epoch<S>{steps.rows, steps.batch_size, steps.n, steps.step, epoch.n_chunks, steps.partial, steps.path,
                    steps.status, plan.lanes, plan.tile});
}

#define STEEPEST_INSTANTIATE(S)                                                          \
    template EpochPlan plan_epoch<S>(const Layout&, std::size_t, const Device&, Tiling); \
    template void run_steps(const EpochPlan&, const Steps<S>&, const Device&, Stream);
STEEPEST_INSTANTIATE(float)
STEEPEST_INSTANTIATE(double)
STEEPEST_INSTANTIATE(Float16)
STEEPEST_INSTANTIATE(BFloat16)

}  // namespace steepest::cuda
