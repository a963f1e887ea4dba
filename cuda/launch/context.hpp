// The driver's contexts. The runtime makes one, which takes memory, on whatever device is current when it needs one;
// what is here makes none.
#pragma once

namespace steepest::cuda {

using Context = void*;  // a CUcontext

// The calling thread's context, null where it has none yet.
Context current_context();
void choose_context(Context) noexcept;

// The device whose memory this is, -1 for memory of the host and what is no memory (any more).
int device_of(const void* pointer);

}  // namespace steepest::cuda
