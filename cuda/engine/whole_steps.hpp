// Steps over all rows. Those that are known to come are queued on the device many at a time; they are taken, as far as
// the caller sees, when it asks for them.
#pragma once

#include <memory>
#include <vector>

#include "cuda/engine/objective.hpp"
#include "cuda/launch/update.hpp"

namespace steepest::cuda {

struct Evaluation {
    double value, gradient_norm;
};

template <class S>
class WholeSteps {
  public:
    using T = ArithmeticOf<S>;
    // w and the states are on the device; `n_steps` were taken before.
    WholeSteps(std::shared_ptr<Objective<S>>, int rule, const Hyperparameters&, T* w, T* const* state,
               std::int64_t n_steps);

    // The objective at w, and the norm of its gradient there.
    Evaluation evaluate();
    // Takes a step with the first of n learning rates; the others are those of the steps after it, as far as they are
    // known. Returns false, and takes none, where the objective at w is not finite.
    bool step(const double* learning_rates, std::size_t n);
    // Learning rates that the next `step` can use: those of the steps that it queues at once. It follows the time that
    // they take; `set_slice` says it for the next step.
    std::size_t useful_rates() const;
    void set_slice(std::size_t n) { slice_ = n; }
    // Undoes steps that were queued and not asked for: until then w and the states on the device are those after them.
    void settle();
    // Puts w back to the last point at which the objective was evaluated and finite.
    void restore();
    // Copies w to the host.
    void copy_parameters(T* host) const;
    std::int64_t n_steps() const { return n_steps_; }

  private:
    const Data<S>& data() const { return objective_->data(); }
    std::size_t size() const { return objective_->data().n_parameters(); }
    T* gradient(std::size_t k) const { return gradients_.as<T>() + k * size(); }
    void reserve(std::size_t n);
    void remember_start();
    void keep_finite();
    void take(std::size_t k, double learning_rate, std::int64_t number);
    void queue(const double* learning_rates, std::size_t n);
    void fetch(std::size_t n);

    std::shared_ptr<Objective<S>> objective_;
    int rule_;
    Hyperparameters hyperparameters_;
    Parameters<T> parameters_;
    std::int64_t n_steps_;
    std::size_t slice_ = 1;  // steps to queue at once, so that they take some milliseconds
    // Since the start of the slice: steps that are done and those asked for, where w was last finite, and whether the
    // evaluation at w is known.
    std::size_t done_ = 0, taken_ = 0, finite_at_ = 0;
    bool known_ = false;
    Evaluation now_{};
    std::vector<double> rates_;
    std::vector<Evaluation> evaluations_;  // after each step
    std::vector<T> host_path_, host_gradients_;  // after each step
    Buffer gradients_, path_;  // before and after each step; after each step
    Buffer statuses_, first_w_, first_state_[max_states], last_finite_, carried_;
};

}  // namespace steepest::cuda
