// A source of some rows of another one, which stay where they lie: a sample that costs no copy.
#pragma once

#include <cstdint>

#include "cpp/engine/source.hpp"

namespace steepest {

template <class T>
class SelectedSource : public Source<T> {
  public:
    // `count` numbers of rows; they and the source must live as long as this one.
    SelectedSource(const Source<T>& source, const std::uint32_t* index, std::size_t count, double weight_sum)
        : Source<T>(count, source.n_columns, weight_sum), source_(source), index_(index) {}

    bool supports(Capability capability) const override {
        const bool can = capability == Capability::hessian || capability == Capability::standardised_blocks;
        return can && source_.supports(capability);
    }
    std::size_t n_elements() const override {
        return std::size_t(double(source_.n_elements()) * (double(this->n_rows) / double(source_.n_rows)));
    }
    double* sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const override {
        return source_.sums(of_source(pass), workspace, interrupt);
    }
    HessianSums hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const override {
        return source_.hessian(of_source(pass), with_gradient, interrupt);
    }

  private:
    // The same pass over rows of the source.
    Pass<T> of_source(Pass<T> pass) const {
        const Selection& rows = pass.rows;
        pass.rows = {index_ + rows.begin, 0, rows.count, this->n_rows - rows.begin - rows.count};
        return pass;
    }

    const Source<T>& source_;
    const std::uint32_t* index_;
};

}  // namespace steepest
