// Streams that are not ordered with the legacy one, events, and captures into graphs, whose launches repeat their work.
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "queue.hpp"

// An event is done when its task has run. One that was never recorded is done.
struct CUevent_st {
    std::shared_ptr<bool> done = std::make_shared<bool>(true);
    cudaStream_t stream = nullptr;
};

struct CUgraph_st {
    std::vector<std::function<void()>> work;
};

namespace emulated {
namespace {

struct Capture {
    std::unique_ptr<CUgraph_st> graph = std::make_unique<CUgraph_st>();
    bool valid = true;
};
std::map<cudaStream_t, Capture> captures;
std::set<cudaStream_t> non_blocking;

// Whether work on the stream would have to wait for a captured one, which no stream outside of its capture can.
bool would_join(cudaStream_t stream) {
    for (const auto& [captured, _] : captures)
        if (!stream && is_blocking(captured)) return true;
    return false;
}

cudaError_t end_all(cudaError_t error) {
    for (auto& [_, one] : captures) one.valid = false;
    return error;
}

}  // namespace

bool is_blocking(cudaStream_t stream) { return !non_blocking.count(stream); }

bool capture(cudaStream_t stream, int, const std::function<void()>& run, cudaError_t& error) {
    const auto found = captures.find(stream);
    if (found == captures.end()) {
        if (would_join(stream)) error = end_all(cudaErrorStreamCaptureImplicit);
        return false;
    }
    if (!found->second.valid) error = cudaErrorStreamCaptureInvalidated;
    found->second.graph->work.push_back(run);
    return true;
}

cudaError_t forbid_while_capturing() {
    return captures.empty() ? cudaSuccess : end_all(cudaErrorStreamCaptureUnsupported);
}

cudaError_t forbid_while_capturing(cudaStream_t stream) {
    const bool forbidden = captures.count(stream) || would_join(stream);
    return forbidden ? end_all(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

}  // namespace emulated

using namespace emulated;  // NOLINT

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    EMULATED_WORK;
    static std::uintptr_t next = 0x10000;
    *stream = reinterpret_cast<cudaStream_t>(next += 0x100);
    if (flags & cudaStreamNonBlocking) non_blocking.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    EMULATED_WORK;
    *event = new CUevent_st;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    EMULATED_CALL;
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    EMULATED_WORK;
    event->done = std::make_shared<bool>(false);
    event->stream = stream;
    return enqueue(stream, [done = event->done] { *done = true; });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    EMULATED_WORK;
    return *event->done ? cudaSuccess : report(cudaErrorNotReady);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    EMULATED_WORK;
    if (!*event->done) run_stream(event->stream);
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    EMULATED_WORK;
    *status = cudaStreamCaptureStatusNone;
    const auto found = captures.find(named(stream));
    if (found != captures.end()) {
        *status = found->second.valid ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusInvalidated;
        return cudaSuccess;
    }
    return would_join(named(stream)) ? report(cudaErrorStreamCaptureImplicit) : cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    EMULATED_WORK;
    if (!named(stream) || captures.count(stream)) return report(cudaErrorStreamCaptureUnsupported);
    captures[stream];
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    EMULATED_WORK;
    const auto found = captures.find(stream);
    if (found == captures.end()) return report(cudaErrorInvalidValue);
    const bool valid = found->second.valid;
    *graph = valid ? found->second.graph.release() : nullptr;
    captures.erase(found);
    return valid ? cudaSuccess : report(cudaErrorStreamCaptureInvalidated);
}

cudaError_t cudaGraphLaunch(cudaGraph_t graph, cudaStream_t stream) {
    EMULATED_WORK;
    for (const auto& run : graph->work)
        if (const cudaError_t error = enqueue(stream, run)) return error;
    return cudaSuccess;
}
