// A running launch: its blocks, warps and threads, and who of them can go on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emulated_device.h"
#include "fiber.hpp"
#include "settings.hpp"

namespace emulated {

struct Block;
struct Warp;

struct Copy {  // asynchronous, not landed yet
    void* target;
    const void* source;
    std::size_t bytes, group;  // group: of copy_async_commit
    std::uint64_t* barrier;    // of a bulk copy
};

struct Thread {
    explicit Thread(std::size_t index) : stack(index) {}

    Stack stack;
    Block* block = nullptr;
    Warp* warp = nullptr;
    unsigned index = 0, bit = 0;  // in the block; in the warp's masks
    const char* waits = nullptr;  // for what, in messages
    Location at;
    // What it brings to a meeting of lanes, and takes from it.
    WarpCall call{};
    unsigned mask = 0, source = 0;
    std::uint64_t bits = 0, result = 0;
    // Its copies, and the barrier it waits at.
    std::vector<Copy> copies, bulk_copies;
    std::size_t group = 0;
    std::vector<std::uint64_t*> arrivals;  // at barriers, after its copies so far
    struct Barrier* named = nullptr;       // where it waits for some threads of its block
    std::uint64_t* barrier = nullptr;
    std::vector<std::uint64_t*> unfenced;  // barriers that it initialised, until its next fence_proxy_async
    unsigned parity = 0;
    // Atomics since the last fence, and whether that fence orders the next one (synchronize.cpp).
    bool fenced = false;
    std::vector<const void*> atomics;
};

struct Warp {
    Block* block = nullptr;
    Thread* lanes[32] = {};
    unsigned present = 0, runnable = 0, meeting = 0;  // bits of lanes
    unsigned meetings[32] = {};                       // by the lowest lane, to tell one meeting from the next
    std::size_t place = 0;                            // in Grid::active
    std::uint64_t order[32][2] = {};                  // objects for release and acquire
};

struct Barrier {  // of a block's or a grid's threads
    unsigned arrived = 0, phase = 0;
    int any[2] = {};
    Location at;
    std::uint64_t order[2] = {};
};

struct Block {
    unsigned index = 0, alive = 0;
    std::vector<Thread*> threads;
    std::vector<Warp> warps;
    unsigned char* shared = nullptr;
    Barrier barrier, named[16];
    unsigned at_copies = 0;  // threads that wait at a barrier of bulk copies
};

class Grid {
  public:
    struct Shape {
        unsigned blocks, threads;
        std::size_t shared_bytes;
        bool cooperative;
    };

    Grid(const Shape& shape, const std::function<void()>& body) : shape(shape), body_(body) {}
    void run();

    // The running thread gives way, for now or until it is woken.
    void suspend();
    void wait(const char* what, const Location& at);
    void wake(Thread& thread);
    void wake_all(Block& block);

    const Shape shape;
    Barrier barrier;
    unsigned ended = 0;  // threads
    Thread* current = nullptr;
    std::vector<std::unique_ptr<Block>> resident;

  private:
    static void body_of_thread();
    void start_block(unsigned index);
    void retire(std::size_t at);
    void end_thread();
    Thread& pick();
    void run_thread(Stack& from, Thread& next, bool for_good = false);
    [[noreturn]] void report_deadlock() const;

    const std::function<void()>& body_;
    std::vector<Warp*> active_;  // warps with runnable lanes
    Warp* favourite_ = nullptr;
    Stack host_;
    std::vector<void*> kept_;  // shared memory of blocks that ended
    std::uint64_t begins_ = 0, ends_ = 0;  // objects for release and acquire
};

extern Grid* grid;  // the running one

// Random numbers of the schedule.
void seed(std::uint64_t value);
std::uint32_t random();
inline bool one_in(std::uint32_t n) { return random() % n == 0; }

// Prints "emulated CUDA: " and the text and aborts.
[[noreturn]] void fail(const std::string& text);
std::string name_of(const Thread& thread);  // "block 1, thread 33"
std::string text_of(const Location& at);    // "file:line"

bool land_awaited();  // lands the copies that threads wait for at barriers; returns whether there were any
bool has_landed_all(const Block& block);

}  // namespace emulated
