// The number of threads, a setting of our own under OpenMP's, so that threadpoolctl's limits hold as well; and the
// threads themselves. They are not OpenMP's, which wait by spinning: where one stands on the processor of the thread
// that it is to work for, or of another library's, both wait for the scheduler's clock, some milliseconds a loop.
#include "cpp/engine/threads.hpp"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace steepest {
namespace {

std::atomic<int> setting{0};
thread_local int own_setting = as_all;
std::atomic<bool> forked{false};

#if defined(_OPENMP)
int offered() { return std::min(omp_get_max_threads(), omp_get_thread_limit()); }
#else
int offered() { return std::clamp<int>(int(std::thread::hardware_concurrency()), 1, max_threads); }
#endif

int offered_at_start() {
    static const int n = offered();
    return n;
}

const int registered = [] {
    offered_at_start();
    return pthread_atfork(nullptr, nullptr, [] { forked = true; });
}();

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds idle_spin{100};  // from one loop to the next in a descent
constexpr std::chrono::microseconds join_spin{50};
constexpr std::size_t stack_bytes = std::size_t(2) << 20;  // musl's own are smaller than a kernel's blocks

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Returns when the value is no longer `old`, first watching it and then asleep.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old, Clock::duration spin) {
    const auto changed = [&] { return value.load(std::memory_order_acquire) != old; };
    for (const Clock::time_point until = Clock::now() + spin; Clock::now() < until;) {
        for (int n = 0; n < 32; ++n) {
            if (changed()) return;
            pause_briefly();
        }
    }
    while (!changed()) value.wait(old, std::memory_order_acquire);
}

void set_and_wake(std::atomic<std::uint32_t>& value, std::uint32_t to) {
    value.store(to, std::memory_order_seq_cst);  // before notify_one looks whether somebody waits
    value.notify_one();
}

// The processors that a thread may run on.
#if defined(__linux__)
class Processors {
  public:
    // Those for the n - 1 threads that are to help the calling one: where it may run, or on OpenMP's places where it is
    // bound to one of these; but not where it is, unless there are more threads than processors. In a virtual machine,
    // whose idle processors look taken, Linux wakes a thread on the processor that wakes it, and leaves it there.
    static Processors beside_this_one(int n) {
        static const Processors places = of_places();
        Processors all = places;
        if (places.count() == 0 && sched_getaffinity(0, sizeof(all.set_), &all.set_) != 0) return {};  // above 1024
        const int here = sched_getcpu();
        if (here >= 0 && here < CPU_SETSIZE && all.count() > 1 && n <= all.count())
            CPU_CLR(std::size_t(here), &all.set_);
        return all;
    }
    bool is_only_this_one() const { return count() == 1 && CPU_ISSET(std::size_t(sched_getcpu()), &set_); }
    bool operator==(const Processors& other) const { return CPU_EQUAL(&set_, &other.set_); }
    void keep(pthread_t thread) const { pthread_setaffinity_np(thread, sizeof(set_), &set_); }

  private:
    int count() const { return CPU_COUNT(&set_); }
    static Processors of_places() {
        Processors all;
#if defined(_OPENMP) && _OPENMP >= 201511
        if (omp_get_proc_bind() == omp_proc_bind_false) return all;
        for (int place = 0; place < omp_get_num_places(); ++place) {
            std::vector<int> ids(std::size_t(omp_get_place_num_procs(place)));
            omp_get_place_proc_ids(place, ids.data());
            for (const int id : ids)
                if (id >= 0 && id < CPU_SETSIZE) CPU_SET(std::size_t(id), &all.set_);
        }
#endif
        return all;
    }

    cpu_set_t set_{};
};
#else
struct Processors {
    static Processors beside_this_one(int) { return {}; }
    bool is_only_this_one() const { return false; }
    bool operator==(const Processors&) const { return true; }
    void keep(pthread_t) const {}
};
#endif

// A thread that waits for work and never ends. On a busy machine it may get a processor long after it was asked, when
// the others have done all the work: whoever asked then takes the question back, and need not wait for it.
struct Worker {
    pthread_t thread{};
    Processors processors;
    void (*work)(void*, int) = nullptr;
    void* context = nullptr;
    int number = 0;
    // How often it was asked, how many of these questions it or whoever asked has claimed, and how many are done with.
    std::atomic<std::uint32_t> asked{0}, claimed{0}, done{0};

    void ask(void (*work_)(void*, int), void* context_, int number_, const Processors& on) {
        if (!(processors == on)) {
            processors = on;
            processors.keep(thread);
        }
        work = work_;
        context = context_;
        number = number_;
        set_and_wake(asked, asked.load(std::memory_order_relaxed) + 1);
    }
    void join() {
        const std::uint32_t all = asked.load(std::memory_order_relaxed);
        if (claim(all - 1)) {
            done.store(all, std::memory_order_relaxed);
        } else if (done.load(std::memory_order_acquire) != all) {
            wait_for_change(done, all - 1, join_spin);
        }
    }
    void serve() {
        for (std::uint32_t served = 0;; ++served) {
            wait_for_change(asked, served, idle_spin);
            if (!claim(served)) continue;  // and leave alone what the question was: the next one may have come
            work(context, number);
            set_and_wake(done, served + 1);
        }
    }
    // Whether the caller is the first to claim the question that follows so many.
    bool claim(std::uint32_t before) {
        return claimed.compare_exchange_strong(before, before + 1, std::memory_order_acq_rel);
    }
};

Worker* new_worker() {
    auto* worker = new (std::nothrow) Worker;
    if (!worker) return nullptr;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const auto serve = [](void* of) -> void* {
        static_cast<Worker*>(of)->serve();
        return nullptr;
    };
    const bool failed = pthread_create(&worker->thread, &attributes, serve, worker) != 0;
    pthread_attr_destroy(&attributes);
    if (failed) delete worker;
    return failed ? nullptr : worker;
}

// The idle workers, of which the last is the first to be taken. Never destroyed: the threads outlive main().
class Pool {
  public:
    static Pool& get() {
        static Pool* const pool = new Pool;
        return *pool;
    }

    // Adds up to n workers to a team, which has room for them.
    void take(std::size_t n, std::vector<Worker*>& team) {
        const std::lock_guard lock(mutex_);
        while (team.size() < n) {
            if (idle_.empty()) {
                idle_.reserve(n_workers_ + 1);  // so that giving back needs no memory
                Worker* const made = new_worker();
                if (!made) return;
                ++n_workers_;
                idle_.push_back(made);
            }
            team.push_back(idle_.back());
            idle_.pop_back();
        }
    }
    void give_back(const std::vector<Worker*>& team) {
        const std::lock_guard lock(mutex_);
        idle_.insert(idle_.end(), team.rbegin(), team.rend());
    }

  private:
    std::mutex mutex_;
    std::vector<Worker*> idle_;
    std::size_t n_workers_ = 0;
};

// The workers of one loop, which end before it does, however it ends.
class Team {
  public:
    explicit Team(std::size_t n) {
        workers_.reserve(n);
        Pool::get().take(n, workers_);
    }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;
    ~Team() {
        for (std::size_t i = 0; i < asked_; ++i) workers_[i]->join();
        Pool::get().give_back(workers_);
    }

    void ask(void (*work)(void*, int), void* context, const Processors& on) {
        for (; asked_ < workers_.size(); ++asked_) workers_[asked_]->ask(work, context, int(asked_) + 1, on);
    }

  private:
    std::vector<Worker*> workers_;
    std::size_t asked_ = 0;
};

}  // namespace

void set_threads(int n) { setting = n; }

int threads_setting() { return setting; }

void set_own_threads(int n) { own_setting = n; }

int own_threads_setting() { return own_setting; }

int threads_in_use() {
    if (forked || registered != 0) return 1;
    const int wanted = own_setting == as_all ? int(setting) : own_setting, now = offered();
    if (wanted == 0) return now;
    return now < offered_at_start() ? std::min(wanted, now) : wanted;
}

bool built_with_openmp() {
#if defined(_OPENMP)
    return true;
#else
    return false;
#endif
}

void run_on_threads(int n, void (*work)(void*, int), void* context) {
    const Processors processors = Processors::beside_this_one(n);
    if (processors.is_only_this_one()) return work(context, 0);
    Team team(std::size_t(n) - 1);
    team.ask(work, context, processors);
    work(context, 0);
}

}  // namespace steepest
