#include "cuda/engine/objective.hpp"

#include <vector>

#include "cpp/math/penalty.hpp"
#include "cuda/launch/stream.hpp"

namespace steepest::cuda {

template <class S>
Objective<S>::Objective(const Data<S>& data) : data_(data) {
    const OnDevice here(data_.device);
    plan_ = plan_pass<S>(data_.layout(), device(data_.device), data_.tiling);
    if (plan_.tiling == Tiling::stream) {
        scattered_ = plan_pass<S>(data_.layout(), device(data_.device), Tiling::lanes);
    }
    counters_.reserve(stream_counter_bytes());
    fill_zero(counters_.as<void>(), stream_counter_bytes(), data_.stream);
    status_.reserve(sizeof(Status));
    fill_zero(status_.as<Status>(), sizeof(Status), data_.stream);
}

template <class S>
void Objective<S>::pass(const Batch<S>& rows, const Step<T>& step, std::size_t at, T* path, Status* status) {
    const std::size_t n_chunks = chunks_of<S>(plan_, rows.count, rows.n_columns);
    partial_.reserve(stream_sums(n_chunks, rows.n_columns) * sizeof(double));
    if (plan_.tiling == Tiling::stream && !rows.index)
        return stream_rows(plan_, rows, n_chunks, step, at, path, status, partial_.as<double>(), counters_.as<void>(),
                           data_.stream);
    const Plan& plan = plan_of_sums();
    scratch_.reserve(scratch_of(plan) * sizeof(T));
    sum_rows(plan, rows, step.w, data_.intercept, partial_.as<double>(), scratch_.as<T>(), next_chunk(), data_.stream);
    finish(partial_.as<double>(), n_chunks, step, at, path, status, data_.stream);
}

template <class S>
double Objective<S>::value_and_gradient(const T* w, T* gradient) {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    const OnDevice here(data_.device);
    const std::size_t d = data_.rows.n_columns;
    Step<T> step{};
    step.w = const_cast<T*>(w);  // only a rule writes there
    step.gradient = gradient;
    step.rule = no_rule;
    step.scale = 1.0 / data_.weight_sum;
    step.l2 = T(data_.l2);
    step.n_columns = d;
    step.intercept = data_.intercept;
    pass(data_.rows, step, 0, nullptr, status_.as<Status>());
    Status status;
    copy_to_host(&status, status_.as<Status>(), sizeof(Status), data_.stream);
    double value = status.loss / data_.weight_sum;
    if (data_.l1 != 0.0 || data_.l2 != 0.0) {
        std::vector<T> host(d);
        copy_to_host(host.data(), w, d * sizeof(T), data_.stream);
        value += penalty(data_.l1, data_.l2, host.data(), {d, d, d});
    }
    return value;
}

template <class S>
double Objective<S>::value(const T* w) {
    {
        const std::lock_guard<std::recursive_mutex> lock(mutex_);
        const OnDevice here(data_.device);
        gradient_.reserve(data_.n_parameters() * sizeof(T));
    }
    return value_and_gradient(w, gradient_.as<T>());
}

template <class S>
double Objective<S>::gradient_norm(const T* w, const T* gradient) const {
    const OnDevice here(data_.device);
    const std::size_t n = data_.n_parameters();
    std::vector<T> host_w(n), host_gradient(n);
    copy_to_host(host_gradient.data(), gradient, n * sizeof(T), data_.stream);
    if (data_.l1 > 0.0) copy_to_host(host_w.data(), w, n * sizeof(T), data_.stream);
    return steepest::gradient_norm(data_.l1, host_w.data(), host_gradient.data(), {n, n, data_.rows.n_columns});
}

#define STEEPEST_INSTANTIATE(S, name) template class Objective<S>;
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
