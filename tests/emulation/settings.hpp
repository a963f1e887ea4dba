// What device is emulated: environment variables, read when the emulator is loaded, and settable later.
#pragma once

#include <cstddef>
#include <string>

namespace emulated {

struct Settings {
    int devices = 2;  // EMULATED_DEVICES: "driver": the driver is too old, "none": there is no driver
    int driver_version = 13000;
    int compute = 90;                          // EMULATED_COMPUTE
    int multiprocessors = 4;                   // EMULATED_MULTIPROCESSORS
    std::size_t shared_bytes = 232448;         // EMULATED_SHARED_BYTES: of a block
    std::size_t memory = std::size_t(1) << 32;  // EMULATED_MEMORY: of a device
    int cooperative = 1;                        // EMULATED_COOPERATIVE: whether it has cooperative launches
};

const Settings& settings();

// Sets what the variable of this name sets, EMULATED_SEED too; std::invalid_argument for other names and no numbers.
void set(const std::string& name, const std::string& value);

inline int compute_capability() { return settings().compute; }

}  // namespace emulated
