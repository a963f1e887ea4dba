// Tests of the emulated runtime's calls: they must do as the real ones.
#include <set>

#include "contexts.hpp"
#include "driver.hpp"

namespace {

#define EXPECT(condition)                                               \
    do {                                                                \
        if (!(condition)) {                                             \
            std::printf("line %d: not so: %s\n", __LINE__, #condition); \
            return false;                                               \
        }                                                               \
    } while (false)

const auto other_stream = reinterpret_cast<cudaStream_t>(0x1000);

__global__ void add(float* x, float value) { x[threadIdx.x] += value; }

cudaError_t launch(unsigned blocks, unsigned threads, std::size_t shared, bool cooperative, float* x,
                   cudaStream_t stream = nullptr) {
    cudaLaunchAttribute attribute{cudaLaunchAttributeCooperative, {cooperative}};
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(blocks);
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = 1;
    return cudaLaunchKernelEx(&config, &add, x, 1.0f);
}

float* reserve(std::size_t n) {
    void* pointer = nullptr;
    return cudaMalloc(&pointer, n * sizeof(float)) == cudaSuccess ? static_cast<float*>(pointer) : nullptr;
}

float first(const float* x, cudaStream_t stream = nullptr) {
    float value = -1;
    cudaMemcpyAsync(&value, x, sizeof(value), cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    return value;
}

bool launches() {
    float* x = reserve(2048);
    EXPECT(launch(0, 32, 0, false, x) == cudaErrorInvalidConfiguration);
    EXPECT(launch(1, 0, 0, false, x) == cudaErrorInvalidConfiguration);
    EXPECT(launch(1, 1025, 0, false, x) == cudaErrorInvalidConfiguration);
    EXPECT(launch(1, 32, 49153, false, x) == cudaErrorInvalidValue);
    const auto* kernel = reinterpret_cast<const void*>(&add);
    EXPECT(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 232449) == cudaErrorInvalidValue);
    EXPECT(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 232448) == cudaSuccess);
    EXPECT(launch(1, 32, 232448, false, x) == cudaSuccess);
    int blocks = 0;
    EXPECT(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 32, 232448) == cudaSuccess && blocks == 1);
    EXPECT(launch(4, 32, 232448, true, x) == cudaSuccess);
    EXPECT(launch(5, 32, 232448, true, x) == cudaErrorCooperativeLaunchTooLarge);
    EXPECT(cudaPeekAtLastError() == cudaErrorCooperativeLaunchTooLarge);
    EXPECT(cudaGetLastError() == cudaErrorCooperativeLaunchTooLarge && cudaGetLastError() == cudaSuccess);
    return cudaFree(x) == cudaSuccess;
}

bool streams() {
    float* x = reserve(2);
    float value = 5;
    EXPECT(first(x) != first(x));  // nobody wrote it
    cudaMemcpyAsync(x, &value, sizeof(value), cudaMemcpyHostToDevice, other_stream);
    value = 7;  // is read late
    launch(1, 1, 0, false, x, other_stream);
    EXPECT(x[0] != x[0]);  // not yet
    EXPECT(first(x, cudaStreamPerThread) != 8);  // another stream's
    EXPECT(first(x, other_stream) == 8);
    launch(1, 1, 0, false, x, other_stream);
    cudaMemcpyAsync(x + 1, x, sizeof(value), cudaMemcpyDeviceToDevice, cudaStreamLegacy);
    EXPECT(first(x + 1) == 9);  // the legacy stream waits for all others
    cudaMemsetAsync(x, 0, sizeof(value), cudaStreamLegacy);
    launch(1, 1, 0, false, x, cudaStreamPerThread);
    launch(1, 1, 0, false, x, other_stream);
    EXPECT(cudaStreamSynchronize(cudaStreamPerThread) == cudaSuccess && x[0] == 1);
    EXPECT(cudaDeviceSynchronize() == cudaSuccess && x[0] == 2);
    launch(1, 1, 0, false, x);
    return cudaFree(x) == cudaSuccess;
}

bool non_blocking() {
    cudaStream_t apart = nullptr;
    EXPECT(cudaStreamCreateWithFlags(&apart, cudaStreamNonBlocking) == cudaSuccess);
    float* x = reserve(2);
    cudaMemsetAsync(x, 0, 2 * sizeof(float), apart);
    launch(1, 1, 0, false, x, apart);
    EXPECT(first(x) != first(x) && first(x, other_stream) != 1);  // the legacy stream does not wait for it
    EXPECT(first(x, apart) == 1);
    launch(1, 1, 0, false, x);
    EXPECT(first(x, apart) == 1);  // nor does it wait for the legacy stream
    launch(1, 1, 0, false, x, apart);
    return cudaDeviceSynchronize() == cudaSuccess && x[0] == 3 && cudaFree(x) == cudaSuccess;
}

bool events() {
    float* x = reserve(1);
    cudaEvent_t event = nullptr;
    EXPECT(cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess);
    EXPECT(cudaEventQuery(event) == cudaSuccess);
    cudaMemsetAsync(x, 0, sizeof(float), other_stream);
    EXPECT(cudaEventRecord(event, other_stream) == cudaSuccess && cudaEventQuery(event) == cudaErrorNotReady);
    EXPECT(cudaGetLastError() == cudaErrorNotReady);
    EXPECT(cudaEventSynchronize(event) == cudaSuccess && x[0] == 0 && cudaEventQuery(event) == cudaSuccess);
    EXPECT(cudaEventRecord(event, other_stream) == cudaSuccess && first(x, other_stream) == 0);
    return cudaEventQuery(event) == cudaSuccess && cudaEventDestroy(event) == cudaSuccess && cudaFree(x) == cudaSuccess;
}

bool captures() {
    float* x = reserve(1);
    cudaStreamCaptureStatus status;
    cudaGraph_t graph = nullptr;
    cudaMemsetAsync(x, 0, sizeof(float), nullptr);
    EXPECT(first(x) == 0);
    EXPECT(cudaStreamBeginCapture(other_stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
    EXPECT(cudaStreamIsCapturing(other_stream, &status) == cudaSuccess && status == cudaStreamCaptureStatusActive);
    EXPECT(cudaStreamIsCapturing(cudaStreamPerThread, &status) == cudaSuccess && status == cudaStreamCaptureStatusNone);
    EXPECT(cudaStreamIsCapturing(nullptr, &status) == cudaErrorStreamCaptureImplicit);
    EXPECT(launch(1, 1, 0, false, x, other_stream) == cudaSuccess && x[0] == 0);
    EXPECT(cudaStreamEndCapture(other_stream, &graph) == cudaSuccess && x[0] == 0);
    for (int i = 0; i < 3; ++i) EXPECT(cudaGraphLaunch(graph, other_stream) == cudaSuccess);
    EXPECT(first(x, other_stream) == 3);
    void* pointer = nullptr;
    for (int forbidden = 0; forbidden < 3; ++forbidden) {
        EXPECT(cudaStreamBeginCapture(other_stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
        EXPECT((forbidden == 0   ? cudaStreamSynchronize(other_stream)
                : forbidden == 1 ? cudaMalloc(&pointer, 4)
                                 : launch(1, 1, 0, false, x)) >= cudaErrorStreamCaptureUnsupported);
        EXPECT(cudaStreamEndCapture(other_stream, &graph) == cudaErrorStreamCaptureInvalidated);
    }
    return cudaFree(x) == cudaSuccess && cudaGetLastError() != cudaSuccess;
}

bool contexts() {
    using Set = int (*)(void*);
    using Get = int (*)(void**);
    cudaDriverEntryPointQueryResult found;
    int device = -1;
    void *set = nullptr, *get = nullptr, *context = &device, *none = nullptr;
    EXPECT(cudaGetDevice(&device) == cudaSuccess && device == 0);
    EXPECT(cudaGetDriverEntryPointByVersion("cuCtxGetCurrent", &get, 12000, cudaEnableDefault, &found) == cudaSuccess);
    EXPECT(cudaGetDriverEntryPointByVersion("cuCtxSetCurrent", &set, 12000, cudaEnableDefault, &found) == cudaSuccess);
    EXPECT(reinterpret_cast<Get>(get)(&context) == 0 && context == nullptr && emulated::contexts().empty());
    EXPECT(cudaSetDevice(1) == cudaSuccess && emulated::contexts() == std::set<int>{1});
    EXPECT(reinterpret_cast<Get>(get)(&context) == 0 && context != nullptr);
    EXPECT(reinterpret_cast<Set>(set)(none) == 0 && emulated::current_context() == -1);
    cudaPointerAttributes attributes;
    EXPECT(cudaPointerGetAttributes(&attributes, &device) == cudaSuccess && emulated::current_context() == 1);
    EXPECT(cudaSetDevice(0) == cudaSuccess && emulated::contexts().size() == 2);
    return cudaGetDriverEntryPointByVersion("cuNone", &set, 12000, cudaEnableDefault, &found) == cudaSuccess &&
           found == cudaDriverEntryPointSymbolNotFound;
}

bool no_cooperative_launches() {
    int cooperative = -1;
    float* x = reserve(1);
    EXPECT(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, 0) == cudaSuccess && cooperative == 0);
    EXPECT(launch(1, 32, 0, true, x) == cudaErrorNotSupported);
    return launch(1, 1, 0, false, x) == cudaSuccess && cudaFree(x) == cudaSuccess;
}

bool memory() {
    std::size_t available = 0, total = 0;
    EXPECT(reserve(250) == nullptr && cudaGetLastError() == cudaErrorMemoryAllocation);
    float* x = reserve(100);
    EXPECT(cudaMemGetInfo(&available, &total) == cudaSuccess && available == 500 && total == 900);
    EXPECT(cudaSetDevice(1) == cudaSuccess && cudaSetDevice(2) == cudaErrorInvalidDevice);
    float* y = reserve(225);
    EXPECT(y != nullptr);
    cudaPointerAttributes a;
    EXPECT(cudaPointerGetAttributes(&a, x + 99) == cudaSuccess && a.type == cudaMemoryTypeDevice && a.device == 0);
    EXPECT(cudaPointerGetAttributes(&a, y) == cudaSuccess && a.type == cudaMemoryTypeDevice && a.device == 1);
    EXPECT(cudaPointerGetAttributes(&a, &a) == cudaSuccess && a.type == cudaMemoryTypeUnregistered);
    EXPECT(cudaFree(x) == cudaSuccess && cudaFree(y) == cudaSuccess && cudaFree(nullptr) == cudaSuccess);
    EXPECT(cudaPointerGetAttributes(&a, x) == cudaSuccess && a.type == cudaMemoryTypeUnregistered);
    EXPECT(cudaFree(x) == cudaErrorInvalidValue);
    float host[2] = {};
    return cudaMemcpyAsync(host, host + 1, 4, cudaMemcpyDeviceToHost, nullptr) == cudaErrorInvalidValue;
}

bool no_device() {
    int count = -1;
    void* pointer = nullptr;
    EXPECT(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0);
    EXPECT(cudaMalloc(&pointer, 4) == cudaErrorNoDevice);
    return std::string(cudaGetErrorName(cudaGetLastError())) == "cudaErrorNoDevice";
}

bool old_driver() {
    int count = -1, driver = 0, runtime = 0;
    EXPECT(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver && count == 0);
    EXPECT(cudaDriverGetVersion(&driver) == cudaSuccess && cudaRuntimeGetVersion(&runtime) == cudaSuccess);
    return driver < runtime;
}

const drivers::Tests tests = {{"launches", &launches},
                              {"streams", &streams},
                              {"non_blocking", &non_blocking},
                              {"events", &events},
                              {"captures", &captures},
                              {"contexts", &contexts},
                              {"no_cooperative_launches", &no_cooperative_launches},
                              {"memory", &memory},
                              {"no_device", &no_device},
                              {"old_driver", &old_driver}};

}  // namespace

int main(int argc, char** argv) { return drivers::run_test(tests, argc, argv); }
