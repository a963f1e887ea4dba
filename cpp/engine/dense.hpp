// The source of a dense X, row- or column-major, stored as S.
#pragma once

#include "cpp/engine/source.hpp"

namespace steepest {

template <class S>
class DenseSource : public Source<ArithmeticOf<S>> {
  public:
    using T = ArithmeticOf<S>;
    // Views: the arrays must live as long as the source. `weight` may be null: all 1.
    DenseSource(const Matrix<S>& X, const T* y, const T* weight, double weight_sum)
        : Source<T>(X.n_rows, X.n_columns, weight_sum), X_(X), y_(y), weight_(weight) {}

    bool supports(Capability capability) const override { return capability != Capability::row_entries; }
    std::size_t n_elements() const override { return X_.n_rows * X_.n_columns; }
    double* sums(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    const T* row_slopes(const LossChoice& loss, const Coefficients<T>&, const Selection&, T* slopes,
                        Workspace<T>&) const override;
    HessianSums hessian(const Pass<T>&, bool with_gradient, Interrupt&) const override;
    void column_statistics(double* mean, double* deviation, Interrupt&) const override;

  private:
    Rows<S> rows(const Selection& s) const { return {X_, y_, weight_, s.index, s.begin, s.count, s.ahead}; }

    Matrix<S> X_;
    const T* y_;
    const T* weight_;
};

}  // namespace steepest
