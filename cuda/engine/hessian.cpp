#include "cuda/launch/hessian.hpp"

#include "cuda/engine/objective.hpp"

namespace steepest::cuda {

template <class S>
const Plan& Objective<S>::product_plan() {
    if (product_plan_.tiling == Tiling::automatic)
        product_plan_ = plan_product<S>(data_.layout(), device(data_.device), data_.tiling);
    return product_plan_;
}

// Leaves the sums of chunks in partial_; returns how many chunks there are.
template <class S>
std::size_t Objective<S>::add_products(const T* w, const T* v) {
    const Batch<S>& rows = data_.rows;
    const Plan& plan = product_plan();
    const std::size_t n_chunks = product_chunks<S>(plan, rows.count, rows.n_columns);
    partial_.reserve(n_chunks * sums_of(rows.n_columns) * sizeof(double));
    scratch_.reserve(product_scratch(plan, rows.count) * sizeof(T));
    sum_products(plan, rows, w, v, data_.intercept, partial_.as<double>(), scratch_.as<T>(), next_chunk(),
                 data_.stream);
    return n_chunks;
}

template <class S>
void Objective<S>::hessian_product(const T* w, const T* v, T* product) {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    const OnDevice here(data_.device);
    const std::size_t n_chunks = add_products(w, v);
    Step<T> step{};
    step.w = const_cast<T*>(v);  // only a rule writes there
    step.gradient = product;
    step.rule = no_rule;
    step.scale = 1.0 / data_.weight_sum;
    step.l2 = T(data_.l2);
    step.n_columns = data_.rows.n_columns;
    step.intercept = data_.intercept;
    finish(partial_.as<double>(), n_chunks, step, 0, static_cast<T*>(nullptr), status_.as<Status>(), data_.stream);
    wait(data_.stream);
}

template <class S>
void Objective<S>::sums(const T* w, double* sums) {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    const OnDevice here(data_.device);
    const Batch<S>& rows = data_.rows;
    const std::size_t n = data_.n_parameters(), stride = sums_of(rows.n_columns);
    const std::size_t n_chunks = chunks_of<S>(plan_, rows.count, rows.n_columns);
    point_.reserve(2 * n * sizeof(T));
    sums_.reserve(stride * sizeof(double));
    partial_.reserve(n_chunks * stride * sizeof(double));
    const Plan& plan = plan_of_sums();
    scratch_.reserve(scratch_of(plan) * sizeof(T));
    copy_to_device(point_.as<T>(), w, n * sizeof(T), data_.stream);
    sum_rows(plan, rows, point_.as<T>(), data_.intercept, partial_.as<double>(), scratch_.as<T>(), next_chunk(),
             data_.stream);
    add_chunks(partial_.as<double>(), n_chunks, stride, sums_.as<double>(), data_.stream);
    copy_to_host(sums, sums_.as<double>(), stride * sizeof(double), data_.stream);
}

template <class S>
void Objective<S>::product_sums(const T* w, const T* v, double* sums) {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    const OnDevice here(data_.device);
    const std::size_t n = data_.n_parameters(), stride = sums_of(data_.rows.n_columns);
    point_.reserve(2 * n * sizeof(T));
    sums_.reserve(stride * sizeof(double));
    copy_to_device(point_.as<T>(), w, n * sizeof(T), data_.stream);
    copy_to_device(point_.as<T>() + n, v, n * sizeof(T), data_.stream);
    const std::size_t n_chunks = add_products(point_.as<T>(), point_.as<T>() + n);
    add_chunks(partial_.as<double>(), n_chunks, stride, sums_.as<double>(), data_.stream);
    copy_to_host(sums, sums_.as<double>(), stride * sizeof(double), data_.stream);
}

#define STEEPEST_INSTANTIATE(S, name)                                                                              \
    template void Objective<S>::hessian_product(const ArithmeticOf<S>*, const ArithmeticOf<S>*, ArithmeticOf<S>*); \
    template void Objective<S>::sums(const ArithmeticOf<S>*, double*);                                             \
    template void Objective<S>::product_sums(const ArithmeticOf<S>*, const ArithmeticOf<S>*, double*);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
