#include "fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if defined(EMULATED_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
extern "C" void emulated_switch(void** save, void* next);
asm(".text\n"
    ".globl emulated_switch\n"
    ".hidden emulated_switch\n"
    ".type emulated_switch, @function\n"
    "emulated_switch:\n"
    "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
    "movq %rsp, (%rdi)\n"
    "movq %rsi, %rsp\n"
    "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
    "ret\n"
    ".size emulated_switch, .-emulated_switch\n");
#endif

namespace emulated {
namespace {

#if defined(EMULATED_ASAN)
constexpr std::size_t stack_bytes = 256 * 1024;
#else
constexpr std::size_t stack_bytes = 64 * 1024;
#endif
constexpr std::size_t guard_bytes = 4096;

Stack* left = nullptr;  // the stack that ran before

}  // namespace

Stack::Stack(std::size_t index) {
    void* memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, guard_bytes, PROT_NONE) != 0) {
        std::fprintf(stderr, "emulated CUDA: no memory for another thread's stack\n");
        std::abort();
    }
    memory_ = static_cast<unsigned char*>(memory);
    bottom_ = memory_ + guard_bytes;
    size_ = stack_bytes - guard_bytes;
    top_ = stack_bytes - 64 - index % 31 * 128;
#if defined(EMULATED_TSAN)
    fiber_ = __tsan_create_fiber(0);
#endif
}

void Stack::enter_at(void (*entry)()) {
#if defined(__x86_64__)
    auto* top = reinterpret_cast<void**>(memory_ + top_);
    *--top = nullptr;  // as if called from nowhere
    *--top = reinterpret_cast<void*>(entry);
    for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
    pointer_ = top;
#else
    getcontext(&context_);
    context_.uc_stack.ss_sp = const_cast<void*>(bottom_);
    context_.uc_stack.ss_size = size_;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
#endif
}

void Stack::begin() {
#if defined(EMULATED_ASAN)
    __sanitizer_finish_switch_fiber(nullptr, &left->bottom_, &left->size_);
#endif
}

void Stack::adopt() {
#if defined(EMULATED_TSAN)
    fiber_ = __tsan_get_current_fiber();
#endif
}

void Stack::switch_to(Stack& next, [[maybe_unused]] bool for_good) {
    left = this;
#if defined(EMULATED_ASAN)
    __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_, next.bottom_, next.size_);
#endif
#if defined(EMULATED_TSAN)
    __tsan_switch_to_fiber(next.fiber_, 1);
#endif
#if defined(__x86_64__)
    emulated_switch(&pointer_, next.pointer_);
#else
    swapcontext(&context_, &next.context_);
#endif
#if defined(EMULATED_ASAN)
    __sanitizer_finish_switch_fiber(fake_, nullptr, nullptr);
#endif
}

}  // namespace emulated
