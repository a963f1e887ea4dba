// What kernels may say: CUDA's words of device code, as far as cuda/ uses them. 1-D grids and blocks only.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <source_location>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Of the running thread: the scheduler sets them.
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

// NOLINTBEGIN: CUDA's names
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) double2 {
    double x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
// NOLINTEND

namespace emulated {

using Location = std::source_location;
enum class WarpCall { shuffle, ballot, sync };

// Here another thread may go on. `call` is its name in messages.
void preempt();
void check_aligned(const void* address, std::size_t alignment, const char* call, const Location& at);
int sync_block(int value, const Location& at);
void sync_grid(const Location& at);
// Lanes of `mask` meet; returns the bits of lane `source`, or for a ballot those of the lanes with bits.
std::uint64_t meet_lanes(WarpCall call, unsigned mask, std::uint64_t bits, unsigned source, const Location& at);
void fence();
void before_atomic(const void* address);
void after_atomic(const void* address);

inline unsigned lane() { return threadIdx.x % 32; }

template <class T>
T shuffle(unsigned mask, T value, unsigned source, const Location& at) {
    static_assert(sizeof(T) <= sizeof(std::uint64_t));
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(value));
    bits = meet_lanes(WarpCall::shuffle, mask, bits, source, at);
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

template <class T>
T load(const T* address, const char* call, const Location& at) {
    check_aligned(address, sizeof(T), call, at);
    preempt();
    return *address;
}

template <class T, class Change>
T change(T* address, Change changed) {
    before_atomic(address);
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(address, &old, changed(old), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    after_atomic(address);
    return old;
}

}  // namespace emulated

#define EMULATED_AT ::emulated::Location at = ::emulated::Location::current()

inline void __syncthreads(EMULATED_AT) { ::emulated::sync_block(0, at); }
inline int __syncthreads_or(int value, EMULATED_AT) { return ::emulated::sync_block(value, at); }
inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATED_AT) {
    ::emulated::meet_lanes(::emulated::WarpCall::sync, mask, 0, ::emulated::lane(), at);
}
inline void __threadfence() { ::emulated::fence(); }
[[noreturn]] inline void __trap() { __builtin_trap(); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, EMULATED_AT) {
    const unsigned w = unsigned(width), own = ::emulated::lane();
    return ::emulated::shuffle(mask, value, own / w * w + unsigned(source) % w, at);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, EMULATED_AT) {
    const unsigned w = unsigned(width), own = ::emulated::lane(), source = own ^ unsigned(lane_mask);
    return ::emulated::shuffle(mask, value, source < own / w * w + w ? source : own, at);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATED_AT) {
    const unsigned w = unsigned(width), own = ::emulated::lane();
    return ::emulated::shuffle(mask, value, own % w + delta < w ? own + delta : own, at);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATED_AT) {
    return unsigned(::emulated::meet_lanes(::emulated::WarpCall::ballot, mask, predicate != 0, 0, at));
}
inline int __any_sync(unsigned mask, int predicate, EMULATED_AT) { return __ballot_sync(mask, predicate, at) != 0; }

template <class T>
T __ldcs(const T* address, EMULATED_AT) {
    return ::emulated::load(address, "__ldcs", at);
}
template <class T>
T __ldcg(const T* address, EMULATED_AT) {
    return ::emulated::load(address, "__ldcg", at);
}
template <class T>
void __stcg(T* address, std::type_identity_t<T> value, EMULATED_AT) {
    ::emulated::check_aligned(address, sizeof(T), "__stcg", at);
    *address = value;
    ::emulated::preempt();
}

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
    return ::emulated::change(address, [value](T old) { return T(old + value); });
}
inline unsigned atomicInc(unsigned* address, unsigned last) {
    return ::emulated::change(address, [last](unsigned old) { return old >= last ? 0u : old + 1u; });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
    return ::emulated::change(address, [value](T old) { return value < old ? value : old; });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
    return ::emulated::change(address, [value](T old) { return old < value ? value : old; });
}

#undef EMULATED_AT

// In CUDA these are global.
#define EMULATED_MIN_MAX(T)                          \
    inline T min(T a, T b) { return b < a ? b : a; } \
    inline T max(T a, T b) { return a < b ? b : a; }
EMULATED_MIN_MAX(int)
EMULATED_MIN_MAX(unsigned)
EMULATED_MIN_MAX(unsigned long)
EMULATED_MIN_MAX(unsigned long long)
EMULATED_MIN_MAX(float)
EMULATED_MIN_MAX(double)
#undef EMULATED_MIN_MAX
