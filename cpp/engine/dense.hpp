// The source of a dense X, row- or column-major, stored as S.
#pragma once

#include "cpp/engine/source.hpp"

namespace steepest {

// Brings rows into memory for the threads of a pass. They do not throw.
template <class S>
class RowReader {
  public:
    virtual ~RowReader() = default;
    // The pass has so many threads, and asks for no more elements at a time.
    virtual void start(int n_threads, std::size_t most_elements) = 0;
    virtual Rows<S> read(const Rows<S>& rows, int thread) = 0;
};

template <class S>
class DenseSource : public Source<ArithmeticOf<S>> {
  public:
    using T = ArithmeticOf<S>;
    // Views: the arrays must live as long as the source. `weight` may be null: all 1.
    DenseSource(const Matrix<S>& X, const T* y, const T* weight, double weight_sum)
        : Source<T>(X.n_rows, X.n_columns, weight_sum), X_(X), y_(y), weight_(weight) {}

    bool supports(Capability capability) const override {
        if (capability == Capability::two_points) return !is_widened<S> && X_.order == Order::row_major;
        return capability != Capability::row_entries;
    }
    std::size_t n_elements() const override { return X_.n_rows * X_.n_columns; }
    double* sums(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    double* sums_at_two(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    const T* row_slopes(const LossChoice& loss, const Coefficients<T>&, const Selection&, T* slopes,
                        Workspace<T>&) const override;
    HessianSums hessian(const Pass<T>&, bool with_gradient, Interrupt&) const override;
    void column_statistics(double* mean, double* deviation, Interrupt&) const override;

  protected:
    // The sums of a pass. Without a reader, the rows are in memory.
    double* add_up(const Pass<T>&, Workspace<T>&, Interrupt&, RowReader<S>* reader) const;

  private:
    Rows<S> rows(const Selection& s) const { return {X_, y_, weight_, s.index, s.begin, s.count, s.ahead}; }

    Matrix<S> X_;
    const T* y_;
    const T* weight_;
};

}  // namespace steepest
