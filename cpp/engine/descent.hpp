// The native training loop: batches, shuffling and steps, written against the table of kernels. It knows no loss, no
// rule and no schedule (learning rates arrive as numbers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cpp/engine/objective.hpp"
#include "cpp/engine/order.hpp"
#include "cpp/engine/parameters.hpp"
#include "cpp/engine/sparse_steps.hpp"
#include "cpp/math/constraint.hpp"
#include "cpp/math/rules.hpp"

namespace steepest {

// One step, shared among the threads where n is large.
template <class T>
void apply_rule(int rule, const Parameters<T>&, const T* gradient, const Hyperparameters&, T l1,
                const double* factors = nullptr);

struct Evaluation {
    double value, gradient_norm;
};

struct RunReport {
    std::size_t n_steps = 0;
    bool epoch_done = false;
    bool diverged = false;  // a loss was not finite: w is where the last finite evaluation was
};

struct Batches {
    std::size_t size;  // 0: all rows
    bool shuffled;
    std::uint64_t seed;
    double mean_weight = 0.0;  // by which a batch's weights are divided; 0: the mean of the objective's rows
};

template <class T>
class Descent {
  public:
    // `n_steps`: steps that the optimizer has taken already.
    Descent(const Objective<T>&, int rule, const Hyperparameters&, const Parameters<T>&, const Batches&,
            std::int64_t n_steps, Constraint<T> constraint);
    Descent(const Descent&) = delete;

    // Value and gradient of all rows at w; a batch step uses this gradient.
    Evaluation evaluate(Interrupt&);
    // The same at parameters that are up to date, which are written to `w`. Steps that some parameters still miss stay
    // due, so steps over these and further rows give the bits that steps over all of them give.
    Evaluation evaluate_copy(T* w, Interrupt&);
    // Whether some parameters miss steps.
    bool is_behind() const { return sparse_ && sparse_->is_behind(); }
    // Writes parameters and states that are up to date to other arrays.
    void copy_settled(const Parameters<T>& to) const;
    // Goes on over other rows: the objective has the loss, the penalties and the columns of the one before.
    void go_on_over(const Objective<T>&, const Batches&);
    // Up to n steps with these learning rates, until the epoch ends or `seconds` have passed. With `path` (null: none)
    // the parameters after each step are written there. Until `settle` or `evaluate` is called, parameters may not be
    // up to date.
    RunReport run(const double* learning_rates, std::size_t n, double seconds, T* path, Interrupt&);
    // Brings all parameters up to date, after steps from sparse rows.
    void settle();
    // Back to the last w whose loss was finite.
    void restore();
    std::int64_t n_steps() const { return n_steps_; }
    // Calls visit(name, variable) with all that later steps depend on, but w and its state, to read or to write it.
    template <class Visit>
    void visit_state(Visit& visit) {
        visit("n_steps", n_steps_);
        visit("epoch", epoch_);
        visit("left", left_in_epoch_);
        visit("finite_w", last_finite_);
        if (sparse_) sparse_->visit_state(visit);
    }
    // To be called after the variables, w and its state were written. Returns false where they contradict each other.
    bool resume();
    // Whether steps cost the entries of their rows, not all parameters.
    bool takes_sparse_steps() const { return sparse_ != nullptr; }

  private:
    double norm_at(const T* w);
    bool batch_step(double learning_rate, bool all_needed, Interrupt&);
    bool row_step();
    bool sparse_step(const Selection&);
    std::size_t take_steps(const double* learning_rates, std::size_t n, bool all_needed, bool& finite, Interrupt&);
    std::size_t sparse_row_steps(const double* learning_rates, std::size_t n, bool& finite);
    void fill_index();
    Selection next_rows(std::size_t count) const;
    void start_step(double learning_rate);

    Objective<T> objective_;
    int rule_;
    Hyperparameters hyperparameters_;
    Parameters<T> parameters_;
    Constraint<T> constraint_;
    std::size_t batch_size_;
    RowOrder order_;
    std::int64_t n_steps_;
    bool single_rows_;  // whether the source gives them
    Coefficients<T> point_;
    double inverse_mean_;  // 1 / the mean weight
    T row_scale_;          // of a single row's slopes: the mean over such steps is the gradient of all rows
    std::uint64_t epoch_ = 0;
    std::size_t left_in_epoch_ = 0;
    bool gradient_ready_ = false, finite_ = true;  // of the last evaluation
    std::vector<T> gradient_, slopes_, last_finite_;
    std::vector<std::uint32_t> index_;
    std::size_t index_at_ = 0, index_end_ = 0;
    Workspace<T> workspace_;
    std::unique_ptr<SparseSteps<T>> sparse_;  // null: no steps from the entries of rows
    bool gradient_zero_ = false;              // whether gradient_ is the zeros that sparse_ needs
};

}  // namespace steepest
