// A source of which the columns are standardised, by converting parameters and sums (scaling.hpp) or, where that would
// lose digits, block by block.
#pragma once

#include <utility>
#include <vector>

#include "cpp/engine/source.hpp"

namespace steepest {

template <class T>
class StandardisedSource : public Source<T> {
  public:
    // n_columns numbers each; the source must live as long as this one.
    StandardisedSource(const Source<T>& source, std::vector<double> centre, const std::vector<double>& scale);
    StandardisedSource(const StandardisedSource&) = delete;

    bool supports(Capability) const override;
    std::size_t n_elements() const override { return source_.n_elements(); }
    double* sums(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    double* sums_at_two(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    HessianSums hessian(const Pass<T>&, bool with_gradient, Interrupt&) const override;
    void column_statistics(double* mean, double* deviation, Interrupt&) const override;

  private:
    const Source<T>& source_;
    std::vector<double> centre_, inverse_;
    Scaling scaling_;
};

}  // namespace steepest
