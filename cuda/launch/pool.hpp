// Memory of results, which is used again. The runtime would wait for the device to free it, and to make it takes long.
#pragma once

#include <cstddef>

#include "cuda/launch/device.hpp"

namespace steepest::cuda {

// Memory of a device for work on a stream: what was given back to this stream in this size, or new memory.
void* take(int device, Stream, std::size_t bytes);
// Gives it back. Work that was queued on the stream may still use it; the next owner's comes after that.
void give_back(void*, int device, Stream, std::size_t bytes) noexcept;
// Frees what nobody has taken; returns whether there was any.
bool free_unused(int device) noexcept;

}  // namespace steepest::cuda
