#include <cuda_runtime.h>

#include <string>

#include "cuda/launch/context.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {
namespace {

// Numbers of the driver's interface, whose header and library this module does without.
constexpr unsigned first_version = 12000;
constexpr int attribute_of_type = 2, attribute_of_management = 8, attribute_of_device = 9, type_of_device_memory = 2;

// By their names without the suffix of a version. They return 0 where they succeed.
struct Driver {
    int (*get_current)(Context*);
    int (*set_current)(Context);
    int (*get_attributes)(unsigned, int*, void**, unsigned long long);
};

template <class Function>
void find(const char* name, Function*& function) {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
    const cudaError_t code = cudaGetDriverEntryPointByVersion(name, &found, first_version, cudaEnableDefault, &result);
#else
    const cudaError_t code = cudaGetDriverEntryPoint(name, &found, cudaEnableDefault, &result);
#endif
    check(code, "asking for the driver's functions");
    if (result != cudaDriverEntryPointSuccess || !found)
        throw Error(std::string("the NVIDIA driver has no function ") + name);
    function = reinterpret_cast<Function*>(found);
}

const Driver& driver() {
    static const Driver found = [] {
        Driver d{};
        find("cuCtxGetCurrent", d.get_current);
        find("cuCtxSetCurrent", d.set_current);
        find("cuPointerGetAttributes", d.get_attributes);
        return d;
    }();
    return found;
}

}  // namespace

Context current_context() {
    Context context = nullptr;
    return driver().get_current(&context) == 0 ? context : nullptr;
}

void choose_context(Context context) noexcept { driver().set_current(context); }

int device_of(const void* pointer) {
    unsigned type = 0, managed = 0;  // 0 for an address that is not the driver's
    int device = -1;
    int attributes[] = {attribute_of_type, attribute_of_management, attribute_of_device};
    void* values[] = {&type, &managed, &device};
    if (driver().get_attributes(3, attributes, values, reinterpret_cast<unsigned long long>(pointer)) != 0) return -1;
    return type == type_of_device_memory || managed ? device : -1;
}

}  // namespace steepest::cuda
