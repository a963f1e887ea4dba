// Loops of many sizes from several threads at once, each sum checked; with an argument, how many threads call.
#include "cpp/engine/threads.hpp"

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

using namespace steepest;

std::atomic<bool> wrong{false};

void check(bool holds, const char* what) {
    if (holds) return;
    std::printf("wrong: %s\n", what);
    wrong = true;
}

// Plain memory that one loop's threads write and the next one's read: a race if a loop ends too early.
void run_loops(int caller) {
    for (int round = 0; round < 300; ++round) {
        const std::size_t n = std::size_t(1 + (round * 7 + caller) % 40);
        const int threads = 1 + (round + caller) % 6;
        Interrupt never(nullptr);
        std::vector<int> tasks(n), doubled(n), of(n);
        for_each_task(n, threads, never, [&](std::size_t t, int thread) {
            tasks[t] += int(t) + 1;
            of[t] = thread;
        });
        for_each_task(n, threads, never, [&](std::size_t t, int) { doubled[t] = 2 * tasks[n - 1 - t]; });
        for (std::size_t t = 0; t < n; ++t) {
            check(tasks[t] == int(t) + 1, "a task was not done once");
            check(doubled[t] == 2 * int(n - t), "a loop began before the last one's end");
            check(of[t] >= 0 && of[t] < threads, "the number of a thread is out of range");
        }
        if (round % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the others fall asleep
    }
}

void stop_a_loop() {
    Interrupt at_once([] { return true; });
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // it asks every 50 ms
    std::atomic<int> done{0};
    bool stopped = false;
    try {
        for_each_task(std::size_t(1) << 40, 3, at_once, [&](std::size_t, int) { ++done; });
    } catch (const Interrupted&) {
        stopped = true;
    }
    check(stopped && done > 0, "a loop was not stopped");
}

}  // namespace

int main(int argc, char** argv) {
    const int n_callers = argc > 1 ? std::atoi(argv[1]) : 1;
    std::vector<std::thread> callers;
    for (int caller = 0; caller < n_callers; ++caller) callers.emplace_back(run_loops, caller);
    for (std::thread& caller : callers) caller.join();
    stop_a_loop();
    if (!wrong) std::printf("right\n");
    return wrong;
}
