#include <algorithm>

#include "cuda/kernels/stream.cuh"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/stream.hpp"

namespace steepest::cuda {
namespace {

constexpr int first_with_barriers = 8;              // major compute capability
constexpr std::size_t stage_bytes = 16 * 1024;      // unless one row of each group has more
constexpr std::size_t most_ring_bytes = 128 * 1024;  // of a multiprocessor

template <class S>
Kernel<StreamPass<S>> stream_kernel(int vectors) {
    constexpr int most = most_vectors(16 / sizeof(S));
    if constexpr (most >= 8)
        if (vectors == 8) return &stream_gradient<S, 8>;
    if (vectors == 4) return &stream_gradient<S, 4>;
    return vectors == 2 ? &stream_gradient<S, 2> : &stream_gradient<S, 1>;
}

template <class S>
std::size_t bytes_of(const RingShape& ring, std::size_t d) {
    return StreamSums<S, 1>::shared_bytes(ring, d);
}

// The most stages, at least two, for which so many blocks fit a multiprocessor; none where not even two do.
template <class S>
RingShape ring_of(std::size_t d, int lanes, std::size_t blocks, const Device& device) {
    const unsigned groups = unsigned(block_threads / lanes);
    RingShape ring{groups, 0};
    const std::size_t row_bytes = d * sizeof(S) + 2 * sizeof(ArithmeticOf<S>);  // with its target and weight
    while (ring.rows < flush_rows * groups && 2 * ring.rows * row_bytes <= stage_bytes) ring.rows *= 2;
    const std::size_t limit = (device.shared_bytes + reserved_shared_bytes) / blocks - reserved_shared_bytes;
    const std::size_t most = std::max<std::size_t>(most_ring_bytes / blocks / Ring<S>::stage_bytes(ring.rows, d), 2);
    for (unsigned stages = 2; stages <= std::min<std::size_t>(most, max_stages); ++stages)
        if (bytes_of<S>({ring.rows, stages}, d) <= limit) ring.stages = stages;
    return ring;
}

// Whether the kernel was compiled for devices with barriers: the driver may have made its code from older PTX.
template <class Arguments>
bool has_barriers(Kernel<Arguments> kernel) {
    cudaFuncAttributes attributes;
    check(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel)), "reading a kernel's attributes");
    return attributes.ptxVersion >= 10 * first_with_barriers;
}

}  // namespace

template <class S>
bool plan_stream(const Layout& layout, const Device& device, Plan& plan) {
    if constexpr (is_streamed<S>) {
        plan = Plan{};
        const RegisterShape shape = register_shape(layout.n_columns, 16 / sizeof(S));
        if (!layout.row_major || shape.vectors == 0 || device.major < first_with_barriers) return false;
        const Kernel<StreamPass<S>> kernel = stream_kernel<S>(shape.vectors);
        if (!has_barriers(kernel)) return false;
        plan.tiling = Tiling::stream;
        plan.lanes = shape.lanes;
        plan.vectors = shape.vectors;
        for (const std::size_t blocks : {2, 1}) {
            plan.ring = ring_of<S>(layout.n_columns, shape.lanes, blocks, device);
            if (plan.ring.stages == 0) continue;
            plan.shared_bytes = bytes_of<S>(plan.ring, layout.n_columns);
            const std::size_t fit = resident_blocks(kernel, plan.shared_bytes, device, ring_threads);
            plan.blocks = fit;
            if (fit >= blocks * std::size_t(device.multiprocessors)) return true;
        }
        return plan.ring.stages > 0 && plan.blocks > 0;
    }
    return false;
}

std::size_t stream_sums(std::size_t n_chunks, std::size_t d) { return (n_chunks + finish_parts) * sums_of(d); }
std::size_t stream_counter_bytes() { return sizeof(StreamCounters); }

template <class S>
void stream_rows(const Plan& plan, const Batch<S>& rows, std::size_t n_chunks, const Step<ArithmeticOf<S>>& step,
                 std::size_t at, ArithmeticOf<S>* path, Status* status, double* partial, void* counters,
                 Stream stream) {
    if constexpr (is_streamed<S>) {
        const std::uintptr_t multiples = reinterpret_cast<std::uintptr_t>(rows.X) | rows.n_columns * sizeof(S) | 16;
        const StreamPass<S> pass{rows,
                                 unsigned(multiples & -multiples),  // the lowest bit
                                 plan.lanes,
                                 plan.ring,
                                 {partial, n_chunks, step, at, path, status},
                                 partial,
                                 static_cast<StreamCounters*>(counters)};
        launch(stream_kernel<S>(plan.vectors),
               {std::min(n_chunks, plan.blocks), plan.shared_bytes, false, ring_threads}, stream, pass);
    } else {
        throw Error("a pass over rows that do not stream");
    }
}

#define STEEPEST_INSTANTIATE(S, name)                                                                               \
    template bool plan_stream<S>(const Layout&, const Device&, Plan&);                                              \
    template void stream_rows(const Plan&, const Batch<S>&, std::size_t, const Step<ArithmeticOf<S>>&, std::size_t, \
                              ArithmeticOf<S>*, Status*, double*, void*, Stream);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
