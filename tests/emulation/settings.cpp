#include "settings.hpp"

#include <cstdlib>
#include <stdexcept>

#include "grid.hpp"

namespace emulated {
namespace {

Settings current;

void set_devices(const std::string& value) {
    const bool too_old = value == "driver", none = value == "none";
    current.driver_version = too_old ? 11040 : none ? 0 : 13000;
    current.devices = too_old || none ? 0 : std::stoi(value);
}

struct AtLoad {
    AtLoad() {
        seed(0);
        for (const char* name : {"EMULATED_DEVICES", "EMULATED_SEED", "EMULATED_COMPUTE", "EMULATED_MULTIPROCESSORS",
                                 "EMULATED_SHARED_BYTES", "EMULATED_MEMORY", "EMULATED_COOPERATIVE"})
            if (const char* value = std::getenv(name)) set(name, value);
    }
} at_load;

}  // namespace

const Settings& settings() { return current; }

void set(const std::string& name, const std::string& value) {
    if (name == "EMULATED_DEVICES") return set_devices(value);
    const unsigned long long number = std::stoull(value);
    if (name == "EMULATED_SEED") {
        seed(number);
    } else if (name == "EMULATED_COMPUTE") {
        current.compute = int(number);
    } else if (name == "EMULATED_MULTIPROCESSORS") {
        current.multiprocessors = int(number);
    } else if (name == "EMULATED_SHARED_BYTES") {
        current.shared_bytes = std::size_t(number);
    } else if (name == "EMULATED_MEMORY") {
        current.memory = std::size_t(number);
    } else if (name == "EMULATED_COOPERATIVE") {
        current.cooperative = int(number);
    } else {
        throw std::invalid_argument("name must be one of the emulator's variables, got " + name);
    }
}

}  // namespace emulated
