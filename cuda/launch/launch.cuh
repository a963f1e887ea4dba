// Launching a kernel of one argument.
#pragma once

#include <cuda_runtime.h>

#include "cuda/kernels/batch.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

template <class Arguments>
using Kernel = void (*)(const Arguments);

constexpr std::size_t reserved_shared_bytes = 1024;  // of each block, by the system

struct Shape {
    std::size_t blocks, shared_bytes = 0;
    bool cooperative = false;
    unsigned threads = block_threads;
};

// Allows a kernel all the shared memory that a block can have, whatever this launch needs: another thread may launch
// the same kernel with another size at the same time.
template <class Arguments>
void allow_shared(Kernel<Arguments> kernel, std::size_t bytes) {
    if (bytes <= 48 * 1024) return;
    int current = 0, most = 0;
    check(cudaGetDevice(&current), "reading the current device");
    check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, current), "reading a device's limit");
    check(
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, most),
        "reserving shared memory");
}

// The blocks of a kernel that the device can hold at once.
template <class Arguments>
std::size_t resident_blocks(Kernel<Arguments> kernel, std::size_t shared_bytes, const Device& device,
                            int threads = block_threads) {
    allow_shared(kernel, shared_bytes);
    int blocks = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, reinterpret_cast<const void*>(kernel), threads,
                                                        shared_bytes),
          "asking for a kernel's occupancy");
    return std::size_t(blocks) * std::size_t(device.multiprocessors);
}

template <class Arguments>
void launch(Kernel<Arguments> kernel, const Shape& shape, Stream stream, const Arguments& arguments) {
    allow_shared(kernel, shape.shared_bytes);
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(unsigned(shape.blocks));
    config.blockDim = dim3(shape.threads);
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = static_cast<cudaStream_t>(stream);
    config.attrs = &attribute;
    config.numAttrs = shape.cooperative ? 1 : 0;
    check(cudaLaunchKernelEx(&config, kernel, arguments), "launching a kernel");
}

}  // namespace steepest::cuda
