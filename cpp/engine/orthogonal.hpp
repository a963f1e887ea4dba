// Least squares of few rows by orthogonal columns, in double-double arithmetic.
#pragma once

#include <cstddef>
#include <vector>

#include "cpp/kernels/double_double.hpp"

namespace steepest {

// Columns Q and a triangle R with A = Q R, by modified Gram-Schmidt (Björck, Numerical Methods for Least Squares
// Problems, 1996). The products of the rows would square their condition. Columns have 106 bits, and what is made of
// them those of `Real`.
class OrthogonalRows {
  public:
    using Real = long double;  // 64 bits of digits on x86

    // Of n rows of p numbers, one after the other. Columns are divided by powers of two, so that no square overflows. A
    // column that depends on the ones before it, of which they leave at most the share `dependent`, gets zeros in Q and
    // in its row of R. A column whose numbers are more than 2^900 apart has the length nan: digits would underflow.
    OrthogonalRows(const Real* rows, std::size_t n, std::size_t p, double dependent);

    std::size_t n_rows() const { return n_; }
    std::size_t n_columns() const { return p_; }
    // p rows of p numbers, upper triangular.
    void triangle(Real* triangle) const;
    // The p lengths of the columns.
    void lengths(Real* lengths) const;
    // The inverse of R, p rows of p numbers.
    void invert(Real* inverse) const;
    // The p numbers w for which A w is next to the n targets. The residuals are solved for again, so many times. All
    // are nan where targets are more than 2^900 apart.
    void solve(const Real* targets, std::size_t refinements, Real* w) const;

  private:
    // Vectors of n numbers, filled up with zeros.
    class Columns {
      public:
        Columns(std::size_t n, std::size_t count);
        DoubleDoubles<double> operator[](std::size_t j);
        DoubleDoubles<const double> operator[](std::size_t j) const;
        // Column j becomes the n numbers, `stride` apart, over 2^exponent.
        void set(std::size_t j, const Real* numbers, std::size_t n, std::size_t stride, int exponent);
        std::size_t length() const { return length_; }

      private:
        std::size_t length_;
        std::vector<double> numbers_;
    };

    std::size_t n_, p_;
    std::vector<int> exponents_;  // of the powers of two over which the columns are taken
    Columns given_, columns_;  // A, and Q
    std::vector<Real> norms_, triangle_;  // the lengths of the columns of A; R
};

}  // namespace steepest
