// How long work asks now and then whether to stop.
#pragma once

#include <chrono>

namespace steepest {

// Thrown when a poll asked to stop; whatever was under way has changed nothing.
struct Interrupted {};

// Asks `hook` now and then whether to stop. Only the thread that started the work polls.
class Interrupt {
  public:
    using Hook = bool (*)();
    explicit Interrupt(Hook hook) : hook_(hook), next_(Clock::now() + interval) {}

    bool poll() {
        if (!hook_ || Clock::now() < next_) return false;
        next_ = Clock::now() + interval;
        return hook_();
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr auto interval = std::chrono::milliseconds(50);
    Hook hook_;
    Clock::time_point next_;
};

}  // namespace steepest
