// Asynchronous copies, which land as late as they may: 16 bytes at a time when their thread waits for them, bulk copies
// when no thread can go on without. Until then their target holds no numbers. A landing is no access for the thread
// sanitizer: the thread that asked for the copy has written its target, and a barrier orders as its waiters see it.
#include <algorithm>
#include <cstring>
#include <ptx.cuh>

#include "grid.hpp"

namespace emulated {
namespace {

// A barrier of bulk copies as its 64 bits: the mark tells an initialised one from memory that nobody wrote, and one
// that the copy engine knows, by a fence between it and the threads' writes, from one that it does not.
struct BarrierWord {
    std::uint64_t mark : 2, phase : 1, arrivals : 20, pending : 20;
    std::int64_t bytes : 21;
};
static_assert(sizeof(BarrierWord) == sizeof(std::uint64_t));
constexpr unsigned unfenced = 1, fenced = 2;
constexpr unsigned most_bytes = (1u << 20) - 1;

[[noreturn]] void fail_at(const char* call, const Location& at, const char* what) {
    fail(name_of(*grid->current) + ": " + call + " at " + text_of(at) + ": " + what);
}

void check_multiples(const void* target, const void* source, std::size_t bytes, const char* call, const Location& at) {
    if ((reinterpret_cast<std::uintptr_t>(target) | reinterpret_cast<std::uintptr_t>(source)) % 16)
        fail_at(call, at, "an address is not a multiple of 16");
    if (bytes % 16) fail_at(call, at, "the number of bytes is not a multiple of 16");
}

void check_barrier(const std::uint64_t* barrier, const char* call, const Location& at) {
    if (compute_capability() < 80) fail_at(call, at, "the device has no such barriers");
    if (reinterpret_cast<std::uintptr_t>(barrier) % 8) fail_at(call, at, "the barrier is not at a multiple of 8");
}

BarrierWord load(const std::uint64_t* barrier, const char* call, const Location& at) {
    check_barrier(barrier, call, at);
    BarrierWord word;
    std::memcpy(&word, barrier, sizeof(word));
    if (word.mark != unfenced && word.mark != fenced) fail_at(call, at, "the barrier was not initialised");
    return word;
}

void check_bulk(const char* call, const Location& at) {
    if (!has_bulk_copies()) fail_at(call, at, "the device has no bulk copies");
}

// Stores it, ended if nothing is missing any more; then its waiters go on.
void store(std::uint64_t* barrier, BarrierWord word, Block& block) {
    const bool ends = word.pending == 0 && word.bytes == 0;
    if (ends) {
        word.phase ^= 1u;
        word.pending = word.arrivals;
    }
    std::memcpy(barrier, &word, sizeof(word));
    if (!ends) return;
    for (Thread* t : block.threads) {
        if (t->barrier != barrier || t->parity == word.phase) continue;
        t->barrier = nullptr;
        --block.at_copies;
        grid->wake(*t);
    }
}

// Not memcpy, which the thread sanitizer would see.
void move(const Copy& copy) {
    auto* target = static_cast<volatile std::uint64_t*>(copy.target);
    const auto* source = static_cast<const std::uint64_t*>(copy.source);
    for (std::size_t i = 0; i < copy.bytes / sizeof(*source); ++i) target[i] = source[i];
}

void begin(const Copy& copy) {
    note_read(copy.source, copy.bytes);
    note_write(copy.target, copy.bytes);
    auto* target = static_cast<volatile std::uint64_t*>(copy.target);
    for (std::size_t i = 0; i < copy.bytes / sizeof(*target); ++i) target[i] = ~std::uint64_t(0);
}

void land(const Copy& copy, Block& block) {
    move(copy);
    BarrierWord word = load(copy.barrier, "the end of bulk_copy", Location::current());
    word.bytes -= std::int64_t(copy.bytes);
    store(copy.barrier, word, block);
}

void arrive_at(std::uint64_t* barrier, Block& block, const char* call, const Location& at) {
    BarrierWord word = load(barrier, call, at);
    if (word.pending == 0) fail_at(call, at, "all have arrived already");
    word.pending -= 1;
    store(barrier, word, block);
}

bool awaited(const Block& block, const std::uint64_t* barrier) {
    return std::any_of(block.threads.begin(), block.threads.end(),
                       [barrier](const Thread* t) { return t->barrier == barrier; });
}

}  // namespace

unsigned char* shared_memory() { return grid->current->block->shared; }

void copy_async_16(void* shared, const void* global, const Location& at) {
    Thread& self = *grid->current;
    const Copy copy{shared, global, 16, self.group, nullptr};
    check_multiples(shared, global, copy.bytes, "copy_async_16", at);
    begin(copy);
    self.copies.push_back(copy);
    if (compute_capability() >= 80) return;
    move(copy);
    self.copies.pop_back();
}

void copy_async_commit() {
    ++grid->current->group;
    preempt();
}

void copy_async_wait_prior(std::size_t n_groups) {
    preempt();
    Thread& self = *grid->current;
    const auto waits = [&](const Copy& c) { return c.group + n_groups < self.group; };
    const auto first = std::partition(self.copies.begin(), self.copies.end(), waits);
    for (auto copy = self.copies.begin(); copy != first; ++copy) {
        move(*copy);
        if (!copy->barrier) note_write(copy->target, copy->bytes);  // else the barrier orders what it wrote at first
    }
    self.copies.erase(self.copies.begin(), first);
}

void barrier_init(std::uint64_t* barrier, unsigned arrivals, const Location& at) {
    check_barrier(barrier, "barrier_init", at);
    const BarrierWord word{unfenced, 0, arrivals, arrivals, 0};
    note_write(barrier, sizeof(word));
    std::memcpy(barrier, &word, sizeof(word));
    grid->current->unfenced.push_back(barrier);
}

void fence_proxy_async() {
    for (std::uint64_t* barrier : grid->current->unfenced) {
        BarrierWord word = load(barrier, "fence_proxy_async", Location::current());
        word.mark = fenced;
        std::memcpy(barrier, &word, sizeof(word));
    }
    grid->current->unfenced.clear();
}

void barrier_expect(std::uint64_t* barrier, unsigned bytes, const Location& at) {
    check_bulk("barrier_expect", at);
    preempt();
    note_read(barrier, sizeof(*barrier));
    BarrierWord word = load(barrier, "barrier_expect", at);
    if (word.pending == 0) fail_at("barrier_expect", at, "all have arrived already");
    if (std::int64_t(word.bytes) + std::int64_t(bytes) > std::int64_t(most_bytes))
        fail_at("barrier_expect", at, "a barrier counts at most 1048575 bytes");
    release(barrier);
    word.bytes += std::int64_t(bytes);
    word.pending -= 1;
    store(barrier, word, *grid->current->block);
}

void bulk_copy(void* shared, const void* global, unsigned bytes, std::uint64_t* barrier, const Location& at) {
    check_bulk("bulk_copy", at);
    check_multiples(shared, global, bytes, "bulk_copy", at);
    if (load(barrier, "bulk_copy", at).mark != fenced)
        fail_at("bulk_copy", at, "no fence_proxy_async came after the barrier was initialised");
    const Copy copy{shared, global, bytes, 0, barrier};
    begin(copy);
    release(barrier);
    grid->current->bulk_copies.push_back(copy);
    preempt();
}

void barrier_wait(std::uint64_t* barrier, unsigned parity, const Location& at) {
    preempt();
    Thread& self = *grid->current;
    note_read(barrier, sizeof(*barrier));
    if (load(barrier, "barrier_wait", at).phase == parity) {
        self.barrier = barrier;
        self.parity = parity;
        ++self.block->at_copies;
        grid->wait("barrier_wait", at);
    }
    acquire(barrier);
}

namespace {

// Lands the thread's copies that come before its arrivals at barriers that are awaited, and arrives there.
bool land_arrivals(Thread& thread, Block& block) {
    bool any = false;
    for (std::size_t i = 0; i < thread.arrivals.size();) {
        std::uint64_t* barrier = thread.arrivals[i];
        if (!awaited(block, barrier)) {
            ++i;
            continue;
        }
        auto& copies = thread.copies;
        const auto later = [barrier](const Copy& c) { return c.barrier != barrier; };
        const auto first = std::partition(copies.begin(), copies.end(), later);
        std::for_each(first, copies.end(), move);
        copies.erase(first, copies.end());
        thread.arrivals[i] = thread.arrivals.back();  // not erase, whose memmove the thread sanitizer would see
        thread.arrivals.pop_back();
        arrive_at(barrier, block, "the end of barrier_arrive_after_copies", Location::current());
        any = true;
    }
    return any;
}

}  // namespace

void barrier_arrive(std::uint64_t* barrier, const Location& at) {
    preempt();
    note_read(barrier, sizeof(*barrier));
    release(barrier);
    arrive_at(barrier, *grid->current->block, "barrier_arrive", at);
    preempt();
}

void barrier_arrive_after_copies(std::uint64_t* barrier, const Location& at) {
    preempt();
    note_read(barrier, sizeof(*barrier));
    load(barrier, "barrier_arrive_after_copies", at);
    release(barrier);
    Thread& self = *grid->current;
    for (Copy& copy : self.copies)
        if (!copy.barrier) copy.barrier = barrier;
    self.arrivals.push_back(barrier);
    preempt();
}

bool has_bulk_copies() { return compute_capability() >= 90; }

bool land_awaited() {
    bool any = false;
    for (auto& block : grid->resident) {
        if (block->at_copies == 0) continue;
        for (Thread* t : block->threads) {
            any = land_arrivals(*t, *block) || any;
            auto& copies = t->bulk_copies;
            const auto late = [&](const Copy& c) { return !awaited(*block, c.barrier); };
            const auto first = std::partition(copies.begin(), copies.end(), late);
            for (auto copy = first; copy != copies.end(); ++copy) land(*copy, *block);
            any = any || first != copies.end();
            copies.erase(first, copies.end());
        }
    }
    return any;
}

bool has_landed_all(const Block& block) {
    return std::all_of(block.threads.begin(), block.threads.end(),
                       [](const Thread* t) { return t->bulk_copies.empty() && t->arrivals.empty(); });
}

}  // namespace emulated
