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
    // Of a gradient on the device; with L1 that of the subgradient nearest to 0.
    double gradient_norm(const T* w, const T* gradient) const;

    // The first stage over some rows, then the second with this step; asynchronous.
    void pass(const Batch<S>& rows, const Step<T>&, std::size_t at, T* path, Status*);
    // Held until what was asked for is done: other threads may be on other streams.
    std::recursive_mutex& mutex() { return mutex_; }

  private:
    Data<S> data_;
    Plan plan_;
    Plan scattered_;  // for rows that are not in sequence, where those in sequence stream
    std::recursive_mutex mutex_;  // of the buffers
    Buffer partial_, scratch_, gradient_, status_, counters_;
};

}  // namespace steepest::cuda
