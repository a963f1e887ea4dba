// The softmax loss bound to data on the device: its value, gradient and products with its Hessian over all rows.
#pragma once

#include <memory>
#include <mutex>

#include "cuda/launch/softmax.hpp"

namespace steepest::cuda {

// F(w) = mean of the weighted losses + l1 |w|_1 + l2 / 2 |w|^2. Each of the classes has a row of parameters, whose last
// one is its intercept, if there are intercepts. They are not penalised.
template <class S>
struct SoftmaxData {
    Batch<S> rows;  // all of them
    double weight_sum;
    std::size_t n_classes;
    bool intercept;
    double l1, l2;
    int device;
    Stream stream;

    std::size_t n_parameters() const { return n_classes * (rows.n_columns + intercept); }
    std::size_t n_sums() const { return softmax_sums(n_classes, rows.n_columns); }
};

// The numbers of w, v and the results are float or double, as `uses_double` says.
class AnySoftmax {
  public:
    virtual ~AnySoftmax() = default;
    virtual bool uses_double() const = 0;
    virtual std::size_t n_parameters() const = 0;
    virtual std::size_t n_sums() const = 0;
    virtual const SoftmaxPlan& plan() const = 0;
    // Writes the gradient of the smooth part; returns the value with its L1 part. Both arrays are on the device.
    virtual double value_and_gradient(const void* w, void* gradient) = 0;
    virtual double value(const void* w) = 0;
    // Writes the Hessian of the smooth part at w times v. All are on the device.
    virtual void hessian_product(const void* w, const void* v, void* product) = 0;
    // What a pass adds up, neither averaged nor penalised: for each class d numbers of the gradient and the sum of the
    // slopes, then the loss. With v, the same of a product. All are on the host.
    virtual void sums(const void* w, const void* v, double* sums) = 0;
};

template <class S>
class SoftmaxObjective : public AnySoftmax {
  public:
    using T = ArithmeticOf<S>;
    // Throws std::invalid_argument where the rows and classes do not fit the device.
    explicit SoftmaxObjective(const SoftmaxData<S>& data);

    bool uses_double() const override { return sizeof(T) == sizeof(double); }
    std::size_t n_parameters() const override { return data_.n_parameters(); }
    std::size_t n_sums() const override { return data_.n_sums(); }
    const SoftmaxPlan& plan() const override { return plan_; }
    double value_and_gradient(const void* w, void* gradient) override;
    double value(const void* w) override;
    void hessian_product(const void* w, const void* v, void* product) override;
    void sums(const void* w, const void* v, double* sums) override;

  private:
    const SoftmaxPlan& product_plan();
    void pass(const T* w, const T* v, const SoftmaxResult<T>&);
    SoftmaxResult<T> gradient_to(const T* penalised, T* gradient);

    SoftmaxData<S> data_;
    SoftmaxPlan plan_, product_plan_{};
    std::mutex mutex_;  // of the buffers
    Buffer partial_, gradient_, loss_, point_, sums_;
};

}  // namespace steepest::cuda
