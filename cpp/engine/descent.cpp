#include "cpp/engine/descent.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

constexpr std::size_t update_block = 8192;        // elements of a task
constexpr std::size_t parallel_updates = 65536;   // from here on more than one thread
constexpr std::size_t look_ahead = 1024;          // row numbers known beyond the batch, for prefetching
constexpr std::size_t index_room = 8192;          // row numbers made at once
constexpr std::size_t elements_between_looks = 1 << 16;
constexpr std::size_t steps_between_looks = 64;           // at the clock

template <class T>
void apply_to_range(int rule, const Parameters<T>& p, const T* gradient, const Hyperparameters& h, T l1,
                    const double* factors, std::size_t first, std::size_t last) {
    const auto update = updates_of<T>().update[rule];
    const auto part = [&](std::size_t from, std::size_t to, T threshold) {
        if (from >= to) return;
        T* state[max_states];
        for (int s = 0; s < max_states; ++s) state[s] = p.state[s] ? p.state[s] + from : nullptr;
        update(p.w + from, gradient + from, state, to - from, h, threshold);
    };
    const Layout& layout = p.layout;
    if (l1 == T(0)) return part(first, last, T(0));
    for (std::size_t row = first / layout.row * layout.row; row < last; row += layout.row) {
        const std::size_t bound = row + layout.penalised, end = row + layout.row;
        const std::size_t from = std::max(first, row), to = std::min(last, bound);
        if (from < to)
            for_each_factor(factors, from - row, to - row, [&](std::size_t j, std::size_t end_of_run, double factor) {
                part(row + j, row + end_of_run, T(factor * double(l1)));
            });
        part(std::max(first, bound), std::min(last, end), T(0));
    }
}

template <class T>
double inverse_mean_of(const Objective<T>& objective, const Batches& batches) {
    return batches.mean_weight > 0.0 ? 1.0 / batches.mean_weight : objective.inverse_mean_weight();
}

}  // namespace

template <class T>
void apply_rule(int rule, const Parameters<T>& p, const T* gradient, const Hyperparameters& h, T l1,
                const double* factors) {
    const std::size_t n = p.layout.n;
    const int n_threads = n < parallel_updates ? 1 : threads_in_use();
    Interrupt never(nullptr);
    for_each_task((n + update_block - 1) / update_block, n_threads, never, [&](std::size_t task, int) {
        const std::size_t first = task * update_block;
        apply_to_range(rule, p, gradient, h, l1, factors, first, std::min(first + update_block, n));
    });
}

template <class T>
Descent<T>::Descent(const Objective<T>& objective, int rule, const Hyperparameters& hyperparameters,
                    const Parameters<T>& parameters, const Batches& batches, std::int64_t n_steps,
                    Constraint<T> constraint)
    : objective_(objective),
      rule_(rule),
      hyperparameters_(hyperparameters),
      parameters_(parameters),
      constraint_(std::move(constraint)),
      batch_size_(std::min(batches.size, objective.source->n_rows)),
      order_(batch_size_ ? objective.source->n_rows : 1, batches.shuffled, batches.seed),
      n_steps_(n_steps),
      single_rows_(objective.source->supports(Capability::single_rows)),
      point_(objective.at(parameters.w)),
      inverse_mean_(inverse_mean_of(objective, batches)),
      row_scale_(T(inverse_mean_)),
      gradient_(parameters.layout.n),
      slopes_(objective.n_scores),
      last_finite_(parameters.w, parameters.w + parameters.layout.n),
      index_(batch_size_ ? batch_size_ + look_ahead + index_room : 0),
      sparse_(
          SparseSteps<T>::of(objective_, rule, hyperparameters_, parameters_, batch_size_, !constraint_.is_none())) {
    if (sparse_) sparse_->divide_weights(inverse_mean_);
}

template <class T>
double Descent<T>::norm_at(const T* w) {
    return constraint_.gradient_norm(objective_.l1, w, gradient_.data(), parameters_.layout, objective_.factors);
}

template <class T>
Evaluation Descent<T>::evaluate(Interrupt& interrupt) {
    settle();
    gradient_zero_ = false;
    const double loss = value_and_gradient(objective_, parameters_.w, gradient_.data(), workspace_, interrupt);
    gradient_ready_ = batch_size_ == 0;
    finite_ = std::isfinite(loss);
    if (finite_) std::copy_n(parameters_.w, parameters_.layout.n, last_finite_.begin());
    return {loss, norm_at(parameters_.w)};
}

template <class T>
Evaluation Descent<T>::evaluate_copy(T* w, Interrupt& interrupt) {
    Parameters<T> copy{w, {}, parameters_.layout};
    copy_settled(copy);
    gradient_zero_ = gradient_ready_ = false;
    const double loss = value_and_gradient(objective_, w, gradient_.data(), workspace_, interrupt);
    finite_ = std::isfinite(loss);
    if (finite_) std::copy_n(w, parameters_.layout.n, last_finite_.begin());
    return {loss, norm_at(w)};
}

// A null array of `to` is left out.
template <class T>
void Descent<T>::copy_settled(const Parameters<T>& to) const {
    const std::size_t n = parameters_.layout.n;
    if (is_behind()) return sparse_->copy_settled(to);
    std::copy_n(parameters_.w, n, to.w);
    for (int s = 0; s < max_states; ++s)
        if (to.state[s]) std::copy_n(parameters_.state[s], n, to.state[s]);
}

template <class T>
void Descent<T>::go_on_over(const Objective<T>& objective, const Batches& batches) {
    objective_ = objective;
    batch_size_ = std::min(batches.size, objective.source->n_rows);
    order_ = RowOrder(objective.source->n_rows, batches.shuffled, batches.seed);
    inverse_mean_ = inverse_mean_of(objective, batches);
    row_scale_ = T(inverse_mean_);
    point_ = objective_.at(parameters_.w);
    index_.resize(std::max(index_.size(), batch_size_ + look_ahead + index_room));
    index_at_ = index_end_ = left_in_epoch_ = 0;
    epoch_ = 0;
    gradient_ready_ = false;
    if (sparse_) {
        sparse_->divide_weights(inverse_mean_);
        sparse_->forget_rows();
    }
}

template <class T>
void Descent<T>::settle() {
    if (sparse_) sparse_->settle();
}

template <class T>
void Descent<T>::restore() {
    settle();
    std::copy(last_finite_.begin(), last_finite_.end(), parameters_.w);
    gradient_ready_ = false;
}

template <class T>
bool Descent<T>::resume() {
    const std::size_t n_rows = batch_size_ ? objective_.source->n_rows : 1;
    const bool fits = last_finite_.size() == parameters_.layout.n && left_in_epoch_ <= n_rows && n_steps_ >= 0;
    if (!fits || (left_in_epoch_ > 0 && epoch_ == 0) || (sparse_ && !sparse_->resume())) return false;
    gradient_ready_ = gradient_zero_ = false;
    index_at_ = index_end_ = 0;
    if (batch_size_ == 0 || left_in_epoch_ == 0) return true;
    order_.start_epoch(epoch_ - 1);
    for (std::size_t taken = n_rows - left_in_epoch_; taken > 0;)
        taken -= order_.next(passes(), index_.data(), std::min(taken, index_.size()));
    return true;
}

template <class T>
void Descent<T>::start_step(double learning_rate) {
    hyperparameters_.learning_rate = learning_rate;
    hyperparameters_.set_step(++n_steps_);
}

// Makes sure that the next batch's row numbers, and those to prefetch after it, stand in index_.
template <class T>
void Descent<T>::fill_index() {
    const std::size_t known = index_end_ - index_at_;
    if (known >= batch_size_ + look_ahead || known == left_in_epoch_) return;
    std::copy(index_.begin() + std::ptrdiff_t(index_at_), index_.begin() + std::ptrdiff_t(index_end_), index_.begin());
    index_end_ -= index_at_;
    index_at_ = 0;
    index_end_ += order_.next(passes(), index_.data() + index_end_, index_.size() - index_end_);
}

// The next rows of the epoch, and those to prefetch after them.
template <class T>
Selection Descent<T>::next_rows(std::size_t count) const {
    return {index_.data() + index_at_, 0, count, index_end_ - index_at_ - count};
}

// A step from a single row, whose gradient is never stored. Returns whether the row's loss was finite;
// takes no step where it was not.
template <class T>
bool Descent<T>::row_step() {
    const Objective<T>& o = objective_;
    const std::size_t d = point_.n_columns;
    T* slopes = slopes_.data();
    const T* x = o.source->row_slopes(o.loss, point_, next_rows(1), slopes, workspace_);
    if (!x) return false;
    const Updates<T>& table = updates_of<T>();
    T* state[max_states];
    for (std::size_t c = 0, first = 0; c < o.n_scores; ++c, first += parameters_.layout.row) {
        T* w = parameters_.w + first;
        const auto at = [&](std::size_t j) {
            for (int s = 0; s < max_states; ++s) state[s] = parameters_.state[s] ? parameters_.state[s] + j : nullptr;
            return state;
        };
        slopes[c] *= row_scale_;
        for_each_factor(o.factors, 0, d, [&](std::size_t j, std::size_t last, double factor) {
            if (o.leaves_out(j)) return;
            table.update_row[rule_](w + j, x + j, slopes[c], T(factor * o.l2), at(first + j), last - j,
                                    hyperparameters_, T(factor * o.l1));
        });
        if (o.intercept) table.update[rule_](w + d, slopes + c, at(first + d), 1, hyperparameters_, T(0));
    }
    return true;
}

// A step of the parameters of the rows' entries alone. Returns whether the loss was finite.
template <class T>
bool Descent<T>::sparse_step(const Selection& rows) {
    if (!gradient_zero_) std::fill(gradient_.begin(), gradient_.end(), T(0));
    gradient_zero_ = true;
    return sparse_->step(rows, hyperparameters_, gradient_.data());
}

// Steps from single rows that share a rate, until the clock is looked at. Returns how many were taken.
template <class T>
std::size_t Descent<T>::sparse_row_steps(const double* learning_rates, std::size_t n, bool& finite) {
    fill_index();
    const std::size_t most = std::min({n, left_in_epoch_, steps_between_looks});
    std::size_t count = 1;
    while (count < most && learning_rates[count] == *learning_rates) ++count;
    hyperparameters_.learning_rate = *learning_rates;
    const std::size_t taken = sparse_->step_rows(next_rows(count), hyperparameters_, finite);
    n_steps_ += std::int64_t(taken);
    index_at_ += taken + !finite;
    left_in_epoch_ -= taken + !finite;
    return taken;
}

// Returns whether the loss was finite and so the step taken. `all_needed`: all of w is read after it.
template <class T>
bool Descent<T>::batch_step(double learning_rate, bool all_needed, Interrupt& interrupt) {
    const T l1 = T(objective_.l1);
    if (batch_size_ == 0) {
        if (!gradient_ready_) evaluate(interrupt);
        if (!finite_) return false;
        start_step(learning_rate);
        apply_rule(rule_, parameters_, gradient_.data(), hyperparameters_, l1, objective_.factors);
        gradient_ready_ = false;
        return true;
    }
    fill_index();
    const std::size_t count = std::min(batch_size_, left_in_epoch_);
    bool finite;
    if (sparse_ && (!all_needed || sparse_->skips()) && sparse_->can_take(learning_rate)) {
        start_step(learning_rate);
        finite = sparse_step(next_rows(count));
    } else if (count == 1 && single_rows_) {
        start_step(learning_rate);
        finite = row_step();
    } else {
        settle();
        gradient_zero_ = false;
        finite = std::isfinite(batch_gradient(objective_, parameters_.w, next_rows(count), inverse_mean_,
                                              gradient_.data(), workspace_, interrupt));
        start_step(learning_rate);
        if (finite) apply_rule(rule_, parameters_, gradient_.data(), hyperparameters_, l1, objective_.factors);
    }
    n_steps_ -= !finite;
    index_at_ += count;
    left_in_epoch_ -= count;
    return finite;
}

// A step, or several from single sparse rows: at most n. Returns how many were taken before a loss was not finite.
template <class T>
std::size_t Descent<T>::take_steps(const double* learning_rates, std::size_t n, bool all_needed, bool& finite,
                                   Interrupt& interrupt) {
    const bool by_rows = sparse_ && !all_needed && batch_size_ == 1 && sparse_->takes_rows();
    if (by_rows && sparse_->can_take(*learning_rates)) return sparse_row_steps(learning_rates, n, finite);
    finite = batch_step(*learning_rates, all_needed, interrupt);
    return finite;
}

template <class T>
RunReport Descent<T>::run(const double* learning_rates, std::size_t n, double seconds, T* path, Interrupt& interrupt) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    RunReport report;
    if (left_in_epoch_ == 0) {
        left_in_epoch_ = batch_size_ ? objective_.source->n_rows : 1;
        index_at_ = index_end_ = 0;
        if (batch_size_) order_.start_epoch(epoch_);
        ++epoch_;
    }
    const std::size_t elements =
        sparse_ && !path ? sparse_->entries_of_step() : std::max<std::size_t>(batch_size_, 1) * parameters_.layout.n;
    std::size_t unseen = 0, steps_unseen = 0;
    while (report.n_steps < n && left_in_epoch_ > 0) {
        bool finite = true;
        const std::size_t taken =
            take_steps(learning_rates + report.n_steps, n - report.n_steps, path != nullptr, finite, interrupt);
        report.n_steps += taken;
        if (!finite) {
            report.diverged = true;
            restore();
            return report;
        }
        constraint_.project(parameters_.w);
        if (batch_size_ == 0) left_in_epoch_ = 0;
        if (path) path = std::copy_n(parameters_.w, parameters_.layout.n, path);
        unseen += taken * elements;
        steps_unseen += taken;
        if (steps_unseen >= steps_between_looks || unseen >= elements_between_looks) {
            unseen = steps_unseen = 0;
            if (Clock::now() >= end) break;
        }
    }
    report.epoch_done = left_in_epoch_ == 0;
    return report;
}

template class Descent<float>;
template class Descent<double>;
template void apply_rule(int, const Parameters<float>&, const float*, const Hyperparameters&, float, const double*);
template void apply_rule(int, const Parameters<double>&, const double*, const Hyperparameters&, double, const double*);

}  // namespace steepest
