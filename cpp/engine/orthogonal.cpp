#include "cpp/engine/orthogonal.hpp"

#include <algorithm>
#include <cmath>

namespace steepest {
namespace {

using Real = OrthogonalRows::Real;

// So many sums at a time stay in registers, and need not wait for each other.
constexpr std::size_t at_once = 4;

// The sum of term(first) ... term(first + n - 1) as NumPy adds up numbers that lie side by side: eight sums at a time
// of up to 128 numbers, and halves of more.
template <class Term>
Real pairwise_sum(std::size_t first, std::size_t n, Term term) {
    constexpr std::size_t lanes = 2 * at_once, block = 128;
    if (n < lanes) {
        Real sum = -0.0L;
        for (std::size_t i = first; i < first + n; ++i) sum += term(i);
        return sum;
    }
    if (n > block) {
        const std::size_t half = n / 2 / lanes * lanes;
        return pairwise_sum(first, half, term) + pairwise_sum(first + half, n - half, term);
    }
    const std::size_t end = first + n / lanes * lanes;
    const auto half_of_lanes = [&](std::size_t at) {
        Real a = term(at), b = term(at + 1), c = term(at + 2), d = term(at + 3);
        for (at += lanes; at < end; at += lanes) a += term(at), b += term(at + 1), c += term(at + 2), d += term(at + 3);
        return (a + b) + (c + d);
    };
    Real sum = half_of_lanes(first);
    sum += half_of_lanes(first + at_once);
    for (std::size_t i = end; i < first + n; ++i) sum += term(i);
    return sum;
}

Real product(const Real* a, const Real* b, std::size_t n) {
    return pairwise_sum(0, n, [&](std::size_t i) { return a[i] * b[i]; });
}

// The products of a with columns of n numbers from b on, as NumPy adds up a table's rows: one after the other. A table
// of one column lies side by side.
void products(const Real* a, const Real* b, std::size_t n, std::size_t n_columns, Real* sums) {
    if (n_columns == 1) {
        *sums = product(a, b, n);
        return;
    }
    std::size_t k = 0;
    for (; k + at_once <= n_columns; k += at_once, b += at_once * n) {
        Real r = -0.0L, s = -0.0L, t = -0.0L, u = -0.0L;
        for (std::size_t i = 0; i < n; ++i) {
            r += a[i] * b[i], s += a[i] * b[n + i];
            t += a[i] * b[2 * n + i], u += a[i] * b[3 * n + i];
        }
        sums[k] = r, sums[k + 1] = s, sums[k + 2] = t, sums[k + 3] = u;
    }
    for (; k < n_columns; ++k, b += n) {
        sums[k] = -0.0L;
        for (std::size_t i = 0; i < n; ++i) sums[k] += a[i] * b[i];
    }
}

// a -= factor * b.
void subtract(Real* a, Real factor, const Real* b, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) a[i] -= b[i] * factor;
}

}  // namespace

OrthogonalRows::OrthogonalRows(const Real* rows, std::size_t n, std::size_t p, double dependent)
    : n_(n), p_(p), rows_(rows, rows + n * p), columns_(n * p), triangle_(p * p), scale_(p) {
    scale_columns();
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < p; ++j) columns_[j * n + i] = rows_[i * p + j];
    norms_ = norms_of_columns();
    for (std::size_t j = 0; j < p; ++j) {
        Real *own = columns_.data() + j * n, *shares = triangle_.data() + j * p;
        const Real length = std::sqrt(product(own, own, n));
        if (!(length > Real(dependent) * norms_[j])) {
            std::fill_n(own, n, Real(0));
            continue;
        }
        shares[j] = length;
        for (std::size_t i = 0; i < n; ++i) own[i] /= length;
        products(own, own + n, n, p - j - 1, shares + j + 1);
        for (std::size_t k = j + 1; k < p; ++k) subtract(columns_.data() + k * n, shares[k], own, n);
    }
}

// Divides each column by the power of two above its largest number, which changes no digit.
void OrthogonalRows::scale_columns() {
    for (std::size_t i = 0; i < n_; ++i)
        for (std::size_t j = 0; j < p_; ++j) scale_[j] = std::max(scale_[j], std::abs(rows_[i * p_ + j]));
    std::vector<Real> factors(p_);
    for (std::size_t j = 0; j < p_; ++j) {
        int exponent = 0;
        if (std::isfinite(scale_[j])) std::frexp(scale_[j], &exponent);
        scale_[j] = std::ldexp(Real(1), exponent), factors[j] = std::ldexp(Real(1), -exponent);
    }
    for (std::size_t i = 0; i < n_; ++i)
        for (std::size_t j = 0; j < p_; ++j) rows_[i * p_ + j] *= factors[j];
}

void OrthogonalRows::triangle(Real* triangle) const {
    for (std::size_t j = 0; j < p_; ++j)
        for (std::size_t k = 0; k < p_; ++k) triangle[j * p_ + k] = triangle_[j * p_ + k] * scale_[k];
}

void OrthogonalRows::lengths(Real* lengths) const {
    for (std::size_t j = 0; j < p_; ++j) lengths[j] = norms_[j] * scale_[j];
}

std::vector<Real> OrthogonalRows::norms_of_columns() const {
    std::vector<Real> squares(p_);
    if (p_ == 1) squares[0] = product(column(0), column(0), n_);
    for (std::size_t i = 0; p_ > 1 && i < n_; ++i)
        for (std::size_t j = 0; j < p_; ++j) squares[j] += rows_[i * p_ + j] * rows_[i * p_ + j];
    for (Real& square : squares) square = std::sqrt(square);
    return squares;
}

void OrthogonalRows::invert(Real* inverse) const {
    const std::size_t p = p_;
    for (std::size_t c = 0; c < p; ++c) {
        for (std::size_t j = p; j-- > 0;) {
            const Real* row = triangle_.data() + j * p;
            Real sum = -0.0L;
            for (std::size_t k = j + 1; k < p; ++k) sum += row[k] * inverse[k * p + c];
            inverse[j * p + c] = (Real(j == c) - sum) / row[j];
        }
    }
    for (std::size_t j = 0; j < p; ++j)
        for (std::size_t c = 0; c < p; ++c) inverse[j * p + c] /= scale_[j];
}

void OrthogonalRows::solve(const Real* targets, std::size_t refinements, Real* w) const {
    std::vector<Real> residual(targets, targets + n_), shares(p_), change(p_);
    std::fill_n(w, p_, Real(0));
    for (std::size_t turn = 0; turn <= refinements; ++turn) {
        for (std::size_t j = 0; j < p_; ++j) {
            shares[j] = product(column(j), residual.data(), n_);
            subtract(residual.data(), shares[j], column(j), n_);
        }
        for (std::size_t j = p_; j-- > 0;) {
            const Real* row = triangle_.data() + j * p_;
            change[j] = (shares[j] - product(row + j + 1, change.data() + j + 1, p_ - j - 1)) / row[j];
        }
        for (std::size_t j = 0; j < p_; ++j) w[j] += change[j];
        if (turn == refinements) break;
        for (std::size_t i = 0; i < n_; ++i) residual[i] = targets[i] - product(rows_.data() + i * p_, w, p_);
    }
    for (std::size_t j = 0; j < p_; ++j) w[j] /= scale_[j];
}

}  // namespace steepest
