#include <cuda_runtime.h>

#include <mutex>
#include <vector>

#include "cuda/launch/device.hpp"
#include "cuda/launch/pool.hpp"

namespace steepest::cuda {
namespace {

cudaStream_t stream_of(Stream stream) { return static_cast<cudaStream_t>(stream); }

std::string megabytes(std::size_t bytes) { return std::to_string((bytes + 999999) / 1000000) + " MB"; }

Device read_device(int number) {
    cudaDeviceProp properties;
    int cooperative = 0;
    check(cudaGetDeviceProperties(&properties, number), "reading the device's properties");
    check(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, number),
          "reading the device's properties");
    return {properties.name,           properties.major,
            properties.minor,          properties.multiProcessorCount,
            properties.totalGlobalMem, properties.sharedMemPerBlockOptin,
            cooperative != 0};
}

}  // namespace

void check(int code, const char* doing) {
    if (code == cudaSuccess) return;
    cudaGetLastError();  // so that no later call reports it again
    const auto error = static_cast<cudaError_t>(code);
    const std::string text = std::string(doing) + " failed: " + cudaGetErrorString(error) + " (" +
                             cudaGetErrorName(error) + ", CUDA error " + std::to_string(code) + ")";
    if (code == cudaErrorMemoryAllocation) throw OutOfMemory(text);
    throw Error(text);
}

int count_devices() {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess ? count : (cudaGetLastError(), 0);
}

std::string why_no_device() {
    int count = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);
    if (code == cudaSuccess && count > 0) return "";
    cudaGetLastError();
    const std::string number = " (CUDA error " + std::to_string(int(code)) + ")";
    if (code == cudaSuccess) return "no NVIDIA GPU was found";
    if (code == cudaErrorNoDevice) return "no NVIDIA GPU was found" + number;
    if (code != cudaErrorInsufficientDriver) return cudaGetErrorString(code) + number;
    if (driver_version() == 0) return "no NVIDIA driver was found" + number;
    const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
    return "the NVIDIA driver is too old: it serves CUDA " + version(driver_version()) + ", this module needs " +
           version(runtime_version()) + number;
}

const Device& device(int number) {
    static std::mutex mutex;
    static std::vector<Device> devices;
    const std::lock_guard<std::mutex> lock(mutex);
    if (devices.empty())
        for (int i = 0, n = count_devices(); i < n; ++i) devices.push_back(read_device(i));
    if (number < 0 || number >= int(devices.size()))
        throw std::invalid_argument("device must be one of the " + std::to_string(devices.size()) +
                                    " found, got number " + std::to_string(number));
    return devices[std::size_t(number)];
}

int runtime_version() {
    int version = 0;
    check(cudaRuntimeGetVersion(&version), "reading the runtime's version");
    return version;
}

int driver_version() {
    int version = 0;
    check(cudaDriverGetVersion(&version), "reading the driver's version");
    return version;
}

int current_device() {
    int current = 0;
    check(cudaGetDevice(&current), "reading the current device");
    return current;
}

OnDevice::OnDevice(int number) : before_(current_context()) {
    if (!before_ || number != current_device()) check(cudaSetDevice(number), "choosing the device");
}

OnDevice::~OnDevice() {
    if (current_context() != before_) choose_context(before_);
}

void* allocate(std::size_t bytes) {
    void* data = nullptr;
    cudaError_t code = cudaMalloc(&data, bytes);
    if (code == cudaErrorMemoryAllocation && free_unused(current_device())) {
        cudaGetLastError();
        code = cudaMalloc(&data, bytes);
    }
    if (code == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        std::size_t available = 0, total = 0;
        check(cudaMemGetInfo(&available, &total), "reading the free memory");
        throw OutOfMemory("the GPU's memory is full: " + megabytes(bytes) + " were asked for, " + megabytes(available) +
                          " of " + megabytes(total) + " are free; free other arrays or take smaller batches");
    }
    check(code, "reserving GPU memory");
    return data;
}

void free_memory(void* data, int device_number) noexcept {
    try {
        const OnDevice here(device_number);
        cudaFree(data);
    } catch (const Error&) {  // the driver is gone, and the memory with it
    }
}

void Buffer::reserve(std::size_t bytes) {
    if (bytes <= bytes_) return;
    release();
    data_ = allocate(bytes);
    bytes_ = bytes;
    device_ = current_device();
}

void Buffer::release() noexcept {
    if (data_) free_memory(data_, device_);
    data_ = nullptr;
    bytes_ = 0;
}

void copy_to_host(void* host, const void* source, std::size_t bytes, Stream stream) {
    check(cudaMemcpyAsync(host, source, bytes, cudaMemcpyDeviceToHost, stream_of(stream)), "copying to the host");
    wait(stream);
}

void copy_to_device(void* target, const void* host, std::size_t bytes, Stream stream) {
    check(cudaMemcpyAsync(target, host, bytes, cudaMemcpyHostToDevice, stream_of(stream)), "copying to the GPU");
}

void copy(void* target, const void* source, std::size_t bytes, Stream stream) {
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, stream_of(stream)), "copying on the GPU");
}

void fill_zero(void* target, std::size_t bytes, Stream stream) {
    check(cudaMemsetAsync(target, 0, bytes, stream_of(stream)), "filling GPU memory");
}

void wait(Stream stream) { check(cudaStreamSynchronize(stream_of(stream)), "running on the GPU"); }

void wait_for_device() { check(cudaDeviceSynchronize(), "running on the GPU"); }

void refuse_capture(const std::string& doing, Stream stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    const cudaError_t code = cudaStreamIsCapturing(stream_of(stream), &status);
    if (code == cudaErrorStreamCaptureImplicit) {  // the legacy stream, which the captured one would have to wait for
        cudaGetLastError();
    } else {
        check(code, "asking whether a stream is captured");
        if (status == cudaStreamCaptureStatusNone) return;
    }
    throw Error(doing +
                " cannot be captured into a CUDA graph: a replay would repeat the numbers of this call and tell "
                "the host nothing; call it before or after the capture");
}

Event::Event(Stream stream) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
    event_ = event;
    const cudaError_t code = cudaEventRecord(event, stream_of(stream));
    if (code != cudaSuccess) cudaEventDestroy(event);
    check(code, "recording an event");
}

Event::~Event() { cudaEventDestroy(static_cast<cudaEvent_t>(event_)); }

bool Event::done() const {
    const cudaError_t code = cudaEventQuery(static_cast<cudaEvent_t>(event_));
    if (code != cudaErrorNotReady) return true;  // an error of the device ends its work too
    cudaGetLastError();
    return false;
}

void Event::wait() const noexcept { cudaEventSynchronize(static_cast<cudaEvent_t>(event_)); }

HostReads::~HostReads() {
    if (pending_) cudaStreamSynchronize(stream_of(stream_));
}

}  // namespace steepest::cuda
