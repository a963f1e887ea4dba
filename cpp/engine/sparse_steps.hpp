// Steps from batches of sparse rows that cost the rows' entries instead of all parameters. They give what steps of all
// parameters give, to rounding: what a parameter misses is made up for before it is read.
#pragma once

#include <memory>
#include <vector>

#include "cpp/engine/objective.hpp"
#include "cpp/engine/parameters.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

constexpr std::size_t share_of_columns = 4;  // a step of all columns costs as much as one of this part of them

template <class T>
class SparseSteps {
  public:
    // Null where a descent must take steps of all parameters, or where these cost less. `all_needed` says that all
    // parameters are read after each step. LazyAdam has no other steps from entries.
    static std::unique_ptr<SparseSteps> of(const Objective<T>&, int rule, const Hyperparameters&, const Parameters<T>&,
                                           std::size_t batch_size, bool all_needed);

    // Whether a rule has such steps with these penalties.
    static bool has_steps(int rule, double l1, double l2) { return form_of(rule, l1, l2) != Form::none; }

    // Whether a step can be taken so. If not, settle and take one of all parameters.
    bool can_take(double learning_rate);
    // Takes a step. Returns whether the loss was finite; takes none where it was not. `gradient` has as many elements
    // as there are parameters, all 0, and has again after the step.
    bool step(const Selection&, const Hyperparameters&, T* gradient);
    // Whether steps from single rows can be taken by step_rows.
    bool takes_rows() const { return form_ == Form::scaled && objective_.n_scores == 1 && kernels_.step_rows[rule_]; }
    // Takes a step from each row in turn, at one rate. Returns how many were taken: fewer where `finite` is then false,
    // as the loss of the next row is not finite, and where all parameters must settle first.
    std::size_t step_rows(const Selection&, const Hyperparameters&, bool& finite);
    // Brings all parameters up to date.
    void settle();
    // Whether some parameters are not.
    bool is_behind() const;
    // Writes parameters and states, up to date, to other arrays. A null array is left out.
    void copy_settled(const Parameters<T>& to) const;
    // Weights of rows are divided by their mean, 1 / `inverse_mean`, from here on.
    void divide_weights(double inverse_mean) { inverse_mean_ = inverse_mean; }
    // The objective has other rows now.
    void forget_rows();
    // Whether steps that a column misses do nothing, so that all parameters are always up to date.
    bool skips() const { return form_ == Form::skipped; }
    std::size_t entries_of_step() const { return entries_of_step_; }  // on average
    // Calls visit(name, variable) with all that later steps depend on, but w and its state, to read or to write it.
    template <class Visit>
    void visit_state(Visit& visit);
    // To be called after the variables were written. Returns false where they contradict each other.
    bool resume();

  private:
    enum class Form { skipped, scaled, by_rates, by_decay, linear, none };  // what missed steps are made of

    SparseSteps(const Objective<T>&, int rule, const Hyperparameters&, const Parameters<T>&, Form form,
                std::size_t entries_of_step);
    static Form form_of(int rule, double l1, double l2);
    EntryRows<T> rows_of(const Selection&);
    double mean_of(std::size_t n_rows) const;
    double make_slopes(const EntryRows<T>&);
    StepScale note(const Hyperparameters&);
    void note_linear();
    void make_decays();
    void add_powers(std::size_t digit);
    void add_to_tree();
    void take(const EntryRows<T>&, std::size_t c, double mean, const Hyperparameters&, const StepScale&, T* gradient);
    void step_intercept(const LazyScore<T>&, T slope, const Hyperparameters&);
    void bring_up(const LazyScore<T>&) const;
    void begin();

    const Objective<T>& objective_;
    int rule_;
    const Parameters<T>& parameters_;
    Form form_;
    bool scaled_;  // whether w is stored over scale_
    const LazyKernels<T>& kernels_;
    std::size_t entries_of_step_;
    double inverse_mean_ = 1.0;
    Hyperparameters hyperparameters_;  // with the rate of step_
    std::size_t longest_;
    LinearStep step_{};  // where the rule is linear or scales
    RowEntries<T> entries_;  // of the rows `numbers_`, of which those from `next_` on are to come
    std::vector<std::uint32_t> numbers_;
    std::size_t next_ = 0;
    std::vector<T> z_;
    std::vector<double> slopes_;
    std::vector<std::uint32_t> up_to_, columns_;
    std::vector<LazyScore<T>> scores_;
    MissedSteps missed_{};
    double scale_ = 1.0;
    std::vector<double> rates_, low_, high_;
    LinearStep base_{};  // a step of which `powers_` has powers
    std::vector<LinearStep> powers_[4];  // i low_powers^k at place i of number k
    std::vector<LinearStep> levels_[max_levels];
};

template <class T>
template <class Visit>
void SparseSteps<T>::visit_state(Visit& visit) {
    visit("missed", missed_.now);
    visit("alike", missed_.alike);
    visit("scale", scale_);
    visit("rate", hyperparameters_.learning_rate);
    visit("base", base_);
    visit("rates", rates_);
    visit("steps", levels_[0]);
    visit("up_to", up_to_);
}

}  // namespace steepest
