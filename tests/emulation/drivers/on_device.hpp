// What the programs that call the engine are tested with: what ends one, numbers, and arrays on the device.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cuda/launch/device.hpp"

namespace steepest::cuda {

inline void expect(bool condition, const std::string& what) {
    if (condition) return;
    std::printf("wrong: %s\n", what.c_str());
    std::exit(1);
}

inline std::vector<float> numbers(std::size_t n, std::size_t seed) {
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = float(int(((i + 1) * (seed + 1) * 2654435761u >> 7) % 33) - 16) / 16;
    return values;
}

template <class T>
struct OnTheDevice {
    Buffer memory;

    explicit OnTheDevice(const std::vector<T>& values) {
        memory.reserve(values.size() * sizeof(T));
        copy_to_device(memory.as<T>(), values.data(), values.size() * sizeof(T), nullptr);
        wait(nullptr);
    }
    T* data() const { return memory.as<T>(); }
};

}  // namespace steepest::cuda
