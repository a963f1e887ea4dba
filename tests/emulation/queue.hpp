// What waits in streams, and what the runtime's calls share.
#pragma once

#include <functional>
#include <mutex>

#include "emulated_host.h"

namespace emulated {

constexpr int max_block_threads = 1024;
constexpr int max_resident_threads = 2048;           // of a multiprocessor
constexpr int max_resident_blocks = 2;               // as if registers allowed no more
constexpr std::size_t default_shared_bytes = 49152;  // of a block that did not ask for more
constexpr std::size_t reserved_shared_bytes = 1024;  // of each block

extern std::recursive_mutex mutex;  // held by every call

cudaError_t report(cudaError_t error);  // keeps it for cudaGetLastError
cudaError_t unusable();                 // why there is no device, or cudaSuccess
void count_call(const char* name);      // for emulated_calls
bool is_device_memory(const void* pointer, std::size_t bytes);
int device_of_memory(const void* pointer);  // -1: memory of no device

// Contexts (contexts.cpp).
int current_device();
void use_context();  // of the current device, as a call does that needs one: it is made where there is none yet

// Work in streams (queue.cpp).
cudaStream_t named(cudaStream_t stream);  // null: the legacy one; another one in each thread for per-thread
cudaError_t enqueue(cudaStream_t stream, std::function<void()> run);
void run_queue();                          // of all devices
void run_stream(cudaStream_t stream);      // of the current device: what a wait for the stream waits for
bool is_blocking(cudaStream_t stream);     // whether it is in order with the legacy stream

// Captures (streams.cpp): where a stream is captured, the work goes into its graph.
bool capture(cudaStream_t stream, int device, const std::function<void()>& run, cudaError_t& error);
cudaError_t forbid_while_capturing();                     // for calls that end all captures
cudaError_t forbid_while_capturing(cudaStream_t stream);  // for calls that wait for the stream

}  // namespace emulated

// At the beginning of a call: one that needs no context, and one that does.
#define EMULATED_CALL                                        \
    const std::lock_guard<std::recursive_mutex> lock(mutex); \
    count_call(__func__);                                    \
    if (const cudaError_t error = unusable()) return report(error)
#define EMULATED_WORK \
    EMULATED_CALL;    \
    use_context()
