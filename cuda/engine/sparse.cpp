#include "cuda/engine/sparse.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "cpp/math/penalty.hpp"

namespace steepest::cuda {

template <class T>
SparseObjective<T>::SparseObjective(const SparseData<T>& data) : data_(data) {
    const OnDevice here(data_.device);
    const std::size_t d = data_.X.n_columns;
    columns_.reserve(d * sizeof(Column));
    high_.reserve(sums_of(d) * sizeof(Limb));
    low_.reserve(d * sizeof(Limb));
    slots_.reserve(hot_columns * sizeof(std::size_t) + sizeof(unsigned));
    partial_.reserve(slope_chunks(data_.X.n_rows) * sizeof(SparseTotals));
    totals_.reserve(sizeof(SparseTotals));
    status_.reserve(sizeof(Status));
    fill_zero(status_.as<Status>(), sizeof(Status), data_.stream);
    describe_columns(data_.X, data_.weight, sums(), device(data_.device), data_.stream);
}

template <class T>
ColumnSums SparseObjective<T>::sums() const {
    auto* slots = slots_.as<std::size_t>();
    return {columns_.as<Column>(), high_.as<Limb>(), low_.as<Limb>(), reinterpret_cast<unsigned*>(slots + hot_columns),
            slots};
}

// The products of the rows with w: first those of the shares, then those of the rows.
template <class T>
void SparseObjective<T>::multiply(const T* w, Buffer& products) {
    const std::size_t shares = data_.X.shares().count;
    products.reserve((shares + data_.X.n_rows) * sizeof(double));
    cuda::multiply(data_.X, w, products.as<double>(), products.as<double>() + shares, device(data_.device),
                   data_.stream);
}

template <class T>
SlopesOf<T> SparseObjective<T>::slopes_at(const T* w) const {
    SlopesOf<T> of{};
    of.y = data_.y;
    of.weight = data_.weight;
    of.loss = data_.loss;
    of.bias = data_.intercept ? w + data_.X.n_columns : nullptr;
    of.carry = along_w_.as<double>();
    of.z = along_w_.as<double>() + data_.X.shares().count;
    of.partial = partial_.as<SparseTotals>();
    of.totals = totals_.as<SparseTotals>();
    return of;
}

template <class T>
SparseTotals SparseObjective<T>::totals() const {
    SparseTotals found;
    copy_to_host(&found, totals_.as<SparseTotals>(), sizeof(found), data_.stream);
    if (found.changed)
        throw std::invalid_argument(
            "X must not change while an objective uses it, got a value beyond the largest one that its column had; "
            "make "
            "a new objective");
    return found;
}

// Writes the mean of the rows times their slopes, plus l2 times what is penalised.
template <class T>
SparseTotals SparseObjective<T>::add_up(const SlopesOf<T>& of, const T* penalised, T* out) {
    add_rows(data_.X, of, sums(), device(data_.device), data_.stream);
    Step<T> step{};
    step.w = const_cast<T*>(penalised);  // only a rule writes there
    step.gradient = out;
    step.rule = no_rule;
    step.scale = 1.0 / data_.weight_sum;
    step.l2 = T(data_.l2);
    step.n_columns = data_.X.n_columns;
    step.intercept = data_.intercept;
    finish(sums().sums(), 1, step, 0, static_cast<T*>(nullptr), status_.as<Status>(), data_.stream);
    return totals();
}

template <class T>
double SparseObjective<T>::value_of(const SparseTotals& found, const T* w) const {
    const double value = found.loss / data_.weight_sum;
    if (data_.l1 == 0.0 && data_.l2 == 0.0) return value;
    const std::size_t d = data_.X.n_columns;
    std::vector<T> host(d);
    copy_to_host(host.data(), w, d * sizeof(T), data_.stream);
    return value + penalty(data_.l1, data_.l2, host.data(), {d, d, d});
}

template <class T>
double SparseObjective<T>::value(const T* w) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const OnDevice here(data_.device);
    multiply(w, along_w_);
    make_slopes(data_.X, slopes_at(w), sums(), data_.stream);
    return value_of(totals(), w);
}

template <class T>
double SparseObjective<T>::value_and_gradient(const T* w, T* gradient) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const OnDevice here(data_.device);
    multiply(w, along_w_);
    const SlopesOf<T> of = slopes_at(w);
    make_slopes(data_.X, of, sums(), data_.stream);
    return value_of(add_up(of, w, gradient), w);
}

template <class T>
void SparseObjective<T>::hessian_product(const T* w, const T* v, T* product) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const OnDevice here(data_.device);
    multiply(w, along_w_);
    multiply(v, along_v_);
    SlopesOf<T> of = slopes_at(w);
    of.along = data_.intercept ? v + data_.X.n_columns : nullptr;
    of.carry_u = along_v_.as<double>();
    of.u = along_v_.as<double>() + data_.X.shares().count;
    make_slopes(data_.X, of, sums(), data_.stream);
    add_up(of, v, product);
}

template <class T>
double SparseObjective<T>::gradient_norm(const T* w, const T* gradient) const {
    const OnDevice here(data_.device);
    const std::size_t n = data_.n_parameters();
    std::vector<T> host_w(n), host_gradient(n);
    copy_to_host(host_gradient.data(), gradient, n * sizeof(T), data_.stream);
    if (data_.l1 > 0.0) copy_to_host(host_w.data(), w, n * sizeof(T), data_.stream);
    return steepest::gradient_norm(data_.l1, host_w.data(), host_gradient.data(), {n, n, data_.X.n_columns});
}

template <class T>
SparseDescent<T>::SparseDescent(std::shared_ptr<SparseObjective<T>> objective, int rule,
                                const Hyperparameters& hyperparameters, T* w, T* const* state, std::int64_t n_steps)
    : objective_(std::move(objective)), rule_(rule), hyperparameters_(hyperparameters), n_steps_(n_steps) {
    const SparseData<T>& data = objective_->data();
    const OnDevice here(data.device);
    const std::size_t n = data.n_parameters();
    parameters_ = {w, {}, n, data.X.n_columns};
    std::copy_n(state, max_states, parameters_.state);
    gradient_.reserve(n * sizeof(T));
    last_finite_.reserve(n * sizeof(T));
    copy(last_finite_.as<T>(), w, n * sizeof(T), data.stream);
}

template <class T>
Evaluation SparseDescent<T>::evaluate() {
    const SparseData<T>& data = objective_->data();
    const OnDevice here(data.device);
    const double value = objective_->value_and_gradient(parameters_.w, gradient_.as<T>());
    ready_ = true;
    finite_ = std::isfinite(value);
    if (finite_) copy(last_finite_.as<T>(), parameters_.w, data.n_parameters() * sizeof(T), data.stream);
    return {value, objective_->gradient_norm(parameters_.w, gradient_.as<T>())};
}

template <class T>
RunReport SparseDescent<T>::run(double learning_rate, T* path) {
    const SparseData<T>& data = objective_->data();
    const OnDevice here(data.device);
    if (!ready_) evaluate();
    if (!finite_) {
        restore();
        return {0, false, true};
    }
    hyperparameters_.learning_rate = learning_rate;
    hyperparameters_.set_step(++n_steps_);
    update(rule_, parameters_, gradient_.as<T>(), hyperparameters_, T(data.l1), device(data.device), data.stream);
    ready_ = false;
    if (path) copy_to_host(path, parameters_.w, data.n_parameters() * sizeof(T), data.stream);
    return {1, true, false};
}

template <class T>
void SparseDescent<T>::copy_parameters(T* host) const {
    const SparseData<T>& data = objective_->data();
    const OnDevice here(data.device);
    copy_to_host(host, parameters_.w, data.n_parameters() * sizeof(T), data.stream);
}

template <class T>
void SparseDescent<T>::restore() {
    const SparseData<T>& data = objective_->data();
    const OnDevice here(data.device);
    copy(parameters_.w, last_finite_.as<T>(), data.n_parameters() * sizeof(T), data.stream);
    wait(data.stream);
    ready_ = false;
}

template class SparseObjective<float>;
template class SparseObjective<double>;
template class SparseDescent<float>;
template class SparseDescent<double>;

}  // namespace steepest::cuda
