// The twin of cuda/ptx/ptx.cuh: shared memory and asynchronous copies, which land as late as they may (copies.cpp).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cpp/math/storage.hpp"

#define STEEPEST_SHARED(name) unsigned char* name = ::emulated::shared_memory()

namespace emulated {

unsigned char* shared_memory();
void copy_async_16(void* shared, const void* global, const Location& at);
void copy_async_commit();
void copy_async_wait_prior(std::size_t n_groups);
void barrier_init(std::uint64_t* barrier, unsigned arrivals, const Location& at);
void fence_proxy_async();
void barrier_expect(std::uint64_t* barrier, unsigned bytes, const Location& at);
void bulk_copy(void* shared, const void* global, unsigned bytes, std::uint64_t* barrier, const Location& at);
void barrier_wait(std::uint64_t* barrier, unsigned parity, const Location& at);
void sync_threads(unsigned number, unsigned n, const Location& at);
bool has_bulk_copies();
void barrier_arrive(std::uint64_t* barrier, const Location& at);
void barrier_arrive_after_copies(std::uint64_t* barrier, const Location& at);

}  // namespace emulated

namespace steepest::ptx {

using Barrier = std::uint64_t;
using ::emulated::Location;

template <class S>
float widen(S x) {
    return steepest::widen(x);
}

// As wrong as those of a device may be, up or down by the bits of x.
inline float within(double exact, double error, float x) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &x, sizeof(bits));
    return float(exact * (1.0 + (bits * 2654435761u >> 31 ? error : -error)));
}
inline float power_of_2(float x) { return x == 0.0f ? 1.0f : within(std::exp2(double(x)), 0x1.8p-23, x); }
inline float reciprocal(float x) { return within(1.0 / double(x), 0x1p-24, x); }

constexpr bool copies_are_asynchronous = true;
inline void copy_async_16(void* shared, const void* global, Location at = Location::current()) {
    ::emulated::copy_async_16(shared, global, at);
}
inline void copy_async_commit() { ::emulated::copy_async_commit(); }
template <int N>
void copy_async_wait_prior() {
    ::emulated::copy_async_wait_prior(N);
}

template <class T>
T made_anew(T value) {
    return value;
}
template <int barrier>
void sync_threads(unsigned n, Location at = Location::current()) {
    ::emulated::sync_threads(barrier, n, at);
}
inline bool has_bulk_copies() { return ::emulated::has_bulk_copies(); }

inline void barrier_init(Barrier* barrier, unsigned arrivals, Location at = Location::current()) {
    ::emulated::barrier_init(barrier, arrivals, at);
}
inline void fence_barrier_init() {}
inline void fence_proxy_async() { ::emulated::fence_proxy_async(); }
inline void barrier_arrive(Barrier* barrier, Location at = Location::current()) {
    ::emulated::barrier_arrive(barrier, at);
}
inline void barrier_arrive_after_copies(Barrier* barrier, Location at = Location::current()) {
    ::emulated::barrier_arrive_after_copies(barrier, at);
}
inline void barrier_expect(Barrier* barrier, unsigned bytes, Location at = Location::current()) {
    ::emulated::barrier_expect(barrier, bytes, at);
}
inline void bulk_copy(void* shared, const void* global, unsigned bytes, Barrier* barrier,
                      Location at = Location::current()) {
    ::emulated::bulk_copy(shared, global, bytes, barrier, at);
}
inline void barrier_wait(Barrier* barrier, unsigned parity, Location at = Location::current()) {
    ::emulated::barrier_wait(barrier, parity, at);
}

}  // namespace steepest::ptx
