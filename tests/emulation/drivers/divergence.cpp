// Kernels whose threads do not meet: the emulator must tell who waits where.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <ptx.cuh>

#include "driver.hpp"

namespace {

using namespace drivers;  // NOLINT

__global__ void some_sync(unsigned n) {
    if (threadIdx.x < n) __syncthreads();
}
__global__ void sync_apart() {
    if (threadIdx.x < 40)
        __syncthreads();
    else
        __syncthreads();
}
__global__ void some_sync_grid() {
    if (blockIdx.x > 0) cooperative_groups::this_grid().sync();
}
__global__ void some_shuffle() {
    if (threadIdx.x % 32 < 20) __shfl_xor_sync(all, 1, 16);
}
__global__ void some_sync_warp() {
    if (threadIdx.x % 32 < 20)
        __syncwarp();
    else
        __syncthreads();
}
__global__ void wait_for_nothing() {
    STEEPEST_SHARED(shared);
    auto* barrier = reinterpret_cast<steepest::ptx::Barrier*>(shared);
    if (threadIdx.x == 0) steepest::ptx::barrier_init(barrier, 1);
    __syncthreads();
    steepest::ptx::barrier_wait(barrier, 0);
}

template <auto kernel, class... Arguments>
bool run(bool cooperative, Arguments... values) {
    launch(2, 64, cooperative, kernel, values...);
    check(cudaDeviceSynchronize());
    return true;
}

const Tests tests = {
    {"some_sync", [] { return run<&some_sync>(false, 100u); }},
    {"sync_apart", [] { return run<&sync_apart>(false); }},
    {"some_sync_grid", [] { return run<&some_sync_grid>(true); }},
    {"some_shuffle", [] { return run<&some_shuffle>(false); }},
    {"some_sync_warp", [] { return run<&some_sync_warp>(false); }},
    {"wait_for_nothing", [] { return run<&wait_for_nothing>(false); }},
};

}  // namespace

int main(int argc, char** argv) { return run_test(tests, argc, argv); }
