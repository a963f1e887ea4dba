#include "cuda/engine/descent.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "cuda/launch/order.hpp"

namespace steepest::cuda {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto short_launch = std::chrono::milliseconds(5);
constexpr auto long_launch = std::chrono::milliseconds(40);

// Appends the rule's struct with these numbers.
template <class T>
void append_rule(int rule, const Hyperparameters& h, std::vector<unsigned char>& bytes) {
    const auto append = [&bytes](const auto& made) {
        const std::size_t at = bytes.size();
        bytes.resize(at + sizeof(made));
        std::memcpy(bytes.data() + at, &made, sizeof(made));
    };
    switch (rule) {
#define STEEPEST_CASE(Rule, name) \
    case id_of_##Rule:            \
        return append(Rule<T>(h));
        STEEPEST_FOR_EACH_RULE(STEEPEST_CASE)
#undef STEEPEST_CASE
    }
}

}  // namespace

template <class S>
Descent<S>::Descent(std::shared_ptr<Objective<S>> objective, int rule, const Hyperparameters& hyperparameters, T* w,
                    T* const* state, std::int64_t n_steps, std::size_t batch_size)
    : objective_(std::move(objective)), hyperparameters_(hyperparameters), step_{}, n_steps_(n_steps) {
    const Data<S>& data = objective_->data();
    const OnDevice here(data.device);
    batch_size_ = batch_size < data.rows.count ? batch_size : 0;
    if (batch_size_ == 0) {
        whole_ = std::make_unique<WholeSteps<S>>(objective_, rule, hyperparameters, w, state, n_steps);
        return;
    }
    step_.w = w;
    std::copy_n(state, max_states, step_.state);
    step_.rule = rule;
    step_.l1 = T(data.l1);
    step_.l2 = T(data.l2);
    step_.n_columns = data.rows.n_columns;
    step_.intercept = data.intercept;
    const std::size_t n = data.n_parameters();
    gradient_.reserve(n * sizeof(T));
    last_finite_.reserve(n * sizeof(T));
    copy(last_finite_.as<T>(), w, n * sizeof(T), data.stream);
    status_.reserve(sizeof(Status));
    plan_ = plan_epoch<S>(data.layout(), batch_size_, device(data.device), data.tiling);
    if (plan_.fits) partial_.reserve(2 * plan_.n_chunks * sums_of(data.rows.n_columns) * sizeof(double));
}

template <class S>
void Descent<S>::start_epoch(const std::uint32_t* order) {
    const Data<S>& data = objective_->data();
    left_in_epoch_ = batch_size_ ? data.rows.count : 1;
    shuffled_ = batch_size_ && order;
    if (!shuffled_) return;
    const OnDevice here(data.device);
    order_.reserve(data.rows.count * sizeof(std::uint32_t));
    copy_to_device(order_.as<std::uint32_t>(), order, data.rows.count * sizeof(std::uint32_t), data.stream);
    wait(data.stream);  // the caller's order may go
}

template <class S>
void Descent<S>::shuffle_epoch(std::uint64_t seed, std::uint64_t epoch) {
    const Data<S>& data = objective_->data();
    const std::size_t n = data.rows.count;
    left_in_epoch_ = batch_size_ ? n : 1;
    shuffled_ = batch_size_ > 0;
    if (!shuffled_) return;
    const OnDevice here(data.device);
    order_.reserve(n * sizeof(std::uint32_t));
    counts_.reserve(bytes_of_counts(n));
    make_order(n, seed, epoch, order_.as<std::uint32_t>(), counts_.as<std::uint32_t>(), device(data.device),
               data.stream);
}

template <class S>
Evaluation Descent<S>::evaluate() {
    if (whole_) return whole_->evaluate();
    const Data<S>& data = objective_->data();
    const OnDevice here(data.device);
    const double value = objective_->value_and_gradient(step_.w, gradient_.as<T>());
    if (std::isfinite(value)) copy(last_finite_.as<T>(), step_.w, data.n_parameters() * sizeof(T), data.stream);
    return {value, objective_->gradient_norm(step_.w, gradient_.as<T>())};
}

template <class S>
void Descent<S>::restore() {
    if (whole_) return whole_->restore();
    const Data<S>& data = objective_->data();
    const OnDevice here(data.device);
    copy(step_.w, last_finite_.as<T>(), data.n_parameters() * sizeof(T), data.stream);
    wait(data.stream);
}

template <class S>
void Descent<S>::settle() {
    if (whole_) whole_->settle();
}

template <class S>
void Descent<S>::copy_parameters(T* host) const {
    if (whole_) return whole_->copy_parameters(host);
    const Data<S>& data = objective_->data();
    const OnDevice here(data.device);
    copy_to_host(host, step_.w, data.n_parameters() * sizeof(T), data.stream);
}

// An epoch of one step over all rows.
template <class S>
RunReport Descent<S>::whole_step(const double* learning_rates, std::size_t n, T* path, Interrupt& interrupt) {
    RunReport report;
    if (n > 0 && left_in_epoch_ > 0) {
        if (!whole_->step(learning_rates, n)) {
            whole_->restore();
            report.diverged = true;
            return report;
        }
        if (path) whole_->copy_parameters(path);
        report.n_steps = 1;
        left_in_epoch_ = 0;
        if (interrupt.poll()) throw Interrupted{};
    }
    report.epoch_done = left_in_epoch_ == 0;
    return report;
}

// The rule of each of the next n steps, in memory of the device.
template <class S>
const void* Descent<S>::make_rules(const double* learning_rates, std::size_t n) {
    rules_on_host_.clear();
    Hyperparameters h = hyperparameters_;
    for (std::size_t i = 0; i < n; ++i) {
        h.learning_rate = learning_rates[i];
        h.set_step(n_steps_ + std::int64_t(i) + 1);
        append_rule<T>(step_.rule, h, rules_on_host_);
    }
    rules_.reserve(rules_on_host_.size());
    copy_to_device(rules_.as<void>(), rules_on_host_.data(), rules_on_host_.size(), objective_->data().stream);
    return rules_.as<void>();
}

template <class S>
Batch<S> Descent<S>::rows_left() const {
    Batch<S> rows = objective_->data().rows;
    if (shuffled_) rows.index = order_.as<std::uint32_t>();
    return rows.part(rows.count - left_in_epoch_, left_in_epoch_);
}

// Takes n steps of mini-batches; returns how many were taken before a loss was not finite.
template <class S>
std::size_t Descent<S>::launch_steps(const double* learning_rates, std::size_t n, T* path) {
    const Data<S>& data = objective_->data();
    const std::size_t n_parameters = data.n_parameters();
    Batch<S> rows = rows_left();
    rows.count = std::min(rows.count, n * batch_size_);
    HostReads reads(data.stream);  // of the rules
    step_.rules = make_rules(learning_rates, n);
    step_.scale = double(data.rows.count) / data.weight_sum;
    if (path) path_.reserve(n * n_parameters * sizeof(T));
    T* device_path = path ? path_.as<T>() : nullptr;
    Status* status = status_.as<Status>();
    const std::lock_guard<std::recursive_mutex> lock(objective_->mutex());
    fill_zero(status, sizeof(Status), data.stream);
    if (plan_.fits) {
        run_steps(plan_, Steps<S>{rows, batch_size_, n, step_, partial_.as<double>(), device_path, status},
                  data.stream);
    } else {
        for (std::size_t i = 0; i < n; ++i) {
            const Batch<S> batch = rows.part(i * batch_size_, std::min(batch_size_, rows.count - i * batch_size_));
            Step<T> step = step_;
            step.scale /= double(batch.count);
            objective_->pass(batch, step, i, device_path ? device_path + i * n_parameters : nullptr, status);
        }
    }
    Status done;
    copy_to_host(&done, status, sizeof(Status), data.stream);
    reads.done();
    if (path && done.steps)
        copy_to_host(path, device_path, std::size_t(done.steps) * n_parameters * sizeof(T), data.stream);
    return std::size_t(done.steps);
}

template <class S>
RunReport Descent<S>::run(const double* learning_rates, std::size_t n, double seconds, T* path, Interrupt& interrupt) {
    if (whole_) return whole_step(learning_rates, n, path, interrupt);
    const Data<S>& data = objective_->data();
    const OnDevice here(data.device);
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    RunReport report;
    while (report.n_steps < n && left_in_epoch_ > 0) {
        const std::size_t left = (left_in_epoch_ + batch_size_ - 1) / batch_size_;
        const std::size_t wanted = std::min({n - report.n_steps, left, slice_});
        const auto start = Clock::now();
        const double* rates = learning_rates + report.n_steps;
        T* out = path ? path + report.n_steps * data.n_parameters() : nullptr;
        const std::size_t taken = launch_steps(rates, wanted, out);
        report.n_steps += taken;
        n_steps_ += std::int64_t(taken);
        if (taken < wanted) {
            report.diverged = true;
            restore();
            return report;
        }
        left_in_epoch_ -= std::min(left_in_epoch_, wanted * batch_size_);
        const auto now = Clock::now();
        if (now - start < short_launch) slice_ = std::min(2 * slice_, max_slice);
        if (now - start > long_launch) slice_ = std::max<std::size_t>(slice_ / 2, 1);
        if (interrupt.poll()) throw Interrupted{};
        if (now >= end) break;
    }
    report.epoch_done = left_in_epoch_ == 0;
    return report;
}

#define STEEPEST_INSTANTIATE(S, name) template class Descent<S>;
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
