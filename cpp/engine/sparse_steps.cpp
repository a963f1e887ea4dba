#include "cpp/engine/sparse_steps.hpp"

#include <algorithm>
#include <cmath>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

constexpr std::size_t shortest_count = 1 << 16, longest_count = 1 << 30;  // steps that are counted before all settle
constexpr std::size_t columns_a_step = 32;  // that settle; so products of steps take 3 bytes a column of wide data
constexpr std::size_t settled_columns = 8192, parallel_columns = 65536;   // of a task; from here on several threads
constexpr std::size_t rows_at_once = 256, rows_ahead = 16;  // whose entries are looked up, and those left to prefetch
constexpr std::size_t far_bytes = std::size_t(1) << 20;  // of parameters that are asked for ahead
constexpr double least_scale = 0x1p-20;  // nor is it above 1 / least_scale

bool is_moderate(double scale) { return std::fabs(scale) >= least_scale && std::fabs(scale) <= 1.0 / least_scale; }

bool same(const LinearStep& a, const LinearStep& b) {
    return a.ww == b.ww && a.wv == b.wv && a.vw == b.vw && a.vv == b.vv;
}

}  // namespace

template <class T>
auto SparseSteps<T>::form_of(int rule, double l1, double l2) -> Form {
    switch (idle_of_rule[rule]) {
        case Idle::nothing:
            return Form::skipped;
        case Idle::scale:
            return l1 > 0.0 ? Form::by_rates : Form::scaled;
        case Idle::rates:
            return l2 > 0.0 ? Form::none : l1 > 0.0 ? Form::by_rates : Form::skipped;
        case Idle::decay:
            return l1 > 0.0 || l2 > 0.0 ? Form::none : Form::by_decay;
        case Idle::linear:
            return l1 > 0.0 && l2 > 0.0 ? Form::none : Form::linear;
        case Idle::steps:
            break;
    }
    return Form::none;
}

template <class T>
std::unique_ptr<SparseSteps<T>> SparseSteps<T>::of(const Objective<T>& objective, int rule, const Hyperparameters& h,
                                                   const Parameters<T>& parameters, std::size_t batch_size,
                                                   bool all_needed) {
    const Source<T>& source = *objective.source;
    const Form form = form_of(rule, objective.l1, objective.l2);
    if (batch_size == 0 || form == Form::none || !source.supports(Capability::row_entries)) return nullptr;
    if (objective.factors) return nullptr;  // the steps that a column misses know one penalty
    const double of_row = double(source.n_elements()) / double(source.n_rows);
    const auto entries = std::size_t(of_row * double(batch_size)) + 1;
    const bool costs_more = entries > source.n_columns / share_of_columns;
    if (idle_of_rule[rule] != Idle::nothing && (all_needed || costs_more)) return nullptr;
    return std::unique_ptr<SparseSteps>(new SparseSteps(objective, rule, h, parameters, form, entries));
}

template <class T>
SparseSteps<T>::SparseSteps(const Objective<T>& objective, int rule, const Hyperparameters& h,
                            const Parameters<T>& parameters, Form form, std::size_t entries_of_step)
    : objective_(objective),
      rule_(rule),
      parameters_(parameters),
      form_(form),
      scaled_(idle_of_rule[rule] == Idle::scale),
      kernels_(lazy_of<T>()),
      entries_of_step_(entries_of_step),
      hyperparameters_(h),
      longest_(std::clamp(objective.n_columns() / columns_a_step, shortest_count, longest_count)),
      slopes_(objective.n_scores),
      up_to_(form == Form::scaled ? 0 : parameters.layout.n) {
    hyperparameters_.learning_rate = std::nan("");
    for (std::size_t first = 0; first < parameters.layout.n; first += parameters.layout.row) {
        LazyScore<T> score{parameters.w + first, {}, up_to_.empty() ? nullptr : up_to_.data() + first};
        for (int s = 0; s < max_states; ++s)
            score.state[s] = parameters.state[s] ? parameters.state[s] + first : nullptr;
        scores_.push_back(score);
    }
    begin();
}

template <class T>
void SparseSteps<T>::begin() {
    missed_.now = 0;
    missed_.alike = true;
    scale_ = 1.0;
    rates_.assign(1, 0.0);
    for (auto& level : levels_) level.clear();
}

template <class T>
bool SparseSteps<T>::can_take(double learning_rate) {
    if (hyperparameters_.learning_rate != learning_rate) {
        hyperparameters_.learning_rate = learning_rate;
        if (kernels_.linear_step[rule_]) step_ = kernels_.linear_step[rule_](hyperparameters_, objective_.l2);
    }
    const bool shrinks = form_ == Form::linear && objective_.l1 > 0.0;  // which has a closed form at a constant rate
    if (shrinks && missed_.now > 0 && !(same(step_, base_) && step_.wg == base_.wg)) return false;
    return !scaled_ || is_moderate(step_.ww);
}

// The entries of a selection's rows, with those that come next behind them. They are looked up for many steps at once.
template <class T>
EntryRows<T> SparseSteps<T>::rows_of(const Selection& rows) {
    const std::size_t known = rows.count + rows.ahead, wanted = std::min(known, rows.count + rows_ahead);
    const auto first = numbers_.begin() + std::ptrdiff_t(next_);
    if (numbers_.size() - next_ < wanted || !std::equal(rows.index, rows.index + rows.count, first)) {
        const std::size_t n = std::min(known, rows.count + rows_at_once);
        objective_.source->entries({rows.index, 0, n, known - n}, entries_);
        numbers_.assign(rows.index, rows.index + n);
        next_ = 0;
    }
    return {entries_.rows.data() + next_, rows.count, numbers_.size() - next_ - rows.count};
}

// Takes sums over some rows to the gradient.
template <class T>
double SparseSteps<T>::mean_of(std::size_t n_rows) const {
    return inverse_mean_ / double(n_rows);
}

// Slopes of the rows, whose products are known: what is multiplied by x is then at z_, and their sums at slopes_.
// Returns the sum of the losses.
template <class T>
double SparseSteps<T>::make_slopes(const EntryRows<T>& rows) {
    const Objective<T>& o = objective_;
    const T* weight = entries_.weight.empty() ? nullptr : entries_.weight.data() + next_;
    const ScoreBlock<T> block{z_.data(), nullptr, rows.count, rows.count, entries_.y.data() + next_, weight};
    const Coefficients<T> point = o.at(parameters_.w);
    double loss = 0.0;
    std::fill(slopes_.begin(), slopes_.end(), 0.0);
    scores_of<T>(o.loss).gradient(o.loss.parameters, block, point, point, &loss, slopes_.data());
    return loss;
}

// Adds a step to what missed steps are made of.
template <class T>
StepScale SparseSteps<T>::note(const Hyperparameters& h) {
    StepScale scale;
    if (scaled_) {
        scale.before = scale_;
        scale_ *= step_.ww;
        scale.inverse = 1.0 / scale_;
    }
    if (form_ == Form::by_rates) {
        rates_.push_back(rates_.back() + h.learning_rate * std::fabs(scale.inverse));
        missed_.rates = rates_.data();
    } else if (form_ == Form::by_decay && low_.empty()) {
        make_decays();
    } else if (form_ == Form::linear) {
        if (missed_.now == 1) rates_.push_back(h.learning_rate);
        missed_.rates = rates_.data();
        note_linear();
    }
    return scale;
}

template <class T>
void SparseSteps<T>::make_decays() {
    low_.assign(1, 1.0);
    while (low_.size() < low_powers) low_.push_back(low_.back() * step_.vv);
    high_.assign(1, 1.0);
    while (high_.size() <= longest_ / low_powers) high_.push_back(high_.back() * (low_.back() * step_.vv));
    missed_.low = low_.data();
    missed_.high = high_.data();
}

template <class T>
void SparseSteps<T>::add_powers(std::size_t digit) {
    const LinearStep unit = digit == 0 ? base_ : powers_[digit - 1].back().after(powers_[digit - 1][1]);
    powers_[digit].assign(1, {1.0, 0.0, 0.0, 1.0, 0.0, 0.0});
    while (powers_[digit].size() < low_powers) powers_[digit].push_back(unit.after(powers_[digit].back()));
    missed_.levels[digit] = powers_[digit].data();
}

// The last step at the end of the tree of products.
template <class T>
void SparseSteps<T>::add_to_tree() {
    levels_[0].push_back(step_);
    for (std::size_t k = 1; levels_[k].size() < missed_.now >> k; ++k) {
        const std::vector<LinearStep>& halves = levels_[k - 1];
        levels_[k].push_back(halves.back().after(halves[halves.size() - 2]));
    }
    for (std::size_t k = 0; missed_.now >> k > 0; ++k) missed_.levels[k] = levels_[k].data();
}

template <class T>
void SparseSteps<T>::note_linear() {
    const std::size_t now = missed_.now;
    if (now == 1) {
        if (!same(step_, base_))
            for (auto& powers : powers_) powers.clear();
        base_ = step_;
    }
    if (missed_.alike && !same(step_, base_)) {
        missed_.alike = false;
        LinearStep product = base_;
        for (std::size_t k = 0; (now - 1) >> k > 0; ++k, product = product.after(product))
            levels_[k].assign((now - 1) >> k, product);
    }
    if (!missed_.alike) return add_to_tree();
    for (std::size_t digit = 0, n = now; n > 0; ++digit, n /= low_powers) {
        if (powers_[digit].empty()) add_powers(digit);
        missed_.levels[digit] = powers_[digit].data();
    }
}

// The step of one score's columns. `mean` takes sums over the rows to the gradient.
template <class T>
void SparseSteps<T>::take(const EntryRows<T>& rows, std::size_t c, double mean, const Hyperparameters& h,
                          const StepScale& scale, T* gradient) {
    const LazyScore<T>& own = scores_[c];
    T* r = z_.data() + c * rows.count;
    const double factor = form_ == Form::scaled ? mean * step_.wg * scale.inverse : mean;
    for (std::size_t i = 0; i < rows.count; ++i) r[i] = T(factor * double(r[i]));
    if (form_ == Form::linear && objective_.l1 == 0.0) return kernels_.step_linear(rows, r, own, step_, missed_.now);
    if (form_ == Form::scaled) return kernels_.add(rows, r, own.w);
    if (rows.count == 1 && entries_.distinct)
        return kernels_.step_row[rule_](*rows.rows, *r, own, scale, missed_.now, h, objective_.l1, objective_.l2);
    columns_.resize(std::max(columns_.size(), entries_.n_entries + 1));
    const std::size_t n = kernels_.touch(rows, own.up_to, missed_.now, columns_.data());
    kernels_.add(rows, r, gradient);
    kernels_.step[rule_](columns_.data(), n, own, scale, h, objective_.l1, objective_.l2, gradient);
}

template <class T>
void SparseSteps<T>::step_intercept(const LazyScore<T>& score, T slope, const Hyperparameters& h) {
    const std::size_t d = objective_.n_columns();
    T* state[max_states];
    for (int s = 0; s < max_states; ++s) state[s] = score.state[s] ? score.state[s] + d : nullptr;
    updates_of<T>().update[rule_](score.w + d, &slope, state, 1, h, T(0));
}

template <class T>
bool SparseSteps<T>::step(const Selection& selection, const Hyperparameters& h, T* gradient) {
    const Objective<T>& o = objective_;
    if (missed_.now >= longest_ || (scaled_ && !is_moderate(scale_))) settle();
    const EntryRows<T> rows = rows_of(selection);
    z_.resize(rows.count * o.n_scores);
    ++missed_.now;
    const bool catches_up = form_ != Form::skipped && form_ != Form::scaled && missed_.now > 1;
    for (std::size_t c = 0; c < o.n_scores; ++c) {
        if (catches_up) kernels_.catch_up[rule_](rows, scores_[c], missed_, h, o.l1);
        kernels_.products(rows, scores_[c].w, scale_, z_.data() + c * rows.count);
    }
    const double mean = mean_of(rows.count);
    const double loss = make_slopes(rows);
    next_ += rows.count;
    if (!std::isfinite(mean * loss)) {
        --missed_.now;
        return false;
    }
    const StepScale scale = note(h);
    for (std::size_t c = 0; c < o.n_scores; ++c) {
        take(rows, c, mean, h, scale, gradient + c * parameters_.layout.row);
        if (o.intercept) step_intercept(scores_[c], T(mean * slopes_[c]), h);
    }
    return true;
}

template <class T>
std::size_t SparseSteps<T>::step_rows(const Selection& selection, const Hyperparameters& h, bool& finite) {
    const Objective<T>& o = objective_;
    if (missed_.now >= longest_ || !is_moderate(scale_)) settle();
    const EntryRows<T> rows = rows_of(selection);
    T* w = scores_[0].w;
    RowSteps<T> steps{entries_.y.data() + next_,
                      entries_.weight.empty() ? nullptr : entries_.weight.data() + next_,
                      scores_of<T>(o.loss).row,
                      o.loss.parameters,
                      step_,
                      mean_of(1),
                      o.intercept ? w + o.n_columns() : nullptr,
                      o.n_columns() * sizeof(T) > far_bytes,
                      scale_,
                      least_scale,
                      true};
    const std::size_t n = kernels_.step_rows[rule_](rows, w, h, steps);
    missed_.now += std::uint32_t(n);
    scale_ = steps.scale;
    finite = steps.finite;
    next_ += n + !finite;
    return n;
}

template <class T>
void SparseSteps<T>::settle() {
    if (missed_.now == 0) return;
    for (const LazyScore<T>& own : scores_) bring_up(own);
    begin();
}

template <class T>
bool SparseSteps<T>::resume() {
    const std::size_t now = missed_.now, n_columns = form_ == Form::scaled ? 0 : parameters_.layout.n;
    const std::size_t n_steps = form_ == Form::linear && !missed_.alike ? now : 0;
    const std::size_t n_rates = form_ == Form::by_rates ? now : form_ == Form::linear && now > 0 ? 1 : 0;
    const bool fits = up_to_.size() == n_columns && levels_[0].size() == n_steps && rates_.size() == 1 + n_rates;
    if (!fits || now > longest_ || std::any_of(up_to_.begin(), up_to_.end(), [now](auto t) { return t > now; }))
        return false;
    for (std::size_t c = 0, first = 0; c < scores_.size(); ++c, first += parameters_.layout.row)
        scores_[c].up_to = up_to_.empty() ? nullptr : up_to_.data() + first;
    if (kernels_.linear_step[rule_]) step_ = kernels_.linear_step[rule_](hyperparameters_, objective_.l2);
    missed_.rates = rates_.data();
    if (form_ == Form::by_decay && now > 0) make_decays();
    if (form_ != Form::linear) return true;
    for (auto& powers : powers_) powers.clear();
    for (std::size_t digit = 0, n = missed_.alike ? now : 0; n > 0; ++digit, n /= low_powers) add_powers(digit);
    for (std::size_t k = 0; now >> k > 0 && !missed_.alike; ++k) {
        if (k > 0) levels_[k].clear();
        for (std::size_t i = 0; k > 0 && i < now >> k; ++i)
            levels_[k].push_back(levels_[k - 1][2 * i + 1].after(levels_[k - 1][2 * i]));
        missed_.levels[k] = levels_[k].data();
    }
    return true;
}

// Takes the steps that a score's parameters miss.
template <class T>
void SparseSteps<T>::bring_up(const LazyScore<T>& own) const {
    const std::size_t d = parameters_.layout.penalised, n_tasks = (d + settled_columns - 1) / settled_columns;
    Interrupt never(nullptr);
    for_each_task(n_tasks, d < parallel_columns ? 1 : threads_in_use(), never, [&](std::size_t task, int) {
        const std::size_t first = task * settled_columns, last = std::min(first + settled_columns, d);
        if (form_ == Form::skipped) {
            std::fill(own.up_to + first, own.up_to + last, 0);
        } else if (form_ != Form::scaled) {
            kernels_.settle[rule_](own, missed_, hyperparameters_, objective_.l1, first, last);
        }
        if (scale_ == 1.0) return;
        for (std::size_t j = first; j < last; ++j) own.w[j] = T(scale_ * double(own.w[j]));
    });
}

template <class T>
bool SparseSteps<T>::is_behind() const {
    return missed_.now > 0 && form_ != Form::skipped && (form_ != Form::scaled || scale_ != 1.0);
}

template <class T>
void SparseSteps<T>::copy_settled(const Parameters<T>& to) const {
    const std::size_t n = parameters_.layout.n, row = parameters_.layout.row;
    std::vector<std::uint32_t> up_to = up_to_;
    std::vector<T> states[max_states];
    std::copy_n(parameters_.w, n, to.w);
    T* state[max_states] = {};
    for (int s = 0; s < max_states; ++s) {
        if (!parameters_.state[s]) continue;
        if (!to.state[s]) states[s].resize(n);
        state[s] = to.state[s] ? to.state[s] : states[s].data();
        std::copy_n(parameters_.state[s], n, state[s]);
    }
    for (std::size_t first = 0; first < n; first += row) {
        LazyScore<T> score{to.w + first, {}, up_to.empty() ? nullptr : up_to.data() + first};
        for (int s = 0; s < max_states; ++s) score.state[s] = state[s] ? state[s] + first : nullptr;
        bring_up(score);
    }
}

template <class T>
void SparseSteps<T>::forget_rows() {
    numbers_.clear();
    next_ = 0;
}

template class SparseSteps<float>;
template class SparseSteps<double>;

}  // namespace steepest
