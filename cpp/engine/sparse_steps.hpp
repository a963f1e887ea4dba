// Steps from batches of sparse rows that cost the rows' entries instead of all parameters. They give what steps of all
// parameters give, to rounding: what a parameter misses is made up for before it is read.
#pragma once

#include <memory>
#include <vector>

#include "cpp/engine/objective.hpp"
#include "cpp/engine/parameters.hpp"
#include "cpp/math/lazy.hpp"

namespace steepest {

template <class T>
class SparseSteps {
  public:
    // Null where a descent must take steps of all parameters, or where these cost less. `all_needed` says that all
    // parameters are read after each step. LazyAdam has no other steps from entries.
    static std::unique_ptr<SparseSteps> of(const Objective<T>&, int rule, const Parameters<T>&, std::size_t batch_size,
                                           bool all_needed);

    // Whether a step can be taken so. If not, settle and take one of all parameters.
    bool can_take(Hyperparameters, double learning_rate) const;
    // Takes a step. Returns whether the loss was finite; takes none where it was not. `gradient` has as many elements
    // as there are parameters, all 0, and has again after the step.
    bool step(const Selection&, const Hyperparameters&, T* gradient);
    // Brings all parameters up to date.
    void settle();
    // Whether steps that a column misses do nothing, so that all parameters are always up to date.
    bool skips() const { return form_ == Form::skipped; }
    std::size_t entries_of_step() const { return entries_of_step_; }  // on average

  private:
    enum class Form { skipped, scaled, by_rates, by_decay, linear, none };  // what missed steps are made of

    SparseSteps(const Objective<T>&, int rule, const Parameters<T>&, Form form, std::size_t entries_of_step);
    static Form form_of(int rule, double l1, double l2);
    LazyScore<T> score(std::size_t c);
    bool scaled() const { return idle_of_rule[rule_] == Idle::scale; }
    bool make_slopes(const EntryRows<T>&);
    StepScale note(const Hyperparameters&, const LinearStep&);
    void note_linear(const LinearStep&);
    void take(const EntryRows<T>&, std::size_t c, const Hyperparameters&, const LinearStep&, const StepScale&,
              T* gradient);
    void begin();

    const Objective<T>& objective_;
    int rule_;
    const Parameters<T>& parameters_;
    Form form_;
    std::size_t entries_of_step_, longest_;
    Hyperparameters hyperparameters_;  // of the last step
    RowEntries<T> entries_;
    std::vector<T> z_;
    std::vector<double> slopes_;
    std::vector<std::uint32_t> up_to_, columns_;
    MissedSteps missed_{};
    double scale_ = 1.0;
    std::vector<double> rates_, low_, high_;
    std::vector<LinearStep> levels_[max_levels];
};

}  // namespace steepest
