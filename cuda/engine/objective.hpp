// A loss bound to data on the device: its value and its gradient over all rows.
#pragma once

#include <mutex>

#include "cuda/kernels/plan.hpp"
#include "cuda/launch/device.hpp"
#include "cuda/launch/gradient.hpp"

namespace steepest::cuda {

// F(w) = mean of the weighted losses + l1 |w|_1 + l2 / 2 |w|^2, the intercept being the last parameter, not penalised.
template <class S>
struct Data {
    Batch<S> rows;  // all of them
    double weight_sum;
    bool intercept;
    double l1, l2;
    int device;
    Stream stream;
    Tiling tiling = Tiling::automatic;

    Layout layout() const { return {rows.n_columns, rows.row_major, rows.aligned}; }
    std::size_t n_parameters() const { return rows.n_columns + intercept; }
};

template <class S>
class Objective {
  public:
    using T = ArithmeticOf<S>;
    // Throws std::invalid_argument where no tiling, or not the one asked for, fits the data and the device.
    explicit Objective(const Data<S>& data);

    const Data<S>& data() const { return data_; }
    const Plan& plan() const { return plan_; }
    // Writes the gradient of the smooth part; returns the value with its L1 part. w and gradient are on the device.
    double value_and_gradient(const T* w, T* gradient);
    double value(const T* w);
    // Writes the Hessian of the smooth part at w times v. All are on the device.
    void hessian_product(const T* w, const T* v, T* product);
    // What a pass adds up, neither averaged nor penalised: d numbers of the gradient, the sum of the slopes, and the
    // loss (a product has a 0 there). All are on the host.
    void sums(const T* w, double* sums);
    void product_sums(const T* w, const T* v, double* sums);
    // Of a gradient on the device; with L1 that of the subgradient nearest to 0.
    double gradient_norm(const T* w, const T* gradient) const;

    // The first stage over some rows, then the second with this step; asynchronous.
    void pass(const Batch<S>& rows, const Step<T>&, std::size_t at, T* path, Status*);
    // Held until what was asked for is done: other threads may be on other streams.
    std::recursive_mutex& mutex() { return mutex_; }

  private:
    // Of passes that leave the sums of chunks.
    const Plan& plan_of_sums() const { return plan_.tiling == Tiling::stream ? scattered_ : plan_; }
    // The first of the counters: whatever hands out chunks leaves it 0.
    unsigned* next_chunk() const { return counters_.as<unsigned>(); }
    const Plan& product_plan();
    std::size_t add_products(const T* w, const T* v);

    Data<S> data_;
    Plan plan_;
    Plan scattered_;  // for rows that are not in sequence and for sums, where others stream
    Plan product_plan_{};  // whose tiling is `automatic` until a product was asked for
    std::recursive_mutex mutex_;  // of the buffers
    Buffer partial_, scratch_, gradient_, status_, counters_, point_, sums_;
};

}  // namespace steepest::cuda
