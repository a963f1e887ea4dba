// What small kernels are tested with: device arrays, launches, and a main function that runs a test by its name.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace drivers {

constexpr unsigned all = 0xffffffffu;
constexpr unsigned threads = 128;

inline void check(cudaError_t error) {
    if (error == cudaSuccess) return;
    std::printf("%s\n", cudaGetErrorName(error));
    std::exit(2);
}

template <class T>
struct Array {
    T* data = nullptr;
    std::size_t n;

    explicit Array(std::size_t n_) : n(n_) { check(cudaMalloc(reinterpret_cast<void**>(&data), n * sizeof(T))); }
    explicit Array(const std::vector<T>& values) : Array(values.size()) {
        check(cudaMemcpyAsync(data, values.data(), n * sizeof(T), cudaMemcpyHostToDevice, nullptr));
        check(cudaStreamSynchronize(nullptr));
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() { cudaFree(data); }
    std::vector<T> host() const {
        std::vector<T> values(n);
        check(cudaMemcpyAsync(values.data(), data, n * sizeof(T), cudaMemcpyDeviceToHost, nullptr));
        check(cudaStreamSynchronize(nullptr));
        return values;
    }
};

template <class... Parameters, class... Arguments>
void launch(unsigned blocks, std::size_t shared, bool cooperative, void (*kernel)(Parameters...), Arguments... values) {
    cudaLaunchAttribute attribute{cudaLaunchAttributeCooperative, {cooperative}};
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(blocks);
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = shared;
    config.attrs = &attribute;
    config.numAttrs = 1;
    check(cudaLaunchKernelEx(&config, kernel, values...));
}

inline std::vector<float> ramp(std::size_t n) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = float(i % 101);
    return x;
}

inline float sum_of(const std::vector<float>& x) {
    float sum = 0;
    for (const float v : x) sum += v;
    return sum;
}

using Tests = std::map<std::string, bool (*)()>;

// Returns 0 where the test's result is right, 1 where it is wrong.
inline int run_test(const Tests& tests, int argc, char** argv) {
    if (argc == 2 && tests.count(argv[1])) return tests.at(argv[1])() ? 0 : 1;
    std::printf("usage: %s NAME\n", argv[0]);
    return 2;
}

}  // namespace drivers
