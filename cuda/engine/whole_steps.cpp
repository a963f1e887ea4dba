#include "cuda/engine/whole_steps.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cpp/math/penalty.hpp"

namespace steepest::cuda {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto short_slice = std::chrono::milliseconds(5);
constexpr auto long_slice = std::chrono::milliseconds(40);
constexpr std::size_t most_steps = 512;
constexpr std::size_t most_bytes = std::size_t(16) << 20;  // of the parameters after each step

}  // namespace

template <class S>
WholeSteps<S>::WholeSteps(std::shared_ptr<Objective<S>> objective, int rule, const Hyperparameters& hyperparameters,
                          T* w, T* const* state, std::int64_t n_steps)
    : objective_(std::move(objective)),
      rule_(rule),
      hyperparameters_(hyperparameters),
      parameters_{w, {}, data().n_parameters(), data().rows.n_columns},
      n_steps_(n_steps) {
    const OnDevice here(data().device);
    std::copy_n(state, max_states, parameters_.state);
    reserve(1);
    carried_.reserve(size() * sizeof(T));
    last_finite_.reserve(size() * sizeof(T));
    copy(last_finite_.as<T>(), w, size() * sizeof(T), data().stream);
}

template <class S>
void WholeSteps<S>::reserve(std::size_t n) {
    gradients_.reserve((n + 1) * size() * sizeof(T));
    path_.reserve(n * size() * sizeof(T));
    statuses_.reserve(n * sizeof(Status));
    host_path_.resize(n * size());
    host_gradients_.resize(n * size());
}

template <class S>
Evaluation WholeSteps<S>::evaluate() {
    if (!known_) {
        const OnDevice here(data().device);
        settle();
        now_.value = objective_->value_and_gradient(parameters_.w, gradient(0));
        now_.gradient_norm = objective_->gradient_norm(parameters_.w, gradient(0));
        known_ = true;
        if (std::isfinite(now_.value)) keep_finite();
    }
    if (std::isfinite(now_.value)) finite_at_ = taken_;
    return now_;
}

template <class S>
std::size_t WholeSteps<S>::useful_rates() const {
    if (taken_ < done_) return 1;
    return std::min(slice_, std::max<std::size_t>(most_bytes / (size() * sizeof(T)), 1));
}

template <class S>
bool WholeSteps<S>::step(const double* learning_rates, std::size_t n) {
    if (!std::isfinite(evaluate().value)) return false;
    if (taken_ < done_ && rates_[taken_] != learning_rates[0]) settle();
    if (taken_ == done_) {
        const auto start = Clock::now();
        queue(learning_rates, std::min(n, useful_rates()));
        const auto seconds = Clock::now() - start;
        if (seconds < short_slice && done_ == slice_) slice_ = std::min(2 * slice_, most_steps);
        if (seconds > long_slice) slice_ = std::max<std::size_t>(slice_ / 2, 1);
    }
    now_ = evaluations_[taken_++];
    ++n_steps_;
    return true;
}

// Step k of a slice, from the gradient before it.
template <class S>
void WholeSteps<S>::take(std::size_t k, double learning_rate, std::int64_t number) {
    Hyperparameters h = hyperparameters_;
    h.learning_rate = learning_rate;
    h.set_step(number);
    update(rule_, parameters_, gradient(k), h, T(data().l1), device(data().device), data().stream);
}

// Copies w where it was last finite to memory that the next steps leave alone.
template <class S>
void WholeSteps<S>::keep_finite() {
    const T* w = done_ == 0        ? parameters_.w
                 : finite_at_ == 0 ? first_w_.as<T>()
                                   : path_.as<T>() + (finite_at_ - 1) * size();
    copy(last_finite_.as<T>(), w, size() * sizeof(T), data().stream);
}

template <class S>
void WholeSteps<S>::remember_start() {
    const std::size_t bytes = size() * sizeof(T);
    first_w_.reserve(bytes);
    copy(first_w_.as<T>(), parameters_.w, bytes, data().stream);
    for (int i = 0; i < max_states; ++i) {
        if (!parameters_.state[i]) continue;
        first_state_[i].reserve(bytes);
        copy(first_state_[i].as<T>(), parameters_.state[i], bytes, data().stream);
    }
}

// Takes n steps and evaluates the objective after each, without a wait between them.
template <class S>
void WholeSteps<S>::queue(const double* learning_rates, std::size_t n) {
    const Data<S>& data = this->data();
    const OnDevice here(data.device);
    const std::lock_guard<std::recursive_mutex> lock(objective_->mutex());
    keep_finite();
    copy(carried_.as<T>(), gradient(done_), size() * sizeof(T), data.stream);
    if (gradients_.bytes() < (n + 1) * size() * sizeof(T)) wait(data.stream);  // what is freed may be in use
    reserve(n);
    copy(gradient(0), carried_.as<T>(), size() * sizeof(T), data.stream);
    done_ = taken_ = finite_at_ = 0;
    remember_start();
    Step<T> step{};
    step.w = parameters_.w;
    step.rule = no_rule;
    step.scale = 1.0 / data.weight_sum;
    step.l2 = T(data.l2);
    step.n_columns = data.rows.n_columns;
    step.intercept = data.intercept;
    fill_zero(statuses_.as<Status>(), n * sizeof(Status), data.stream);
    for (std::size_t k = 0; k < n; ++k) {
        take(k, learning_rates[k], n_steps_ + std::int64_t(k) + 1);
        step.gradient = gradient(k + 1);
        objective_->pass(data.rows, step, 0, path_.as<T>() + k * size(), statuses_.as<Status>() + k);
    }
    rates_.assign(learning_rates, learning_rates + n);
    fetch(n);
    done_ = n;
}

template <class S>
void WholeSteps<S>::fetch(std::size_t n) {
    const Data<S>& data = this->data();
    const std::size_t bytes = n * size() * sizeof(T);
    std::vector<Status> statuses(n);
    copy_to_host(statuses.data(), statuses_.as<Status>(), n * sizeof(Status), data.stream);
    copy_to_host(host_path_.data(), path_.as<T>(), bytes, data.stream);
    copy_to_host(host_gradients_.data(), gradient(1), bytes, data.stream);
    evaluations_.resize(n);
    const std::size_t d = data.rows.n_columns;
    for (std::size_t k = 0; k < n; ++k) {
        const T *w = host_path_.data() + k * size(), *g = host_gradients_.data() + k * size();
        evaluations_[k] = {statuses[k].loss / data.weight_sum + penalty(data.l1, data.l2, w, {d, d, d}),
                           steepest::gradient_norm(data.l1, w, g, {size(), size(), d})};
    }
}

template <class S>
void WholeSteps<S>::settle() {
    if (taken_ == done_) return;
    const Data<S>& data = this->data();
    const OnDevice here(data.device);
    const std::size_t bytes = size() * sizeof(T);
    keep_finite();
    copy(parameters_.w, first_w_.as<T>(), bytes, data.stream);
    for (int i = 0; i < max_states; ++i)
        if (parameters_.state[i]) copy(parameters_.state[i], first_state_[i].as<T>(), bytes, data.stream);
    for (std::size_t k = 0; k < taken_; ++k) take(k, rates_[k], n_steps_ - std::int64_t(taken_ - k) + 1);
    done_ = taken_;
}

template <class S>
void WholeSteps<S>::restore() {
    const OnDevice here(data().device);
    if (done_ > 0) keep_finite();
    settle();
    copy(parameters_.w, last_finite_.as<T>(), size() * sizeof(T), data().stream);
    wait(data().stream);
    done_ = taken_ = finite_at_ = 0;
    known_ = false;
}

template <class S>
void WholeSteps<S>::copy_parameters(T* host) const {
    if (taken_ > 0) {
        std::copy_n(host_path_.data() + (taken_ - 1) * size(), size(), host);
        return;
    }
    const OnDevice here(data().device);
    copy_to_host(host, parameters_.w, size() * sizeof(T), data().stream);
}

#define STEEPEST_INSTANTIATE(S, name) template class WholeSteps<S>;
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
