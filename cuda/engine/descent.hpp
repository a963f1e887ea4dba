// The training loop on the device: the steps of an epoch in as few launches as the time limit and Ctrl-C allow.
#pragma once

#include <memory>
#include <vector>

#include "cpp/engine/interrupt.hpp"
#include "cuda/engine/objective.hpp"
#include "cuda/launch/epoch.hpp"

namespace steepest::cuda {

struct Evaluation {
    double value, gradient_norm;
};

struct RunReport {
    std::size_t n_steps = 0;
    bool epoch_done = false;
    bool diverged = false;  // a loss was not finite: w is where the last finite evaluation was
};

template <class S>
class Descent {
  public:
    using T = ArithmeticOf<S>;
    // w and the states are on the device; `n_steps` were taken before; batch_size 0 is all rows.
    Descent(std::shared_ptr<Objective<S>>, int rule, const Hyperparameters&, T* w, T* const* state,
            std::int64_t n_steps, std::size_t batch_size);

    // The rows of the next epoch in their order (null: in sequence). Waits for a copy of the order.
    void start_epoch(const std::uint32_t* order);
    // The rows of an epoch of a seed, in the order in which the CPU takes them.
    void shuffle_epoch(std::uint64_t seed, std::uint64_t epoch);
    Evaluation evaluate();
    // Up to n steps with these learning rates, until the epoch ends or `seconds` have passed. With `path` (null: none)
    // the parameters after each step are written there, on the host.
    RunReport run(const double* learning_rates, std::size_t n, double seconds, T* path, Interrupt&);
    void restore();
    std::int64_t n_steps() const { return n_steps_; }

  private:
    bool batch_step(double learning_rate);
    std::size_t launch_steps(const double* learning_rates, std::size_t n, T* path);
    const void* make_rules(const double* learning_rates, std::size_t n);
    Batch<S> rows_left() const;

    std::shared_ptr<Objective<S>> objective_;
    Hyperparameters hyperparameters_;
    Step<T> step_;
    std::int64_t n_steps_;
    std::size_t batch_size_, left_in_epoch_ = 0;
    std::size_t slice_ = 64;  // steps of a launch, so that one takes some milliseconds
    bool shuffled_ = false, gradient_ready_ = false, finite_ = true;  // of the last evaluation
    EpochPlan plan_;
    Buffer order_, counts_, gradient_, last_finite_, partial_, rules_, path_, status_;
    std::vector<unsigned char> rules_on_host_;
};

}  // namespace steepest::cuda
