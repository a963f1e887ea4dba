// Fibers: stacks that take turns on one OS thread, known to the sanitizers.
#pragma once

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define EMULATED_ASAN 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMULATED_ASAN 1
#endif
#endif

// The emulator itself is never instrumented for threads, so the build defines EMULATED_TSAN where kernels are.
#if defined(EMULATED_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" void __tsan_read_range(void*, unsigned long);
extern "C" void __tsan_write_range(void*, unsigned long);
#endif

namespace emulated {

// A stack and where it stands. A default one stands for the OS thread's own.
class Stack {
  public:
    Stack() = default;
    explicit Stack(std::size_t index);  // a stack of its own; its index keeps stacks off the same cache sets
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

    void enter_at(void (*entry)());  // where the next switch to it begins
    static void begin();             // the first call of what a stack was entered at
    void switch_to(Stack& next, bool for_good = false);
    void adopt();  // makes a default one the running stack

  private:
    void* pointer_ = nullptr;
    unsigned char* memory_ = nullptr;
    const void* bottom_ = nullptr;
    std::size_t size_ = 0, top_ = 0;
    void* fake_ = nullptr;   // address sanitizer
    void* fiber_ = nullptr;  // thread sanitizer
#if !defined(__x86_64__)
    ucontext_t context_;
#endif
};

// Order for the thread sanitizer: what came before a release of an object comes before what follows its acquisition.
inline void release([[maybe_unused]] const void* object) {
#if defined(EMULATED_TSAN)
    __tsan_release(const_cast<void*>(object));
#endif
}
inline void acquire([[maybe_unused]] const void* object) {
#if defined(EMULATED_TSAN)
    __tsan_acquire(const_cast<void*>(object));
#endif
}
// Accesses that the emulator makes in the name of the running thread.
inline void note_read([[maybe_unused]] const void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(EMULATED_TSAN)
    __tsan_read_range(const_cast<void*>(data), bytes);
#endif
}
inline void note_write([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(EMULATED_TSAN)
    __tsan_write_range(data, bytes);
#endif
}

}  // namespace emulated
