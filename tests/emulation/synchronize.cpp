// Barriers, meetings of lanes, fences and atomics. For the thread sanitizer only these order memory: __syncthreads the
// block, __syncwarp its lanes, grid.sync the grid; an atomic publishes what came before the thread's last __threadfence
// (one atomic a fence), and a __threadfence takes what the thread's atomics before it have met. Shuffles and ballots
// order nothing, as CUDA says.
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

void check_meeting(const Thread& self, const Location& at) {
    const Warp& warp = *self.warp;
    const std::string call = name_of(self.call), place = " at " + text_of(at);
    if (!(self.mask & self.bit)) fail(name_of(self) + ": the mask of " + call + place + " lacks the caller's lane");
    if (self.mask & ~warp.present)
        fail(name_of(self) + ": the mask of " + call + place + " names lanes that ended or never were");
    for (const Thread* other : warp.lanes) {
        if (!other || !(warp.meeting & self.mask & other->bit)) continue;
        if (other->mask == self.mask && other->call == self.call && same(other->at, at)) continue;
        fail(name_of(self) + " meets " + name_of(*other) + ", which waits for " + name_of(other->call) + " at " +
             text_of(other->at) + ", in " + call + place);
    }
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
        fail(name_of(*grid->current) + " waits for __syncthreads at " + text_of(at) + ", but threads of its block ended");
    return arrive(block.barrier, unsigned(block.threads.size()), value, "__syncthreads", at,
                  [&block] { grid->wake_all(block); });
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
    if (!(mask & self.bit) || (mask & ~warp.present) || (warp.meeting & mask)) check_meeting(self, at);
    const auto lowest = unsigned(__builtin_ctz(mask));
    const void* order = &warp.order[lowest][warp.meetings[lowest] % 2];
    if (call == WarpCall::sync) release(order);
    warp.meeting |= self.bit;
    if ((warp.meeting & mask) == mask) {
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
