// Asking for memory that is read later.
#pragma once

#include <cstddef>

#include "cpp/math/macros.hpp"

namespace steepest {

constexpr std::size_t most_lines_ahead = 32, cache_line = 64;

// Inlined, since GCC takes a call that only prefetches for one without effect.
template <class N>
STEEPEST_INLINE void prefetch_all(const N* first, std::size_t n) {
    const char *at = reinterpret_cast<const char*>(first), *end = reinterpret_cast<const char*>(first + n);
    for (std::size_t i = 0; i < most_lines_ahead && at < end; ++i, at += cache_line) __builtin_prefetch(at);
    if (n > 0) __builtin_prefetch(end - 1);
}

}  // namespace steepest
