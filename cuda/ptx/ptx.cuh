// What CUDA C++ has no plain words for: shared memory of a size known at launch, asynchronous copies, a conversion. The
// only file with inline PTX; tests/emulation/ptx.cuh is its twin on the CPU.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cpp/math/storage.hpp"

// The block's dynamic shared memory, as bytes.
#define STEEPEST_SHARED(name) extern __shared__ __align__(128) unsigned char name[]

namespace steepest::ptx {

using Barrier = std::uint64_t;  // an mbarrier, in shared memory

__device__ __forceinline__ std::uint32_t shared_address(const void* pointer) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

template <class S>
__device__ __forceinline__ float widen(S x) {
    return steepest::widen(x);
}

__device__ __forceinline__ float widen(Float16 x) {
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
    return result;
}

// 2^x with a relative error of 2^-22.
__device__ __forceinline__ float power_of_2(float x) {
    float result;
    asm("ex2.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// 1/x with a relative error of 2^-23.
__device__ __forceinline__ float reciprocal(float x) {
    float result;
    asm("rcp.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr bool copies_are_asynchronous = false;
#else
constexpr bool copies_are_asynchronous = true;
#endif

// 16 bytes, both addresses multiples of 16. From sm_80 on.
__device__ __forceinline__ void copy_async_16([[maybe_unused]] void* shared, [[maybe_unused]] const void* global) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(global) : "memory");
#else
    __trap();
#endif
}

__device__ __forceinline__ void copy_async_commit() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits for the calling thread's copies, but for those of its N latest groups.
template <int N>
__device__ __forceinline__ void copy_async_wait_prior() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// The same value, of which the compiler knows nothing: what is made of it in a loop takes no registers outside of it.
__device__ __forceinline__ unsigned made_anew(unsigned number) {
    asm volatile("" : "+r"(number));
    return number;
}

// The first `n` threads of the block meet, a multiple of 32; `barrier` is from 1 to 15.
template <int barrier>
__device__ __forceinline__ void sync_threads(unsigned n) {
    asm volatile("bar.sync %0, %1;" ::"n"(barrier), "r"(n) : "memory");
}

__device__ __forceinline__ constexpr bool has_bulk_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    return true;
#else
    return false;
#endif
}

// Barriers are only used on sm_80 and later, bulk copies on sm_90 and later; before it these functions stop the kernel.
__device__ __forceinline__ void barrier_init([[maybe_unused]] Barrier* barrier, [[maybe_unused]] unsigned arrivals) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
#else
    __trap();
#endif
}

// Makes initialised barriers known to the copy engine.
__device__ __forceinline__ void fence_barrier_init() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

// Orders what the calling thread wrote to shared memory before what the copy engine does there.
__device__ __forceinline__ void fence_proxy_async() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Arrives; what the thread did before it is there for those who wait.
__device__ __forceinline__ void barrier_arrive([[maybe_unused]] Barrier* barrier) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("{\n .reg .b64 state;\n mbarrier.arrive.shared::cta.b64 state, [%0];\n}" ::"r"(shared_address(barrier))
                 : "memory");
#else
    __trap();
#endif
}

// Arrives as soon as all the thread's copies before have landed, and does not wait for that.
__device__ __forceinline__ void barrier_arrive_after_copies([[maybe_unused]] Barrier* barrier) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
#else
    __trap();
#endif
}

// Arrives, and lets the phase end only after `bytes` more have landed.
__device__ __forceinline__ void barrier_expect([[maybe_unused]] Barrier* barrier, [[maybe_unused]] unsigned bytes) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
                 : "memory");
#else
    __trap();
#endif
}

// `bytes` and both addresses are multiples of 16.
__device__ __forceinline__ void bulk_copy([[maybe_unused]] void* shared, [[maybe_unused]] const void* global,
                                          [[maybe_unused]] unsigned bytes, [[maybe_unused]] Barrier* barrier) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     shared_address(shared)),
                 "l"(global), "r"(bytes), "r"(shared_address(barrier))
                 : "memory");
#else
    __trap();
#endif
}

// Waits until the phase of this parity has ended.
__device__ __forceinline__ void barrier_wait([[maybe_unused]] Barrier* barrier, [[maybe_unused]] unsigned parity) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define STEEPEST_WAIT "mbarrier.try_wait.parity"
#else
#define STEEPEST_WAIT "mbarrier.test_wait.parity"
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    std::uint32_t done = 0;
    while (!done) {
        asm volatile("{\n .reg .pred p;\n " STEEPEST_WAIT ".shared::cta.b64 p, [%1], %2;\n selp.u32 %0, 1, 0, p;\n}"
                     : "=r"(done)
                     : "r"(shared_address(barrier)), "r"(parity)
                     : "memory");
    }
#else
    __trap();
#endif
#undef STEEPEST_WAIT
}

}  // namespace steepest::ptx
