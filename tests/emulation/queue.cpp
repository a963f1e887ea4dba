// Streams and launches. What is queued runs as late as it may: when somebody waits for its stream. A stream that is not
// the legacy one is in order with that one and itself only, a non-blocking one with itself alone. Copies of the host's
// memory read and write it when they run: the real runtime may do so, and promises no more.
#include "queue.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
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

// Which tasks a wait for the stream waits for: its last one, those of all blocking streams for the legacy one, and
// whatever comes before these.
std::vector<bool> awaited(int device, cudaStream_t stream) {
    std::vector<bool> found(tasks.size());
    std::set<cudaStream_t> later{stream};  // streams of what is awaited
    bool legacy = !stream, blocking = !stream;
    std::size_t n = tasks.size();
    const auto is_last = [&](const Task& t) {
        return t.device == device && (t.stream == stream || (!stream && is_blocking(t.stream)));
    };
    while (n > 0 && !is_last(tasks[n - 1])) --n;
    for (std::size_t i = n; i-- > 0;) {
        const Task& t = tasks[i];
        const bool in_order = t.stream ? legacy && is_blocking(t.stream) : blocking;
        if (t.device != device || !(later.count(t.stream) || in_order)) continue;
        found[i] = true;
        later.insert(t.stream);
        legacy = legacy || !t.stream;
        blocking = blocking || is_blocking(t.stream);
    }
    return found;
}

void run_those(const std::vector<bool>& wanted) {
    std::deque<Task> now, later;
    for (std::size_t i = 0; i < tasks.size(); ++i) (wanted[i] ? now : later).push_back(std::move(tasks[i]));
    tasks = std::move(later);
    for (const Task& task : now) task.run();
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

cudaStream_t named(cudaStream_t stream) {
    static std::uintptr_t next = 0x100;  // under the mutex, as all that names streams
    thread_local std::uintptr_t own = 0;
    if (stream == cudaStreamLegacy) return nullptr;
    if (stream != cudaStreamPerThread) return stream;
    if (!own) own = next += 0x10;
    return reinterpret_cast<cudaStream_t>(own);
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> run) {
    cudaError_t error = cudaSuccess;
    if (!capture(named(stream), current_device(), run, error) && error == cudaSuccess)
        tasks.push_back({current_device(), named(stream), std::move(run)});
    return report(error);
}

void run_queue() { run_those(std::vector<bool>(tasks.size(), true)); }

void run_stream(cudaStream_t stream) { run_those(awaited(current_device(), named(stream))); }

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> thread) {
    const std::lock_guard<std::recursive_mutex> lock(mutex);
    count_call("cudaLaunchKernelExC");
    if (const cudaError_t error = unusable()) return report(error);
    use_context();
    const dim3 &blocks = config.gridDim, &threads = config.blockDim;
    if (blocks.y * blocks.z * threads.y * threads.z != 1) fail("grids and blocks must have one dimension");
    if (blocks.x == 0 || blocks.x > 0x7fffffffu || threads.x == 0 || threads.x > max_block_threads)
        return report(cudaErrorInvalidConfiguration);
    if (config.dynamicSmemBytes > shared_limit(kernel)) return report(cudaErrorInvalidValue);
    Grid::Shape shape{blocks.x, threads.x, config.dynamicSmemBytes, false};
    for (unsigned i = 0; i < config.numAttrs; ++i)
        if (config.attrs[i].id == cudaLaunchAttributeCooperative) shape.cooperative = config.attrs[i].val.cooperative;
    if (shape.cooperative && !settings().cooperative) return report(cudaErrorNotSupported);
    const std::size_t fit = resident_blocks(threads.x, shape.shared_bytes) * std::size_t(settings().multiprocessors);
    if (shape.cooperative && blocks.x > fit) return report(cudaErrorCooperativeLaunchTooLarge);
    return enqueue(config.stream, [shape, body = std::move(thread)] {
        blockDim.x = shape.threads;
        gridDim.x = shape.blocks;
        Grid(shape, body).run();
    });
}

}  // namespace emulated

using namespace emulated;  // NOLINT

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
    EMULATED_CALL;
    attributes->ptxVersion = settings().compute;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
    EMULATED_WORK;
    if (value < 0 || std::size_t(value) > settings().shared_bytes) return report(cudaErrorInvalidValue);
    allowed_shared[{current_device(), kernel}] = std::size_t(value);
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int block_threads,
                                                          std::size_t shared_bytes) {
    EMULATED_WORK;
    *blocks = 0;
    if (block_threads <= 0) return report(cudaErrorInvalidValue);
    if (block_threads > max_block_threads || shared_bytes > shared_limit(kernel)) return cudaSuccess;
    *blocks = int(resident_blocks(std::size_t(block_threads), shared_bytes));
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    EMULATED_WORK;
    if (bytes == 0) return cudaSuccess;
    const bool from_device = kind != cudaMemcpyHostToDevice, to_device = kind != cudaMemcpyDeviceToHost;
    if (is_device_memory(source, bytes) != from_device || is_device_memory(target, bytes) != to_device)
        return report(cudaErrorInvalidValue);
    return enqueue(stream, [=] { std::memmove(target, source, bytes); });
}

cudaError_t cudaMemsetAsync(void* target, int value, std::size_t bytes, cudaStream_t stream) {
    EMULATED_WORK;
    if (bytes == 0) return cudaSuccess;
    if (!is_device_memory(target, bytes)) return report(cudaErrorInvalidValue);
    return enqueue(stream, [=] { std::memset(target, value, bytes); });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    EMULATED_WORK;
    if (const cudaError_t error = forbid_while_capturing(named(stream))) return report(error);
    run_stream(stream);
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
    EMULATED_WORK;
    if (const cudaError_t error = forbid_while_capturing()) return report(error);
    std::vector<bool> of_device;
    for (const Task& task : tasks) of_device.push_back(task.device == current_device());
    run_those(of_device);
    return cudaSuccess;
}
