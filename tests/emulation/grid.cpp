#include "grid.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {

Grid* grid = nullptr;

namespace {

std::uint64_t random_state = 1;
// Threads that are not in use; the longest unused goes first, so that the thread sanitizer sees few with two lives.
std::vector<std::unique_ptr<Thread>> all_threads;
std::vector<Thread*> unused;
std::size_t next_unused = 0;
#if defined(EMULATED_TSAN)
constexpr std::size_t distinct_threads = 2048;  // the sanitizer's limit is 8128 at a time
#else
constexpr std::size_t distinct_threads = 0;
#endif

Thread& take_thread() {
    if (next_unused == unused.size() || all_threads.size() < distinct_threads) {
        all_threads.push_back(std::make_unique<Thread>(all_threads.size()));
        return *all_threads.back();
    }
    Thread& thread = *unused[next_unused++];
    if (next_unused > 4096) {
        unused.erase(unused.begin(), unused.begin() + std::ptrdiff_t(next_unused));
        next_unused = 0;
    }
    return thread;
}

}  // namespace

void seed(std::uint64_t value) { random_state = value * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du; }

std::uint32_t random() {  // xorshift64*
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return std::uint32_t((random_state * 0x2545f4914f6cdd1du) >> 32);
}

void fail(const std::string& text) {
    std::fprintf(stderr, "emulated CUDA: %s\n", text.c_str());
    std::abort();
}

std::string name_of(const Thread& t) {
    return "block " + std::to_string(t.block->index) + ", thread " + std::to_string(t.index);
}

std::string text_of(const Location& at) {
    const std::string file = at.file_name();
    return file.substr(file.rfind('/') + 1) + ":" + std::to_string(at.line());
}

void Grid::run() {
    grid = this;
    host_.adopt();
    std::vector<unsigned> order(shape.blocks);
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    const std::size_t at_once = shape.cooperative ? order.size() : 1 + random() % 4;
    active_.reserve(std::min(at_once, order.size()) * 32);
    release(&begins_);
    for (std::size_t next = 0; next < order.size() || !resident.empty();) {
        while (next < order.size() && resident.size() < at_once) start_block(order[next++]);
        if (!active_.empty()) {
            run_thread(host_, pick());
        } else if (!land_awaited()) {
            report_deadlock();
        }
        for (std::size_t i = resident.size(); i-- > 0;)
            if (resident[i]->alive == 0) retire(i);
    }
    acquire(&ends_);
    for (void* shared : kept_) std::free(shared);
    grid = nullptr;
}

void Grid::start_block(unsigned index) {
    resident.push_back(std::make_unique<Block>());
    Block& block = *resident.back();
    block.index = index;
    block.alive = shape.threads;
    void* shared = nullptr;
    if (posix_memalign(&shared, 128, shape.shared_bytes) != 0) fail("no memory left for shared memory");
    std::memset(shared, 0xff, shape.shared_bytes);
    block.shared = static_cast<unsigned char*>(shared);
    release(&begins_);
    block.warps.resize((shape.threads + 31) / 32);
    for (unsigned i = 0; i < shape.threads; ++i) {
        Thread& thread = take_thread();
        Warp& warp = block.warps[i / 32];
        warp.block = thread.block = &block;
        thread.warp = &warp;
        thread.index = i;
        thread.bit = 1u << i % 32;
        thread.group = 0;
        thread.fenced = false;
        thread.unfenced.clear();
        thread.atomics.clear();
        warp.lanes[i % 32] = &thread;
        warp.present |= thread.bit;
        block.threads.push_back(&thread);
        thread.stack.enter_at(&body_of_thread);
        wake(thread);
    }
}

void Grid::retire(std::size_t at) {
    Block& block = *resident[at];
    if (!has_landed_all(block)) fail("block " + std::to_string(block.index) + " ended before its bulk copies landed");
    unused.insert(unused.end(), block.threads.begin(), block.threads.end());
#if defined(EMULATED_TSAN)  // which would take the freeing for an access
    kept_.push_back(block.shared);
#else
    std::free(block.shared);
#endif
    for (Warp& warp : block.warps)
        if (favourite_ == &warp) favourite_ = nullptr;
    resident.erase(resident.begin() + std::ptrdiff_t(at));
}

void Grid::body_of_thread() {
    Stack::begin();
    acquire(&grid->begins_);
    grid->body_();
    release(&grid->ends_);
    grid->end_thread();
}

void Grid::end_thread() {
    Thread& t = *current;
    Block& block = *t.block;
    Warp& warp = *t.warp;
    t.copies.clear();
    if (block.barrier.arrived > 0)
        fail(name_of(t) + " ended while others wait at __syncthreads at " + text_of(block.barrier.at));
    if (barrier.arrived > 0) fail(name_of(t) + " ended while others wait at grid.sync at " + text_of(barrier.at));
    for (const Thread* other : warp.lanes)
        if (other && (warp.meeting & other->bit) && (other->mask & t.bit))
            fail(name_of(t) + " ended while its warp waits for it at " + text_of(other->at));
    warp.present &= ~t.bit;
    ++ended;
    --block.alive;
    wait("the end", Location());
    __builtin_unreachable();
}

void Grid::wake(Thread& thread) {
    Warp& warp = *thread.warp;
    if (!warp.runnable) {
        warp.place = active_.size();
        active_.push_back(&warp);
    }
    warp.runnable |= thread.bit;
}

void Grid::wake_all(Block& block) {
    for (Warp& warp : block.warps) {
        if (!warp.runnable) {
            warp.place = active_.size();
            active_.push_back(&warp);
        }
        warp.runnable = warp.present;
    }
}

// The lanes of one warp tend to run one after the other, which is kind to the cache.
Thread& Grid::pick() {
    if (!favourite_ || !favourite_->runnable || one_in(16)) favourite_ = active_[random() % active_.size()];
    const int turn = int(random() % 32);
    const int lane = (std::countr_zero(std::rotr(favourite_->runnable, turn)) + turn) % 32;
    return *favourite_->lanes[lane];
}

void Grid::run_thread(Stack& from, Thread& next, bool for_good) {
    current = &next;
    threadIdx.x = next.index;
    blockIdx.x = next.block->index;
    from.switch_to(next.stack, for_good);
}

void Grid::suspend() {
    Thread& self = *current;
    Thread& next = pick();
    if (&next != &self) run_thread(self.stack, next);
}

void Grid::wait(const char* what, const Location& at) {
    Thread& self = *current;
    Warp& warp = *self.warp;
    self.waits = what;
    self.at = at;
    warp.runnable &= ~self.bit;
    if (!warp.runnable) {
        active_.back()->place = warp.place;
        std::swap(active_[warp.place], active_.back());
        active_.pop_back();
    }
    const bool ends = !(warp.present & self.bit);
    if (active_.empty() || (ends && self.block->alive == 0)) {
        self.stack.switch_to(host_, ends);
    } else {
        run_thread(self.stack, pick(), ends);
    }
}

void Grid::report_deadlock() const {
    std::map<std::string, std::pair<std::string, unsigned>> groups;
    for (const auto& block : resident) {
        for (const Thread* t : block->threads) {
            const bool ends = !(t->warp->present & t->bit);
            const std::string what = ends ? "ended" : std::string("waits for ") + t->waits + " at " + text_of(t->at);
            auto& [first, count] = groups["block " + std::to_string(block->index) + " " + what];
            if (count++ == 0) first = name_of(*t) + " " + what;
        }
    }
    std::string text = "no thread can go on:";
    for (const auto& [_, group] : groups)
        text += "\n  " + group.first + " (" + std::to_string(group.second) + " of its block)";
    fail(text);
}

}  // namespace emulated
