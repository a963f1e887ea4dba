#include "cpp/engine/standardised.hpp"

#include <stdexcept>
#include <string>

namespace steepest {

template <class T>
StandardisedSource<T>::StandardisedSource(const Source<T>& source, std::vector<double> centre,
                                          const std::vector<double>& scale)
    : Source<T>(source.n_rows, source.n_columns, source.weight_sum), source_(source), centre_(std::move(centre)) {
    for (const double s : scale) inverse_.push_back(1.0 / s);
    scaling_ = scaling_of<T>(centre_.data(), inverse_.data(), this->n_columns);
    if (scaling_.blockwise && !source.supports(Capability::standardised_blocks))
        throw std::invalid_argument(
            "centre and scale: this kind of data needs means of at most " + std::to_string(int(largest_shift<T>)) +
            " scales (the norm over the columns) and moderate scales, got others, by which sums would lose digits");
}

template <class T>
bool StandardisedSource<T>::supports(Capability capability) const {
    switch (capability) {
        case Capability::batches:
        case Capability::column_statistics:
            return source_.supports(capability);
        case Capability::two_points:
            return source_.supports(capability) && !scaling_.blockwise;
        case Capability::hessian:
            return source_.supports(capability) && source_.supports(Capability::standardised_blocks);
        default:
            return false;
    }
}

template <class T>
double* StandardisedSource<T>::sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    if (scaling_.blockwise)
        return source_.sums({pass.work, pass.loss, pass.point, pass.direction, pass.rows, &scaling_}, workspace,
                            interrupt);
    const Coefficients<T> point = over_raw_columns(scaling_, pass.point, workspace.raw_point);
    const Coefficients<T> direction = pass.work == Work::hessian_product
                                          ? over_raw_columns(scaling_, pass.direction, workspace.raw_direction)
                                          : point;
    double* values = source_.sums({pass.work, pass.loss, point, direction, pass.rows}, workspace, interrupt);
    if (pass.work == Work::value) return values;
    const SumsShape shape = pass.shape();
    for (std::size_t c = 0; c < shape.n_scores; ++c)
        standardise_sums(scaling_, values[shape.slope(c)], values + shape.gradient(c), shape.n_columns);
    return values;
}

template <class T>
double* StandardisedSource<T>::sums_at_two(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    const Coefficients<T> point = over_raw_columns(scaling_, pass.point, workspace.raw_point),
                          other = over_raw_columns(scaling_, pass.direction, workspace.raw_direction);
    double* values = source_.sums_at_two({pass.work, pass.loss, point, other, pass.rows}, workspace, interrupt);
    const SumsShape shape = pass.shape();
    for (double* sums : {values, values + shape.size()})
        standardise_sums(scaling_, sums[shape.slope(0)], sums + shape.gradient(0), shape.n_columns);
    return values;
}

// Always of columns that are standardised already: sums of the products of two raw ones would cost twice the digits.
template <class T>
HessianSums StandardisedSource<T>::hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const {
    Pass<T> inner = pass;
    inner.blocks = &scaling_;
    return source_.hessian(inner, with_gradient, interrupt);
}

template <class T>
void StandardisedSource<T>::column_statistics(double* mean, double* deviation, Interrupt& interrupt) const {
    source_.column_statistics(mean, deviation, interrupt);
    for (std::size_t j = 0; j < this->n_columns; ++j) {
        mean[j] = (mean[j] - centre_[j]) * inverse_[j];
        deviation[j] *= inverse_[j];
    }
}

template class StandardisedSource<float>;
template class StandardisedSource<double>;

}  // namespace steepest
