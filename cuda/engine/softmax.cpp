#include "cuda/engine/softmax.hpp"

#include <vector>

#include "cpp/math/penalty.hpp"

namespace steepest::cuda {

template <class S>
SoftmaxObjective<S>::SoftmaxObjective(const SoftmaxData<S>& data) : data_(data) {
    const OnDevice here(data_.device);
    const Batch<S>& rows = data_.rows;
    const Layout layout{rows.n_columns, rows.row_major, rows.aligned};
    plan_ = plan_softmax<S>(layout, device(data_.device), rows.count, data_.n_classes, false);
    loss_.reserve(sizeof(double));
}

template <class S>
const SoftmaxPlan& SoftmaxObjective<S>::product_plan() {
    const Batch<S>& rows = data_.rows;
    const Layout layout{rows.n_columns, rows.row_major, rows.aligned};
    if (product_plan_.blocks == 0)
        product_plan_ = plan_softmax<S>(layout, device(data_.device), rows.count, data_.n_classes, true);
    return product_plan_;
}

template <class S>
void SoftmaxObjective<S>::pass(const T* w, const T* v, const SoftmaxResult<T>& result) {
    const SoftmaxPlan& plan = v ? product_plan() : plan_;
    const ClassParameters<T> at{w, v, data_.n_classes, data_.intercept};
    partial_.reserve(plan.parts() * data_.n_sums() * sizeof(double));
    sum_softmax_rows(plan, data_.rows, at, partial_.as<double>(), data_.stream);
    finish_softmax(plan, partial_.as<double>(), data_.rows.n_columns, at, result, data_.stream);
}

template <class S>
SoftmaxResult<ArithmeticOf<S>> SoftmaxObjective<S>::gradient_to(const T* penalised, T* gradient) {
    return {nullptr, penalised, gradient, 1.0 / data_.weight_sum, T(data_.l2), loss_.as<double>()};
}

template <class S>
double SoftmaxObjective<S>::value_and_gradient(const void* w, void* gradient) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const OnDevice here(data_.device);
    const T* at = static_cast<const T*>(w);
    pass(at, nullptr, gradient_to(at, static_cast<T*>(gradient)));
    double loss = 0.0;
    copy_to_host(&loss, loss_.as<double>(), sizeof(loss), data_.stream);
    double value = loss / data_.weight_sum;
    if (data_.l1 != 0.0 || data_.l2 != 0.0) {
        const std::size_t n = data_.n_parameters(), d = data_.rows.n_columns;
        std::vector<T> host(n);
        copy_to_host(host.data(), w, n * sizeof(T), data_.stream);
        value += penalty(data_.l1, data_.l2, host.data(), {n, d + data_.intercept, d});
    }
    return value;
}

template <class S>
double SoftmaxObjective<S>::value(const void* w) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        const OnDevice here(data_.device);
        gradient_.reserve(data_.n_parameters() * sizeof(T));
    }
    return value_and_gradient(w, gradient_.as<T>());
}

template <class S>
void SoftmaxObjective<S>::hessian_product(const void* w, const void* v, void* product) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const OnDevice here(data_.device);
    const T* along = static_cast<const T*>(v);
    pass(static_cast<const T*>(w), along, gradient_to(along, static_cast<T*>(product)));
    wait(data_.stream);
}

template <class S>
void SoftmaxObjective<S>::sums(const void* w, const void* v, double* sums) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const OnDevice here(data_.device);
    const std::size_t n = data_.n_parameters(), bytes = data_.n_sums() * sizeof(double);
    point_.reserve(2 * n * sizeof(T));
    sums_.reserve(bytes);
    T* at = point_.as<T>();
    copy_to_device(at, w, n * sizeof(T), data_.stream);
    if (v) copy_to_device(at + n, v, n * sizeof(T), data_.stream);
    SoftmaxResult<T> result{};
    result.sums = sums_.as<double>();
    pass(at, v ? at + n : nullptr, result);
    copy_to_host(sums, sums_.as<double>(), bytes, data_.stream);
}

#define STEEPEST_INSTANTIATE(S, name) template class SoftmaxObjective<S>;
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
