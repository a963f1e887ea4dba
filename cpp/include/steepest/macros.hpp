// Marks of functions that are compiled for the host and the device, or must never leave the file that includes them.
#pragma once

#define STEEPEST_INLINE inline __attribute__((always_inline))

#if defined(__CUDACC__)
#define STEEPEST_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define STEEPEST_HOST_DEVICE STEEPEST_INLINE
#endif
