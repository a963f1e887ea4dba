// A loss bound to a sparse X on the device: its value, its gradient and its Hessian products over all rows, and
// descent.
#pragma once

#include <mutex>
#include <vector>

#include "cpp/math/rules.hpp"
#include "cuda/engine/descent.hpp"
#include "cuda/launch/gradient.hpp"
#include "cuda/launch/sparse.hpp"
#include "cuda/launch/update.hpp"

namespace steepest::cuda {

template <class T>
struct SparseData {
    SparseView<T> X;  // checked
    const T* y;
    const T* weight;  // null: all 1
    LossChoice loss;
    double weight_sum;
    bool intercept;
    double l1, l2;
    int device;
    Stream stream;

    std::size_t n_parameters() const { return X.n_columns + intercept; }
};

// F(w) as of `Objective`. Beyond X it takes 24 bytes a column, 8 a row (16 once a Hessian product was asked for) and 8
// for 1,024 rows and entries.
template <class T>
class SparseObjective {
  public:
    explicit SparseObjective(const SparseData<T>&);

    const SparseData<T>& data() const { return data_; }
    // w, v and the results are on the device. They throw std::invalid_argument where X was changed beyond its bounds.
    double value(const T* w);
    double value_and_gradient(const T* w, T* gradient);
    void hessian_product(const T* w, const T* v, T* product);
    // As of `Objective`.
    double gradient_norm(const T* w, const T* gradient) const;

  private:
    ColumnSums sums() const;
    void multiply(const T* w, Buffer& products);
    SlopesOf<T> slopes_at(const T* w) const;
    SparseTotals add_up(const SlopesOf<T>&, const T* penalised, T* out);
    double value_of(const SparseTotals&, const T* w) const;
    SparseTotals totals() const;

    SparseData<T> data_;
    std::mutex mutex_;  // of the buffers
    Buffer columns_, high_, low_, slots_, along_w_, along_v_, partial_, totals_, status_;
};

// Descent over all rows. An epoch is a step.
template <class T>
class SparseDescent {
  public:
    SparseDescent(std::shared_ptr<SparseObjective<T>>, int rule, const Hyperparameters&, T* w, T* const* state,
                  std::int64_t n_steps);
    Evaluation evaluate();
    // A step with this learning rate; with `path` (null: none) the parameters after it are written there, on the host.
    RunReport run(double learning_rate, T* path);
    void restore();
    void copy_parameters(T* host) const;  // w, to the host
    std::int64_t n_steps() const { return n_steps_; }

  private:
    std::shared_ptr<SparseObjective<T>> objective_;
    int rule_;
    Hyperparameters hyperparameters_;
    Parameters<T> parameters_;
    std::int64_t n_steps_;
    bool ready_ = false, finite_ = true;  // of the last evaluation
    Buffer gradient_, last_finite_;
};

}  // namespace steepest::cuda
