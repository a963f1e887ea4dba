// The training loop on the device: the steps of an epoch in as few launches as the time limit and Ctrl-C allow.
#pragma once

#include <memory>
#include <vector>

#include "cpp/engine/interrupt.hpp"
#include "cuda/engine/whole_steps.hpp"
#include "cuda/launch/epoch.hpp"

namespace steepest::cuda {

struct RunReport {
    std::size_t n_steps = 0;
    bool epoch_done = false;
    bool diverged = false;  // a loss was not finite: w is where the last finite evaluation was
};

constexpr std::size_t max_slice = 16384;  // steps of a launch

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
    // the parameters after each step are written there, on the host. An epoch over all rows is one step; further rates
    // are those of the next calls, as far as they are known.
    RunReport run(const double* learning_rates, std::size_t n, double seconds, T* path, Interrupt&);
    void restore();
    // Learning rates that the next call of `run` can use.
    std::size_t useful_rates() const { return whole_ ? whole_->useful_rates() : max_slice; }
    void set_slice(std::size_t n) { whole_ ? whole_->set_slice(n) : void(slice_ = n); }
    // Undoes steps over all rows that were queued for the next calls. Then w and the states may be read on the device.
    void settle();
    // Copies w to the host.
    void copy_parameters(T* host) const;
    std::int64_t n_steps() const { return whole_ ? whole_->n_steps() : n_steps_; }

  private:
    RunReport whole_step(const double* learning_rates, std::size_t n, T* path, Interrupt&);
    std::size_t launch_steps(const double* learning_rates, std::size_t n, T* path);
    const void* make_rules(const double* learning_rates, std::size_t n);
    Batch<S> rows_left() const;

    std::shared_ptr<Objective<S>> objective_;
    Hyperparameters hyperparameters_;
    Step<T> step_;
    std::int64_t n_steps_;
    std::size_t batch_size_, left_in_epoch_ = 0;
    std::size_t slice_ = 64;  // steps of a launch, so that one takes some milliseconds
    bool shuffled_ = false;
    std::unique_ptr<WholeSteps<S>> whole_;  // where a step takes all rows
    EpochPlan plan_{};
    Buffer order_, counts_, gradient_, last_finite_, partial_, rules_, path_, status_;
    std::vector<unsigned char> rules_on_host_;
};

}  // namespace steepest::cuda
