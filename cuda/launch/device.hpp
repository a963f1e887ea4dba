// The CUDA runtime behind plain C++: errors as exceptions, memory with an owner, what a device can do. No CUDA header.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "cuda/launch/context.hpp"

namespace steepest::cuda {

using Stream = void*;  // a cudaStream_t

class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class OutOfMemory : public Error {
  public:
    using Error::Error;
};

// Throws for a code other than cudaSuccess; the runtime does not keep the error.
void check(int code, const char* doing);

struct Device {
    std::string name;
    int major, minor, multiprocessors;
    std::size_t memory, shared_bytes;  // that a block may have at most
    bool cooperative;                  // whether a grid can be resident at once, as a grid-wide sync needs it
};

int count_devices();
std::string why_no_device();  // empty where there is one
const Device& device(int number);
int current_device();
int runtime_version();
int driver_version();

// Makes a device current for as long as it lives. Afterwards the thread has the context that it had, or none: to make
// the device before current again would make a context there.
class OnDevice {
  public:
    explicit OnDevice(int number);
    ~OnDevice();
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

  private:
    Context before_;
};

// New memory of the current device. Where it is full, what the pool has not given away is freed first.
void* allocate(std::size_t bytes);
void free_memory(void*, int device) noexcept;  // waits for the device

// Memory of the current device, which must be the same at each `reserve`.
class Buffer {
  public:
    Buffer() = default;
    ~Buffer() { release(); }
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }
    // Makes room for this many bytes; what it held is lost where it grows.
    void reserve(std::size_t bytes);
    void release() noexcept;
    template <class T>
    T* as() const {
        return static_cast<T*>(data_);
    }
    std::size_t bytes() const { return bytes_; }

  private:
    void swap(Buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        std::swap(device_, other.device_);
    }
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
    int device_ = 0;
};

void copy_to_host(void* host, const void* source, std::size_t bytes, Stream);  // waits until it is done
// The host's memory must stay as it is until the stream has been waited for: the copy may read it late.
void copy_to_device(void* target, const void* host, std::size_t bytes, Stream);
void copy(void* target, const void* source, std::size_t bytes, Stream);
void fill_zero(void* target, std::size_t bytes, Stream);
void wait(Stream);
void wait_for_device();  // the current one, all of its streams
// Throws where work on the stream would become part of a CUDA graph, whose replays repeat the numbers of this call.
void refuse_capture(const std::string& doing, Stream);

// A point in the work of a stream of the current device.
class Event {
  public:
    explicit Event(Stream);
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    bool done() const;  // whether all work before it is done
    void wait() const noexcept;

  private:
    void* event_ = nullptr;  // a cudaEvent_t
};

// Memory of the host that a stream reads, until `done` after a wait: leaving the scope before, by an exception, waits.
class HostReads {
  public:
    explicit HostReads(Stream stream) : stream_(stream) {}
    ~HostReads();
    HostReads(const HostReads&) = delete;
    HostReads& operator=(const HostReads&) = delete;
    void done() { pending_ = false; }

  private:
    Stream stream_;
    bool pending_ = true;
};

}  // namespace steepest::cuda
