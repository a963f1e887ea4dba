// What waits in streams, and what the runtime's calls share.
#pragma once

#include <mutex>

#include "emulated_host.h"

namespace emulated {

constexpr int max_block_threads = 1024;
constexpr int max_resident_threads = 2048;         // of a multiprocessor
constexpr int max_resident_blocks = 2;             // as if registers allowed no more
constexpr std::size_t default_shared_bytes = 49152;  // of a block that did not ask for more
constexpr std::size_t reserved_shared_bytes = 1024;  // of each block

extern std::recursive_mutex mutex;  // held by every call

cudaError_t report(cudaError_t error);  // keeps it for cudaGetLastError
cudaError_t unusable();                 // why there is no device, or cudaSuccess
int current_device();
bool is_device_memory(const void* pointer, std::size_t bytes);
void run_queue();  // of all devices

}  // namespace emulated
