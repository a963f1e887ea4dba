// How many threads the kernels use, and the loop that shares tasks among them. Tasks are cut by the data's shape, never
// by the number of threads, so that results do not depend on it.
#pragma once

#include <atomic>
#include <cstddef>

#include "cpp/engine/interrupt.hpp"

namespace steepest {

constexpr int max_threads = 1024;

// At most max_threads; 0: as many as OpenMP offers, and as there are cores where there is no OpenMP. The calling thread
// may have a setting of its own, which goes before.
void set_threads(int n);
int threads_setting();
constexpr int as_all = -1;  // the calling thread goes by the common setting
void set_own_threads(int n);
int own_threads_setting();
// What the next parallel loop uses: 1 in a forked child, where the threads no longer exist.
int threads_in_use();
bool built_with_openmp();

// Calls work(context, thread) for thread = 0 on this thread and for 1 ... n - 1 on others, and returns when all calls
// have; work must not throw. The others are fewer where the system has no more, or where the call on this thread has
// returned before theirs began. They are those of the last call where they are idle, so that a number stands for the
// same thread; callers on several threads have others each.
void run_on_threads(int n, void (*work)(void*, int), void* context);

// A thread's own share of the tasks; the others take from it when theirs is done.
struct alignas(64) TaskQueue {
    std::atomic<std::size_t> next;
    std::size_t end;
};

// Calls task(t, thread) for t = 0 ... n_tasks - 1 on at most `n_threads` threads; task must not throw. A thread begins
// with the same tasks every time, one after the other: it finds its data in its own cache, and streams through memory.
template <class Task>
void for_each_task(std::size_t n_tasks, int n_threads, Interrupt& interrupt, Task task) {
    constexpr int max_queues = 16;
    std::atomic<bool> stop{false};
    const auto run = [&](std::size_t t, int thread) {
        task(t, thread);
        if (thread == 0 && interrupt.poll()) stop = true;
    };
    const int team = std::size_t(n_threads) < n_tasks ? n_threads : int(n_tasks);
    if (team <= 1) {
        for (std::size_t t = 0; t < n_tasks && !stop; ++t) run(t, 0);
    } else {
        const int n_queues = team < max_queues ? team : max_queues;
        TaskQueue queues[max_queues];
        for (int q = 0; q < n_queues; ++q) {
            queues[q].next = n_tasks * std::size_t(q) / std::size_t(n_queues);
            queues[q].end = n_tasks * std::size_t(q + 1) / std::size_t(n_queues);
        }
        auto work = [&](int thread) {
            for (int turn = 0; turn < n_queues; ++turn) {
                TaskQueue& queue = queues[(thread + turn) % n_queues];
                while (!stop.load(std::memory_order_relaxed)) {
                    const std::size_t t = queue.next.fetch_add(1, std::memory_order_relaxed);
                    if (t >= queue.end) break;
                    run(t, thread);
                }
            }
        };
        using Work = decltype(work);
        run_on_threads(team, [](void* context, int thread) { (*static_cast<Work*>(context))(thread); }, &work);
    }
    if (stop) throw Interrupted{};
}

}  // namespace steepest
