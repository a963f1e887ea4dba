// Rows that start anywhere, by loads of 16 bytes: the aligned 16 bytes (a granule) that hold an element, and the move
// of what two neighbouring granules hold to where it is wanted.
#pragma once

#include <ptx.cuh>

#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

constexpr std::size_t granule_bytes = 16;

// Bytes from the granule's start to the element.
template <class S>
__device__ __forceinline__ unsigned granule_offset(const S* x) {
    return unsigned(reinterpret_cast<std::uintptr_t>(x) % granule_bytes);
}

// The granule that holds the element.
template <class S>
__device__ __forceinline__ const uint4* granule_of(const S* x) {
    return reinterpret_cast<const uint4*>(reinterpret_cast<std::uintptr_t>(x) / granule_bytes * granule_bytes);
}

// Whether the granules of elements [x, x + n) lie in X as a whole. Those at its ends may not.
template <class S>
__device__ __forceinline__ bool granules_are_in(const Batch<S>& rows, const S* x, std::size_t n) {
    const auto begin = reinterpret_cast<std::uintptr_t>(rows.X), at = reinterpret_cast<std::uintptr_t>(x);
    const std::uintptr_t end = begin + rows.n_rows * rows.n_columns * sizeof(S), to = at + n * sizeof(S);
    return at / granule_bytes * granule_bytes >= begin &&
           (to + granule_bytes - 1) / granule_bytes * granule_bytes <= end;
}

// The 16 bytes that begin `offset` bytes after the start of the first granule.
__device__ __forceinline__ uint4 joined(const uint4& first, const uint4& second, unsigned offset) {
    unsigned word[] = {first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w};
    STEEPEST_UNROLL
    for (int i = 0; i < 6; ++i) word[i] = offset & 8 ? word[i + 2] : word[i];
    STEEPEST_UNROLL
    for (int i = 0; i < 5; ++i) word[i] = offset & 4 ? word[i + 1] : word[i];
    STEEPEST_UNROLL
    for (int i = 0; i < 4; ++i) word[i] = unsigned((std::uint64_t(word[i + 1]) << 32 | word[i]) >> (offset % 4 * 8));
    return {word[0], word[1], word[2], word[3]};
}

// The vector one element further, with `element` before the others. The last one is lost.
template <class S>
__device__ __forceinline__ uint4 shifted_in(const uint4& vector, S element) {
    constexpr int bits = 8 * sizeof(S);
    unsigned of_element = 0;
    __builtin_memcpy(&of_element, &element, sizeof(element));
    return {vector.x << bits | of_element, vector.y << bits | vector.x >> (32 - bits),
            vector.z << bits | vector.y >> (32 - bits), vector.w << bits | vector.z >> (32 - bits)};
}

// The first n of the elements, and zeros.
template <class S>
__device__ __forceinline__ uint4 first_elements(const uint4& vector, std::size_t n) {
    unsigned word[] = {vector.x, vector.y, vector.z, vector.w};
    STEEPEST_UNROLL
    for (int i = 0; i < 4; ++i) {
        const int bytes = int(n * sizeof(S)) - 4 * i;
        word[i] = bytes <= 0 ? 0u : bytes >= 4 ? word[i] : word[i] & ((1u << (8 * bytes)) - 1u);
    }
    return {word[0], word[1], word[2], word[3]};
}

}  // namespace steepest::cuda
