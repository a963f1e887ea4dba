#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "cuda/launch/pool.hpp"

namespace steepest::cuda {
namespace {

constexpr std::size_t most_of_a_size = 4;         // blocks, of one stream
constexpr std::size_t most_of_the_memory = 64;    // a 64th of the device's

using Kind = std::tuple<int, Stream, std::size_t>;  // device, stream, bytes

struct Pool {
    std::mutex mutex;
    std::map<Kind, std::vector<void*>> unused;
    std::map<int, std::size_t> bytes;  // unused ones, by device
};

Pool& pool() {
    static Pool& kept = *new Pool;  // never destroyed: at the end of a process the driver may have gone before
    return kept;
}

}  // namespace

void* take(int device_number, Stream stream, std::size_t bytes) {
    {
        const std::lock_guard<std::mutex> lock(pool().mutex);
        std::vector<void*>& unused = pool().unused[{device_number, stream, bytes}];
        if (!unused.empty()) {
            void* found = unused.back();
            unused.pop_back();
            pool().bytes[device_number] -= bytes;
            return found;
        }
    }
    const OnDevice here(device_number);
    return allocate(bytes);
}

void give_back(void* data, int device_number, Stream stream, std::size_t bytes) noexcept {
    try {
        const std::lock_guard<std::mutex> lock(pool().mutex);
        std::vector<void*>& unused = pool().unused[{device_number, stream, bytes}];
        std::size_t& held = pool().bytes[device_number];
        if (unused.size() < most_of_a_size && held + bytes <= device(device_number).memory / most_of_the_memory) {
            unused.push_back(data);
            held += bytes;
            return;
        }
    } catch (const std::exception&) {  // no memory for the list
    }
    free_memory(data, device_number);
}

bool free_unused(int device_number) noexcept {
    std::vector<void*> found;
    try {
        const std::lock_guard<std::mutex> lock(pool().mutex);
        for (auto& [kind, unused] : pool().unused) {
            if (std::get<int>(kind) != device_number) continue;
            found.insert(found.end(), unused.begin(), unused.end());
            unused.clear();
        }
        pool().bytes[device_number] = 0;
    } catch (const std::exception&) {  // no memory for the list: what it has found is freed
    }
    for (void* data : found) free_memory(data, device_number);
    return !found.empty();
}

}  // namespace steepest::cuda
