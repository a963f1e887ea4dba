// Contexts: a thread has chosen a device and uses a context or none yet. A context takes memory of its device, so the
// emulator keeps which devices have one. The driver's functions for them make none.
#include "contexts.hpp"

#include <cstring>

#include "queue.hpp"
#include "settings.hpp"

namespace emulated {
namespace {

thread_local int chosen = 0;    // by cudaSetDevice
thread_local int context = -1;  // the device of the thread's current one
std::set<int> made;

// The driver's functions, whose errors are numbers of their own: 0 is success.
int get_current(void** current) {
    const std::lock_guard<std::recursive_mutex> lock(mutex);
    *current = context < 0 ? nullptr : reinterpret_cast<void*>(std::uintptr_t(context) + 1);
    return 0;
}

int set_current(void* next) {
    const std::lock_guard<std::recursive_mutex> lock(mutex);
    context = int(reinterpret_cast<std::uintptr_t>(next)) - 1;
    return 0;
}

int get_attributes(unsigned n, int* attributes, void** values, unsigned long long pointer) {
    constexpr int memory_type = 2, is_managed = 8, ordinal = 9;
    const std::lock_guard<std::recursive_mutex> lock(mutex);
    const int device = device_of_memory(reinterpret_cast<const void*>(pointer));
    for (unsigned i = 0; i < n; ++i) {
        int value = 0;
        if (attributes[i] == memory_type) {
            value = device < 0 ? 0 : 2;
        } else if (attributes[i] == ordinal) {
            value = device < 0 ? -2 : device;
        } else if (attributes[i] != is_managed) {
            return 1;
        }
        std::memcpy(values[i], &value, sizeof(value));
    }
    return 0;
}

}  // namespace

int current_device() { return context < 0 ? chosen : context; }

void use_context() {
    context = current_device();
    made.insert(context);
}

std::set<int> contexts() { return made; }
int current_context() { return context; }

void forget_contexts() {
    made.clear();
    context = -1;
    chosen = 0;
}

}  // namespace emulated

using namespace emulated;  // NOLINT

cudaError_t cudaGetDevice(int* device) {
    EMULATED_CALL;
    *device = current_device();
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    EMULATED_CALL;
    if (device < 0 || device >= settings().devices) return report(cudaErrorInvalidDevice);
    chosen = context = device;
    use_context();
    return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult* result) {
    EMULATED_CALL;
    *function = !std::strcmp(symbol, "cuCtxGetCurrent")          ? reinterpret_cast<void*>(&get_current)
                : !std::strcmp(symbol, "cuCtxSetCurrent")        ? reinterpret_cast<void*>(&set_current)
                : !std::strcmp(symbol, "cuPointerGetAttributes") ? reinterpret_cast<void*>(&get_attributes)
                                                                 : nullptr;
    *result = *function ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}
