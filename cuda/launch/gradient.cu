#include <algorithm>

#include "cuda/kernels/finish.cuh"
#include "cuda/launch/gradient.hpp"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/plan.cuh"
#include "cuda/launch/stream.hpp"

namespace steepest::cuda {
namespace {

template <class S>
Kernel<Pass<S>> pass_kernel(const Plan& plan) {
    if (plan.tiling == Tiling::bulk) return &tile_gradient<S, true>;
    if (plan.tiling == Tiling::tiles) return &tile_gradient<S, false>;
    constexpr int most = most_vectors(16 / sizeof(S));
    if constexpr (most >= 8)
        if (plan.vectors == 8) return &lanes_gradient<S, 8>;
    if constexpr (most >= 4)
        if (plan.vectors == 4) return &lanes_gradient<S, 4>;
    return plan.vectors == 2 ? &lanes_gradient<S, 2> : &lanes_gradient<S, 1>;
}

[[noreturn]] void refuse_to_stream(const Layout& layout, const Device& device, std::size_t bits) {
    const std::string order = layout.row_major ? "" : " column-major";
    throw std::invalid_argument(
        "tiling stream takes rows of float32 or 16 bits with at most 1024 columns, on devices of compute capability "
        "8.0 and later whose kernels were compiled for it, got " +
        std::to_string(layout.n_columns) + order + " columns of " + std::to_string(bits) + " bits on a device of " +
        std::to_string(device.major) + "." + std::to_string(device.minor));
}

}  // namespace

template <class S>
Plan plan_pass(const Layout& layout, const Device& device, Tiling wanted) {
    Plan plan;
    const bool may_stream = wanted == Tiling::automatic || wanted == Tiling::stream;
    if (may_stream && plan_stream<S>(layout, device, plan)) return plan;
    if (wanted == Tiling::stream) refuse_to_stream(layout, device, 8 * sizeof(S));
    for (const Tiling tiling : {Tiling::lanes, Tiling::bulk, Tiling::tiles, Tiling::split}) {
        if (wanted != Tiling::automatic && wanted != tiling) continue;
        if (!fits<S>(tiling, layout, device, bytes_beside<S>(tiling, layout.n_columns), plan)) continue;
        if (tiling != Tiling::split) plan.blocks = resident_blocks(pass_kernel<S>(plan), plan.shared_bytes, device);
        if (plan.blocks > 0) return plan;
    }
    throw std::invalid_argument(
        "X must have fewer columns for " +
        (wanted == Tiling::automatic ? std::string("this GPU") : std::string("tiling ") + tiling_names[int(wanted)]) +
        ", whose blocks have " + std::to_string(device.shared_bytes) + " bytes of shared memory" +
        (device.cooperative ? "" : " and which has no cooperative launches") + ", got " +
        std::to_string(layout.n_columns) + " columns");
}

template <class S>
std::size_t chunks_of(const Plan& plan, std::size_t rows, std::size_t d) {
    if (plan.tiling == Tiling::split) return 1;
    return pass_chunks(rows, d, sizeof(S),
                       plan.tiling == Tiling::lanes || plan.tiling == Tiling::stream ? rows : most_rows_of_a_float_sum);
}

std::size_t scratch_of(const Plan& plan) { return plan.tiling == Tiling::split ? 2 * plan.tile.rows * plan.blocks : 0; }

template <class S>
void sum_rows(const Plan& plan, const Batch<S>& rows, const ArithmeticOf<S>* w, bool intercept, double* partial,
              ArithmeticOf<S>* scratch, unsigned* next_chunk, Stream stream) {
    if (plan.tiling == Tiling::split) {
        const Kernel<Split<S>> kernel = &split_gradient<S>;
        const Split<S> split{rows, w, intercept, plan.tile, plan.columns, scratch, partial};
        return launch(kernel, {plan.blocks, plan.shared_bytes, true}, stream, split);
    }
    const std::size_t n_chunks = chunks_of<S>(plan, rows.count, rows.n_columns);
    launch(pass_kernel<S>(plan), {std::min(n_chunks, plan.blocks), plan.shared_bytes}, stream,
           Pass<S>{rows, w, intercept, n_chunks, partial, plan.lanes, plan.tile, next_chunk});
}

template <class T>
void finish(const double* partial, std::size_t n_chunks, const Step<T>& step, std::size_t at, T* path, Status* status,
            Stream stream) {
    const Kernel<Finish<T>> kernel = &finish<T>;
    const std::size_t blocks = (step.n_parameters() + finish_columns - 1) / finish_columns;
    launch(kernel, {blocks, (block_threads + 2 * finish_columns) * sizeof(double)}, stream,
           Finish<T>{partial, n_chunks, step, at, path, status});
}

#define STEEPEST_INSTANTIATE(S, name)                                                                             \
    template Plan plan_pass<S>(const Layout&, const Device&, Tiling);                                             \
    template std::size_t chunks_of<S>(const Plan&, std::size_t, std::size_t);                                     \
    template void sum_rows(const Plan&, const Batch<S>&, const ArithmeticOf<S>*, bool, double*, ArithmeticOf<S>*, \
                           unsigned*, Stream);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE
template void finish(const double*, std::size_t, const Step<float>&, std::size_t, float*, Status*, Stream);
template void finish(const double*, std::size_t, const Step<double>&, std::size_t, double*, Status*, Stream);

}  // namespace steepest::cuda
