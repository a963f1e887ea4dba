// The Cholesky factor of a Hessian, on any number of threads with the same bits.
#pragma once

#include <cstddef>
#include <vector>

#include "cpp/engine/interrupt.hpp"

namespace steepest {

// U, upper triangular, with U^T U = S^-1 (A + ridge S^2) S^-1 for a symmetric matrix A, of which the lower triangle is
// read, and the diagonal matrix S of the roots of A's diagonal, where a 1 takes the place of a 0: what is definite does
// not depend on the units of the parameters.
class Cholesky {
  public:
    // Of n rows, one after the other.
    template <class T>
    Cholesky(const T* matrix, std::size_t n, double ridge, Interrupt& interrupt);

    // Whether all pivots were well above rounding; else there is no factor.
    bool definite() const { return definite_; }
    std::size_t size() const { return scale_.size(); }
    // x = (A + ridge S^2)^-1 x.
    void solve(double* x) const;
    // The same of k vectors, one after the other.
    void solve(double* x, std::size_t k, Interrupt& interrupt) const;

  private:
    bool factor(Interrupt& interrupt);

    std::vector<double> scale_;
    std::size_t stride_;
    std::vector<double> factor_;
    bool definite_;
};

}  // namespace steepest
