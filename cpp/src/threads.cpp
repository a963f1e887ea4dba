// The number of threads: a setting of our own under OpenMP's, so that threadpoolctl's limits hold as well.
#include "steepest/threads.hpp"

#include <pthread.h>

#include <algorithm>

namespace steepest {
namespace {

std::atomic<int> setting{0};
thread_local int own_setting = as_all;
std::atomic<bool> forked{false};

#if defined(_OPENMP)
int offered() { return omp_get_max_threads(); }
#else
int offered() { return 1; }
#endif

int offered_at_start() {
    static const int n = offered();
    return n;
}

const int registered = [] {
    offered_at_start();
    return pthread_atfork(nullptr, nullptr, [] { forked = true; });
}();

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

}  // namespace steepest
