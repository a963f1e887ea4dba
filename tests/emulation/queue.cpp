// Streams and launches. What is queued runs as late as it may: when somebody waits for its stream. A stream that is not
// the legacy one is in order with that one and itself only.
#include "queue.hpp"

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "grid.hpp"

namespace emulated {
namespace {

struct Task {
    int device;
    cudaStream_t stream;  // null: the legacy one
    std::function<void()> run;
};
std::deque<Task> tasks;
std::map<std::pair<int, const void*>, std::size_t> allowed_shared;  // by device and kernel

cudaStream_t named(cudaStream_t stream) { return stream == cudaStreamLegacy ? nullptr : stream; }

// Runs what comes before the stream's last task among the first n, and that.
void run_stream(int device, cudaStream_t stream, std::size_t n) {
    const auto in_order = [&](const Task& t) {
        return t.device == device && (!stream || !t.stream || t.stream == stream);
    };
    while (n > 0 && !(tasks[n - 1].device == device && (!stream || tasks[n - 1].stream == stream))) --n;
    bool all = stream == nullptr;  // whatever comes before a task of the legacy stream
    std::vector<bool> wanted(n);
    for (std::size_t i = n; i-- > 0;) {
        all = all || (in_order(tasks[i]) && !tasks[i].stream);
        wanted[i] = tasks[i].device == device && (all || in_order(tasks[i]));
    }
    std::deque<Task> now, later;
    for (std::size_t i = 0; i < tasks.size(); ++i) (i < n && wanted[i] ? now : later).push_back(std::move(tasks[i]));
    tasks = std::move(later);
    for (const Task& task : now) task.run();
}

void enqueue(cudaStream_t stream, std::function<void()> run) {
    tasks.push_back({current_device(), named(stream), std::move(run)});
}

std::size_t resident_blocks(std::size_t threads, std::size_t shared_bytes) {
    const std::size_t shared = settings().shared_bytes + reserved_shared_bytes;
    return std::min({std::size_t(max_resident_blocks), max_resident_threads / threads,
                     shared / (shared_bytes + reserved_shared_bytes)});
}

std::size_t shared_limit(const void* kernel) {
    const auto found = allowed_shared.find({current_device(), kernel});
    return found == allowed_shared.end() ? default_shared_bytes : std::max(found->second, default_shared_bytes);
}

}  // namespace

void run_queue() {
    std::deque<Task> now;
    now.swap(tasks);
    for (const Task& task : now) task.run();
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> thread) {
    const std::lock_guard<std::recursive_mutex> lock(mutex);
    if (const cudaError_t error = unusable()) return report(error);
    const dim3 &blocks = config.gridDim, &threads = config.blockDim;
    if (blocks.y * blocks.z * threads.y * threads.z != 1) fail("grids and blocks must have one dimension");
    if (blocks.x == 0 || blocks.x > 0x7fffffffu || threads.x == 0 || threads.x > max_block_threads)
        return report(cudaErrorInvalidConfiguration);
    if (config.dynamicSmemBytes > shared_limit(kernel)) return report(cudaErrorInvalidValue);
    Grid::Shape shape{blocks.x, threads.x, config.dynamicSmemBytes, false};
    for (unsigned i = 0; i < config.numAttrs; ++i)
        if (config.attrs[i].id == cudaLaunchAttributeCooperative) shape.cooperative = config.attrs[i].val.cooperative;
    const std::size_t fit = resident_blocks(threads.x, shape.shared_bytes) * std::size_t(settings().multiprocessors);
    if (shape.cooperative && blocks.x > fit) return report(cudaErrorCooperativeLaunchTooLarge);
    enqueue(config.stream, [shape, body = std::move(thread)] {
        blockDim.x = shape.threads;
        gridDim.x = shape.blocks;
        Grid(shape, body).run();
    });
    return cudaSuccess;
}

}  // namespace emulated

using namespace emulated;  // NOLINT

#define EMULATED_CALL                                        \
    const std::lock_guard<std::recursive_mutex> lock(mutex); \
    if (const cudaError_t error = unusable()) return report(error)

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
    EMULATED_CALL;
    attributes->ptxVersion = settings().compute;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
    EMULATED_CALL;
    if (value < 0 || std::size_t(value) > settings().shared_bytes) return report(cudaErrorInvalidValue);
    allowed_shared[{current_device(), kernel}] = std::size_t(value);
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int block_threads,
                                                          std::size_t shared_bytes) {
    EMULATED_CALL;
    *blocks = 0;
    if (block_threads <= 0) return report(cudaErrorInvalidValue);
    if (block_threads > max_block_threads || shared_bytes > shared_limit(kernel)) return cudaSuccess;
    *blocks = int(resident_blocks(std::size_t(block_threads), shared_bytes));
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    EMULATED_CALL;
    if (bytes == 0) return cudaSuccess;
    const bool from_device = kind != cudaMemcpyHostToDevice, to_device = kind != cudaMemcpyDeviceToHost;
    if (is_device_memory(source, bytes) != from_device || is_device_memory(target, bytes) != to_device)
        return report(cudaErrorInvalidValue);
    if (kind == cudaMemcpyDeviceToHost) {
        run_stream(current_device(), named(stream), tasks.size());
        std::memcpy(target, source, bytes);
    } else if (kind == cudaMemcpyHostToDevice) {
        const auto* first = static_cast<const unsigned char*>(source);
        enqueue(stream, [target, copy = std::vector<unsigned char>(first, first + bytes)] {
            std::memcpy(target, copy.data(), copy.size());
        });
    } else {
        enqueue(stream, [=] { std::memmove(target, source, bytes); });
    }
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* target, int value, std::size_t bytes, cudaStream_t stream) {
    EMULATED_CALL;
    if (bytes == 0) return cudaSuccess;
    if (!is_device_memory(target, bytes)) return report(cudaErrorInvalidValue);
    enqueue(stream, [=] { std::memset(target, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    EMULATED_CALL;
    run_stream(current_device(), named(stream), tasks.size());
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
    EMULATED_CALL;
    run_stream(current_device(), nullptr, tasks.size());
    return cudaSuccess;
}
