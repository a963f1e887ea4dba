// Barriers, meetings of lanes, fences and atomics. For the thread sanitizer only these order memory: __syncthreads the
// block, __syncwarp its lanes, grid.sync the grid; an atomic publishes what came before the thread's last __threadfence
// (one atomic a fence), and a __threadfence takes what the thread's atomics before it have met. Shuffles and ballots
// order nothing, as CUDA says.
#include <algorithm>
#include <bit>
#include <cstring>

#include "grid.hpp"

namespace emulated {
namespace {

bool same(const Location& a, const Location& b) {
    return a.line() == b.line() && (a.file_name() == b.file_name() || !std::strcmp(a.file_name(), b.file_name()));
}

// A thread arrives; the last of n lets all go. Returns whether one had a value.
template <class Open>
int arrive(Barrier& b, unsigned n, int value, const char* what, const Location& at, Open open) {
    const unsigned phase = b.phase;
    if (b.arrived == 0) {
        b.at = at;
        b.any[phase] = 0;
    } else if (!same(b.at, at)) {
        fail(name_of(*grid->current) + " waits for " + what + " at " + text_of(at) + ", others at " + text_of(b.at));
    }
    b.any[phase] |= value != 0;
    release(&b.order[phase]);
    if (++b.arrived == n) {
        b.arrived = 0;
        b.phase ^= 1;
        open();
        grid->suspend();
    } else {
        grid->wait(what, at);
    }
    acquire(&b.order[phase]);
    return b.any[phase];
}

const char* name_of(WarpCall call) {
    return call == WarpCall::sync ? "__syncwarp" : call == WarpCall::ballot ? "a ballot" : "a shuffle";
}

bool same_meeting(const Thread& a, const Thread& b, const Location& at_a) {
    return a.mask == b.mask && a.call == b.call && same(at_a, b.at);
}

[[noreturn]] void fail_meeting(const Thread& self, const Location& at, const std::string& what) {
    fail(name_of(self) + ": " + name_of(self.call) + " at " + text_of(at) + ": " + what);
}

void check_meeting(const Thread& self, const Location& at) {
    const Warp& warp = *self.warp;
    if (!(self.mask & self.bit)) fail_meeting(self, at, "the mask lacks the caller's lane");
    if (self.mask & ~warp.present) fail_meeting(self, at, "the mask names lanes that ended or never were");
    const unsigned waiting = warp.meeting & self.mask;
    if (!waiting || same_meeting(self, *warp.lanes[std::countr_zero(waiting)], at)) return;
    for (const Thread* other : warp.lanes) {
        const bool expected = other && (waiting & other->bit) && (other->mask & self.bit);
        if (expected && !same_meeting(self, *other, at))
            fail_meeting(self, at,
                         name_of(*other) + " expects it in " + name_of(other->call) + " at " + text_of(other->at));
    }
}

// Whether all lanes of the mask wait for this meeting; some may still be in another one, without the caller.
bool complete(const Warp& warp, unsigned mask) {
    if ((warp.meeting & mask) != mask) return false;
    return std::all_of(std::begin(warp.lanes), std::end(warp.lanes),
                       [mask](const Thread* t) { return !t || !(mask & t->bit) || t->mask == mask; });
}

void exchange(Warp& warp, unsigned mask) {
    std::uint64_t ballot = 0;
    for (const Thread* t : warp.lanes)
        if (t && (mask & t->bit) && t->bits) ballot |= t->bit;
    for (Thread* t : warp.lanes) {
        if (!t || !(mask & t->bit)) continue;
        const bool known = mask >> t->source & 1u;
        t->result = t->call == WarpCall::ballot ? ballot : known ? warp.lanes[t->source]->bits : ~std::uint64_t(0);
    }
}

}  // namespace

void preempt() {
    if (one_in(8)) grid->suspend();
}

void check_aligned(const void* address, std::size_t alignment, const char* call, const Location& at) {
    if (reinterpret_cast<std::uintptr_t>(address) % alignment)
        fail(name_of(*grid->current) + ": the address of " + call + " at " + text_of(at) + " is not a multiple of " +
             std::to_string(alignment));
}

int sync_block(int value, const Location& at) {
    Block& block = *grid->current->block;
    if (block.alive < block.threads.size())
        fail(name_of(*grid->current) + " waits for __syncthreads at " + text_of(at) +
             ", but threads of its block ended");
    return arrive(block.barrier, unsigned(block.threads.size()), value, "__syncthreads", at,
                  [&block] { grid->wake_all(block); });
}

void sync_threads(unsigned number, unsigned n, const Location& at) {
    Thread& self = *grid->current;
    Block& block = *self.block;
    if (number == 0 || number > 15) fail("sync_threads at " + text_of(at) + ": the barrier must be from 1 to 15");
    if (n % 32 || n > block.threads.size() || self.index >= n)
        fail(name_of(self) + ": sync_threads at " + text_of(at) + " of the first " + std::to_string(n) + " threads");
    Barrier& barrier = block.named[number];
    self.named = &barrier;
    arrive(barrier, n, 0, "sync_threads", at, [&] {
        for (Thread* t : block.threads) {
            if (t->named != &barrier) continue;
            t->named = nullptr;
            if (t != &self) grid->wake(*t);
        }
    });
}

void sync_grid(const Location& at) {
    if (!grid->shape.cooperative) fail("grid.sync at " + text_of(at) + " in a launch that is not cooperative");
    if (grid->ended) fail(name_of(*grid->current) + " waits for grid.sync at " + text_of(at) + ", but threads ended");
    arrive(grid->barrier, grid->shape.blocks * grid->shape.threads, 0, "grid.sync", at, [] {
        for (auto& block : grid->resident) grid->wake_all(*block);
    });
}

std::uint64_t meet_lanes(WarpCall call, unsigned mask, std::uint64_t bits, unsigned source, const Location& at) {
    Thread& self = *grid->current;
    Warp& warp = *self.warp;
    self.call = call;
    self.mask = mask;
    self.bits = bits;
    self.source = source;
    check_meeting(self, at);
    const auto lowest = unsigned(std::countr_zero(mask));
    const void* order = &warp.order[lowest][warp.meetings[lowest] % 2];
    if (call == WarpCall::sync) release(order);
    warp.meeting |= self.bit;
    if (complete(warp, mask)) {
        ++warp.meetings[lowest];
        warp.meeting &= ~mask;
        exchange(warp, mask);
        for (Thread* t : warp.lanes)
            if (t && (mask & t->bit)) grid->wake(*t);
        preempt();
    } else {
        grid->wait(name_of(call), at);
    }
    if (call == WarpCall::sync) acquire(order);
    return self.result;
}

void fence() {
    Thread& self = *grid->current;
    for (const void* address : self.atomics) acquire(address);
    self.atomics.clear();
    self.fenced = true;
    preempt();
}

void before_atomic(const void* address) {
    preempt();
    Thread& self = *grid->current;
    if (self.fenced) release(address);
    self.fenced = false;
}

void after_atomic([[maybe_unused]] const void* address) {
#if defined(EMULATED_TSAN)
    grid->current->atomics.push_back(address);
#endif
    preempt();
}

}  // namespace emulated
