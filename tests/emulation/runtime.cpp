// The runtime's calls for devices, memory and errors.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "calls.hpp"
#include "queue.hpp"
#include "settings.hpp"

namespace emulated {

std::recursive_mutex mutex;

namespace {

thread_local cudaError_t last_error = cudaSuccess;
std::map<std::string, std::size_t> n_calls;

struct Allocation {
    std::size_t bytes;
    int device;
};
std::map<std::uintptr_t, Allocation> allocations;

// The allocation that holds all these bytes, or null.
const Allocation* find(const void* pointer, std::size_t bytes) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin()) return nullptr;
    const auto& [begin, found] = *std::prev(next);
    const std::size_t offset = address - begin;
    return offset < found.bytes && bytes <= found.bytes - offset ? &found : nullptr;
}

std::size_t used(int device) {
    std::size_t bytes = 0;
    for (const auto& [_, a] : allocations) bytes += a.device == device ? a.bytes : 0;
    return bytes;
}

// From this many bytes on memory is reserved only: it begins as zeros, and takes what is written.
constexpr std::size_t reserved_from = std::size_t(1) << 31;

void* reserve(std::size_t bytes) {
    void* pointer = nullptr;
    if (bytes >= reserved_from) {
        pointer = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return pointer == MAP_FAILED ? nullptr : pointer;
    }
    if (posix_memalign(&pointer, 256, bytes) != 0) return nullptr;
    return std::memset(pointer, 0xff, bytes);
}

void give_back(void* pointer, std::size_t bytes) {
    if (bytes >= reserved_from) {
        munmap(pointer, bytes);
        return;
    }
    std::memset(pointer, 0xff, bytes);
    std::free(pointer);
}

struct ErrorText {
    cudaError_t error;
    const char *name, *text;
};
constexpr ErrorText error_texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorCooperativeLaunchTooLarge, "cudaErrorCooperativeLaunchTooLarge", "too many blocks in cooperative launch"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
};

const ErrorText& text_of(cudaError_t error) {
    return *std::find_if(std::begin(error_texts), std::end(error_texts) - 1,
                         [error](const ErrorText& t) { return t.error == error; });
}

}  // namespace

cudaError_t report(cudaError_t error) {
    if (error != cudaSuccess) last_error = error;
    return error;
}

cudaError_t unusable() {
    if (settings().driver_version < 13000) return cudaErrorInsufficientDriver;
    return settings().devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

void count_call(const char* name) { ++n_calls[name]; }

std::map<std::string, std::size_t> calls() { return n_calls; }
void forget_calls() { n_calls.clear(); }

int device_of_memory(const void* pointer) {
    const Allocation* found = find(pointer, 0);
    return found ? found->device : -1;
}

bool is_device_memory(const void* pointer, std::size_t bytes) { return find(pointer, bytes) != nullptr; }

}  // namespace emulated

using namespace emulated;  // NOLINT

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 0;
    EMULATED_CALL;
    *count = settings().devices;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    EMULATED_CALL;
    if (device < 0 || device >= settings().devices) return report(cudaErrorInvalidDevice);
    *properties = {};
    std::snprintf(properties->name, sizeof(properties->name), "emulated device %d", device);
    properties->totalGlobalMem = settings().memory;
    properties->sharedMemPerBlock = default_shared_bytes;
    properties->sharedMemPerBlockOptin = settings().shared_bytes;
    properties->sharedMemPerMultiprocessor = settings().shared_bytes + reserved_shared_bytes;
    properties->major = settings().compute / 10;
    properties->minor = settings().compute % 10;
    properties->multiProcessorCount = settings().multiprocessors;
    properties->maxThreadsPerBlock = max_block_threads;
    properties->maxThreadsPerMultiProcessor = max_resident_threads;
    properties->warpSize = 32;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp properties;
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, device)) return error;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock:
            return *value = properties.maxThreadsPerBlock, cudaSuccess;
        case cudaDevAttrMultiProcessorCount:
            return *value = properties.multiProcessorCount, cudaSuccess;
        case cudaDevAttrComputeCapabilityMajor:
            return *value = properties.major, cudaSuccess;
        case cudaDevAttrComputeCapabilityMinor:
            return *value = properties.minor, cudaSuccess;
        case cudaDevAttrCooperativeLaunch:
            return *value = settings().cooperative, cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            return *value = int(properties.sharedMemPerBlockOptin), cudaSuccess;
    }
    return report(cudaErrorInvalidValue);
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = settings().driver_version;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
    EMULATED_WORK;
    *total = settings().memory;
    *available = *total - std::min(*total, used(current_device()));
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
    EMULATED_WORK;
    if (const cudaError_t error = forbid_while_capturing()) return report(error);
    *pointer = nullptr;
    if (bytes == 0) return cudaSuccess;
    const std::size_t taken = used(current_device());
    if (taken > settings().memory || bytes > settings().memory - taken || !(*pointer = reserve(bytes)))
        return report(cudaErrorMemoryAllocation);
    allocations[reinterpret_cast<std::uintptr_t>(*pointer)] = {bytes, current_device()};
    return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
    EMULATED_WORK;
    if (const cudaError_t error = forbid_while_capturing()) return report(error);
    run_queue();
    if (!pointer) return cudaSuccess;
    const auto found = allocations.find(reinterpret_cast<std::uintptr_t>(pointer));
    if (found == allocations.end()) return report(cudaErrorInvalidValue);
    give_back(pointer, found->second.bytes);
    allocations.erase(found);
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    EMULATED_WORK;
    const Allocation* found = find(pointer, 0);
    *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, nullptr};
    if (found) *attributes = {cudaMemoryTypeDevice, found->device, const_cast<void*>(pointer), nullptr};
    return cudaSuccess;
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorName(cudaError_t error) { return emulated::text_of(error).name; }
const char* cudaGetErrorString(cudaError_t error) { return emulated::text_of(error).text; }
