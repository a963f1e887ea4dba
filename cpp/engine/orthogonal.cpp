#include "cpp/engine/orthogonal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cpp/engine/dispatch.hpp"

namespace steepest {
namespace {

using Real = OrthogonalRows::Real;

Real as_real(DoubleDouble x) { return Real(x.high) + Real(x.low); }

DoubleDouble halves_of(Real x) {
    const auto high = double(x);
    return {high, double(x - Real(high))};
}

constexpr int widest = 900;  // binary orders, so that the lower halves of the smallest numbers are normal

struct Range {
    int exponent = 0;  // of the power of two above the largest number; 0 if one is not finite
    bool is_wide = false;
};

// Of n numbers, `stride` apart. Zeros do not count.
Range range_of(const Real* numbers, std::size_t n, std::size_t stride) {
    Real largest = 0, smallest = std::numeric_limits<Real>::infinity();
    for (std::size_t i = 0; i < n; ++i) {
        const Real size = std::abs(numbers[i * stride]);
        largest = std::max(largest, size);
        if (size > 0 && size < smallest) smallest = size;
    }
    Range found;
    if (std::isfinite(largest)) std::frexp(largest, &found.exponent);
    found.is_wide = smallest < std::ldexp(Real(1), found.exponent - widest);
    return found;
}

}  // namespace

OrthogonalRows::Columns::Columns(std::size_t n, std::size_t count)
    : length_((n + double_double_lanes - 1) / double_double_lanes * double_double_lanes),
      numbers_(2 * count * length_) {}

DoubleDoubles<double> OrthogonalRows::Columns::operator[](std::size_t j) {
    double* high = numbers_.data() + 2 * j * length_;
    return {high, high + length_};
}

DoubleDoubles<const double> OrthogonalRows::Columns::operator[](std::size_t j) const {
    const double* high = numbers_.data() + 2 * j * length_;
    return {high, high + length_};
}

void OrthogonalRows::Columns::set(std::size_t j, const Real* numbers, std::size_t n, std::size_t stride, int exponent) {
    const DoubleDoubles<double> own = (*this)[j];
    const Real factor = std::ldexp(Real(1), -exponent);
    for (std::size_t i = 0; i < n; ++i) {
        const DoubleDouble each = halves_of(numbers[i * stride] * factor);
        own.high[i] = each.high, own.low[i] = each.low;
    }
}

OrthogonalRows::OrthogonalRows(const Real* rows, std::size_t n, std::size_t p, double dependent)
    : n_(n), p_(p), exponents_(p), given_(n, p), columns_(n, 0), norms_(p), triangle_(p * p) {
    const DoubleDoubleTable& kernels = double_doubles();
    const std::size_t length = given_.length();
    for (std::size_t j = 0; j < p; ++j) {
        const Range range = range_of(rows + j, n, p);
        exponents_[j] = range.exponent;
        given_.set(j, rows + j, n, p, range.exponent);
        const DoubleDoubles<const double> own = std::as_const(given_)[j];
        norms_[j] = range.is_wide ? Real(NAN) : std::sqrt(as_real(kernels.product(own, own, length)));
    }
    columns_ = given_;
    for (std::size_t j = 0; j < p; ++j) {
        const DoubleDoubles<double> own = columns_[j];
        const DoubleDoubles<const double> unit = std::as_const(columns_)[j];
        Real* shares = triangle_.data() + j * p;
        const Real left = std::sqrt(as_real(kernels.product(unit, unit, length)));
        if (!(left > Real(dependent) * norms_[j])) {
            std::fill_n(own.high, 2 * length, 0.0);
            continue;
        }
        shares[j] = left;
        kernels.multiply(own, halves_of(1 / left), length);
        for (std::size_t k = j + 1; k < p; ++k) {
            shares[k] = as_real(kernels.product(unit, std::as_const(columns_)[k], length));
            kernels.subtract(columns_[k], halves_of(shares[k]), unit, length);
        }
    }
}

void OrthogonalRows::triangle(Real* triangle) const {
    for (std::size_t j = 0; j < p_; ++j)
        for (std::size_t k = 0; k < p_; ++k) triangle[j * p_ + k] = std::ldexp(triangle_[j * p_ + k], exponents_[k]);
}

void OrthogonalRows::lengths(Real* lengths) const {
    for (std::size_t j = 0; j < p_; ++j) lengths[j] = std::ldexp(norms_[j], exponents_[j]);
}

void OrthogonalRows::invert(Real* inverse) const {
    const std::size_t p = p_;
    for (std::size_t c = 0; c < p; ++c) {
        for (std::size_t j = p; j-- > 0;) {
            const Real* row = triangle_.data() + j * p;
            Real sum = 0;
            for (std::size_t k = j + 1; k < p; ++k) sum += row[k] * inverse[k * p + c];
            inverse[j * p + c] = (Real(j == c) - sum) / row[j];
        }
    }
    for (std::size_t j = 0; j < p; ++j)
        for (std::size_t c = 0; c < p; ++c) inverse[j * p + c] = std::ldexp(inverse[j * p + c], -exponents_[j]);
}

void OrthogonalRows::solve(const Real* targets, std::size_t refinements, Real* w) const {
    const DoubleDoubleTable& kernels = double_doubles();
    const Range range = range_of(targets, n_, 1);
    if (range.is_wide) {
        std::fill_n(w, p_, Real(NAN));
        return;
    }
    Columns exact(n_, 1);
    exact.set(0, targets, n_, 1, range.exponent);
    std::vector<Real> shares(p_), change(p_);
    std::fill_n(w, p_, Real(0));
    for (std::size_t turn = 0; turn <= refinements; ++turn) {
        Columns copy = exact;
        const DoubleDoubles<double> residual = copy[0];
        for (std::size_t j = 0; turn > 0 && j < p_; ++j)
            kernels.subtract(residual, halves_of(w[j]), given_[j], given_.length());
        for (std::size_t j = 0; j < p_; ++j) {
            shares[j] = as_real(kernels.product(columns_[j], std::as_const(copy)[0], columns_.length()));
            kernels.subtract(residual, halves_of(shares[j]), columns_[j], columns_.length());
        }
        for (std::size_t j = p_; j-- > 0;) {
            const Real* row = triangle_.data() + j * p_;
            Real sum = shares[j];
            for (std::size_t k = j + 1; k < p_; ++k) sum -= row[k] * change[k];
            change[j] = sum / row[j];
        }
        for (std::size_t j = 0; j < p_; ++j) w[j] += change[j];
    }
    for (std::size_t j = 0; j < p_; ++j) w[j] = std::ldexp(w[j], range.exponent - exponents_[j]);
}

}  // namespace steepest
