// How many threads the kernels use, and the loop that shares tasks among them. Tasks are cut by the data's shape, never
// by the number of threads, so that results do not depend on it.
#pragma once

#include <atomic>
#include <cstddef>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "steepest/interrupt.hpp"

namespace steepest {

constexpr int max_threads = 1024;

// At most max_threads; 0: as many as OpenMP offers. The calling thread may have a setting of its own, which goes
// before.
void set_threads(int n);
int threads_setting();
constexpr int as_all = -1;  // the calling thread goes by the common setting
void set_own_threads(int n);
int own_threads_setting();
// What the next parallel loop uses: 1 in a forked child, where OpenMP's threads no longer exist.
int threads_in_use();
bool built_with_openmp();

// A thread's own share of the tasks; the others take from it when theirs is done.
struct alignas(64) TaskQueue {
    std::atomic<std::size_t> next;
    std::size_t end;
};

// Calls task(t, thread) for t = 0 ... n_tasks - 1 on at most `n_threads` threads; task must not throw. A thread begins
// with the same tasks every time, one after the other: it finds its data in its own cache, and streams through memory.
template <class Task>
void for_each_task(std::size_t n_tasks, int n_threads, Interrupt& interrupt, Task task) {
    [[maybe_unused]] constexpr int max_queues = 16;
    std::atomic<bool> stop{false};
    const auto run = [&](std::size_t t, int thread) {
        task(t, thread);
        if (thread == 0 && interrupt.poll()) stop = true;
    };
#if defined(_OPENMP)
    const int team = std::size_t(n_threads) < n_tasks ? n_threads : int(n_tasks);
    if (team > 1) {
        const int n_queues = team < max_queues ? team : max_queues;
        TaskQueue queues[max_queues];
        for (int q = 0; q < n_queues; ++q) {
            queues[q].next = n_tasks * std::size_t(q) / std::size_t(n_queues);
            queues[q].end = n_tasks * std::size_t(q + 1) / std::size_t(n_queues);
        }
#pragma omp parallel num_threads(team)
        {
            const int thread = omp_get_thread_num();
            for (int turn = 0; turn < n_queues; ++turn) {
                TaskQueue& queue = queues[(thread + turn) % n_queues];
                while (!stop.load(std::memory_order_relaxed)) {
                    const std::size_t t = queue.next.fetch_add(1, std::memory_order_relaxed);
                    if (t >= queue.end) break;
                    run(t, thread);
                }
            }
        }
        if (stop) throw Interrupted{};
        return;
    }
#endif
    (void)n_threads;
    for (std::size_t t = 0; t < n_tasks && !stop; ++t) run(t, 0);
    if (stop) throw Interrupted{};
}

}  // namespace steepest
