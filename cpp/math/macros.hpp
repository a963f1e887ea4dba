// Marks of functions that are compiled for the host and the device, or must never leave the file that includes them.
#pragma once

#define STEEPEST_INLINE inline __attribute__((always_inline))

#if defined(__CUDACC__)
#define STEEPEST_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define STEEPEST_HOST_DEVICE STEEPEST_INLINE
#endif

// Before a loop whose iterations do not depend on each other, whatever the compiler can prove of its pointers.
#if defined(__clang__)
#define STEEPEST_VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
#else
#define STEEPEST_VECTORIZE _Pragma("GCC ivdep")
#endif

// Before a short loop of a known number of iterations.
#if defined(__CUDA_ARCH__)
#define STEEPEST_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#define STEEPEST_UNROLL
#else
#define STEEPEST_UNROLL _Pragma("GCC unroll 32")
#endif
