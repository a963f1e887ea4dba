// Least squares of few rows by orthogonal columns, in the longest floating-point type of the machine.
#pragma once

#include <cstddef>
#include <vector>

namespace steepest {

// Columns Q and a triangle R with A = Q R, by modified Gram-Schmidt (Björck, Numerical Methods for Least Squares
// Problems, 1996). The products of the rows would square their condition. Sums are added in the order of NumPy.
class OrthogonalRows {
  public:
    using Real = long double;  // 64 bits of digits on x86

    // Of n rows of p numbers, one after the other. Columns are divided by powers of two, so that no square overflows. A
    // column that depends on the ones before it, of which they leave at most the share `dependent`, gets zeros in Q and
    // in its row of R.
    OrthogonalRows(const Real* rows, std::size_t n, std::size_t p, double dependent);

    std::size_t n_rows() const { return n_; }
    std::size_t n_columns() const { return p_; }
    // p rows of p numbers, upper triangular.
    void triangle(Real* triangle) const;
    // The p lengths of the columns.
    void lengths(Real* lengths) const;
    // The inverse of R, p rows of p numbers.
    void invert(Real* inverse) const;
    // The p numbers w for which A w is next to the n targets. The residuals are solved for again, so many times.
    void solve(const Real* targets, std::size_t refinements, Real* w) const;

  private:
    const Real* column(std::size_t j) const { return columns_.data() + j * n_; }
    void scale_columns();
    std::vector<Real> norms_of_columns() const;

    std::size_t n_, p_;
    std::vector<Real> rows_, columns_, triangle_;  // A over the scale, Q column by column, R over the scale
    std::vector<Real> scale_, norms_;  // powers of two; lengths of the columns over them
};

}  // namespace steepest
