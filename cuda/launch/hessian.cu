#include <algorithm>

#include "cuda/kernels/hessian.cuh"
#include "cuda/launch/hessian.hpp"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/plan.cuh"

namespace steepest::cuda {
namespace {

constexpr std::size_t blocks_a_multiprocessor = 8;  // of kernels that go over rows

template <class S>
Kernel<Product<S>> product_kernel(const Plan& plan) {
    if (plan.tiling == Tiling::bulk) return &tile_product<S, true>;
    if (plan.tiling == Tiling::tiles) return &tile_product<S, false>;
    constexpr int most = most_vectors(16 / sizeof(S));
    if constexpr (most >= 8)
        if (plan.vectors == 8) return &lanes_product<S, 8>;
    if constexpr (most >= 4)
        if (plan.vectors == 4) return &lanes_product<S, 4>;
    return plan.vectors == 2 ? &lanes_product<S, 2> : &lanes_product<S, 1>;
}

Plan plan_long_rows(const Device& device) {
    Plan plan{};
    plan.tiling = Tiling::split;
    plan.blocks = std::size_t(device.multiprocessors) * blocks_a_multiprocessor;
    return plan;
}

}  // namespace

template <class S>
Plan plan_product(const Layout& layout, const Device& device, Tiling wanted) {
    const std::size_t d = layout.n_columns;
    // Beyond what a pass takes: w, v and a second score of each row.
    const std::size_t more = (2 * d + 2 * max_tile_rows) * sizeof(ArithmeticOf<S>);
    const bool any = wanted != Tiling::lanes && wanted != Tiling::bulk && wanted != Tiling::tiles;
    Plan plan;
    for (const Tiling tiling : {Tiling::lanes, Tiling::bulk, Tiling::tiles}) {
        if (wanted == Tiling::split || (!any && wanted != tiling)) continue;
        if (!fits<S>(tiling, layout, device, tiling == Tiling::lanes ? 0 : more, plan)) continue;
        plan.shared_bytes = tiling == Tiling::lanes ? LaneProducts<S, 1>::shared_bytes(d)
                                                    : TileProducts<S, false>::shared_bytes(d, plan.tile);
        if (plan.shared_bytes > device.shared_bytes) continue;
        plan.blocks = resident_blocks(product_kernel<S>(plan), plan.shared_bytes, device);
        if (plan.blocks > 0) return plan;
    }
    return plan_long_rows(device);
}

template <class S>
std::size_t product_chunks(const Plan& plan, std::size_t rows, std::size_t d) {
    return pass_chunks(rows, d, sizeof(S), plan.tiling == Tiling::lanes ? rows : most_rows_of_a_float_sum);
}

std::size_t product_scratch(const Plan& plan, std::size_t rows) { return plan.tiling == Tiling::split ? rows : 0; }

template <class S>
void sum_products(const Plan& plan, const Batch<S>& rows, const ArithmeticOf<S>* w, const ArithmeticOf<S>* v,
                  bool intercept, double* partial, ArithmeticOf<S>* scratch, unsigned* next_chunk, Stream stream) {
    const std::size_t d = rows.n_columns, n_chunks = product_chunks<S>(plan, rows.count, d);
    const Direction<ArithmeticOf<S>> at{w, v, intercept};
    if (plan.tiling != Tiling::split) {
        return launch(product_kernel<S>(plan), {std::min(n_chunks, plan.blocks), plan.shared_bytes}, stream,
                      Product<S>{rows, at, n_chunks, partial, plan.lanes, plan.tile, next_chunk});
    }
    const LongRows<S> long_rows{rows, at, scratch, n_chunks, partial};
    const std::size_t lanes = rows.row_major ? 32 : 1, a_block = block_threads / lanes;
    const Kernel<LongRows<S>> slopes = &long_slopes<S>, sums = &long_sums<S>;
    launch(slopes, {std::min((rows.count + a_block - 1) / a_block, plan.blocks)}, stream, long_rows);
    const std::size_t width = rows.row_major ? block_threads : block_warps;
    launch(sums, {n_chunks * ((sums_of(d) + width - 1) / width)}, stream, long_rows);
}

void add_chunks(const double* partial, std::size_t n_chunks, std::size_t stride, double* sums, Stream stream) {
    const Kernel<ChunkSums<double>> kernel = &chunk_sums<double>;
    launch(kernel, {(stride + block_threads - 1) / block_threads}, stream,
           ChunkSums<double>{partial, n_chunks, stride, sums});
}

#define STEEPEST_INSTANTIATE(S, name)                                                                              \
    template Plan plan_product<S>(const Layout&, const Device&, Tiling);                                           \
    template std::size_t product_chunks<S>(const Plan&, std::size_t, std::size_t);                                 \
    template void sum_products(const Plan&, const Batch<S>&, const ArithmeticOf<S>*, const ArithmeticOf<S>*, bool, \
                               double*, ArithmeticOf<S>*, unsigned*, Stream);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
