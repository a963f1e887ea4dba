#include "cpp/engine/cholesky.hpp"

#include <algorithm>
#include <cmath>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

constexpr std::size_t block = 64;    // rows of U that are made at a time
constexpr std::size_t columns = 64;  // of a task that makes a part of them
constexpr std::size_t strip = 64;    // rows of the rest that a task subtracts from
constexpr std::size_t small = 192;   // rows up to which one thread is faster than two
constexpr double zero = 1e-300;      // a column of zeros has no more on the diagonal
constexpr double least_pivot = 1e-10;  // of a diagonal of 1: rounding may have made what is smaller

// An odd number of cache lines, so that a column's elements are not all kept in one place of the cache; a whole vector
// past the end is zeros.
std::size_t padded(std::size_t n) { return (n + 15) / 16 * 16 + 8; }

std::size_t parts(std::size_t n, std::size_t size) { return (n + size - 1) / size; }

}  // namespace

template <class T>
Cholesky::Cholesky(const T* matrix, std::size_t n, double ridge, Interrupt& interrupt)
    : scale_(n), stride_(padded(n)), factor_(n * stride_) {
    for (std::size_t i = 0; i < n; ++i) {
        const double diagonal = double(matrix[i * n + i]);
        scale_[i] = diagonal > zero ? std::sqrt(diagonal) : 1.0;
    }
    for (std::size_t i = 0; i < n; ++i) {
        const double inverse = 1.0 / scale_[i];
        for (std::size_t j = 0; j <= i; ++j) factor_[j * stride_ + i] = double(matrix[i * n + j]) * inverse / scale_[j];
        factor_[i * stride_ + i] = 1.0 + ridge;
    }
    definite_ = factor(interrupt);
}

// Block by block of rows: the triangle on the diagonal, the rest of the rows, and their share in all rows below.
bool Cholesky::factor(Interrupt& interrupt) {
    const CholeskyKernels& kernels = passes().cholesky;
    const std::size_t n = size();
    const int n_threads = n <= small ? 1 : threads_in_use();
    double* u = factor_.data();
    for (std::size_t first = 0; first < n; first += block) {
        const std::size_t last = std::min(first + block, n), rest = n - last;
        if (!kernels.triangle(u, stride_, first, last, least_pivot)) return false;
        for_each_task(parts(rest, columns), n_threads, interrupt, [&](std::size_t task, int) {
            const std::size_t from = last + task * columns;
            kernels.rows(u, stride_, first, last, from, std::min(from + columns, n));
        });
        for_each_task(parts(rest, strip), n_threads, interrupt, [&](std::size_t task, int) {
            const std::size_t from = last + task * strip;
            kernels.subtract(u, stride_, first, last, from, std::min(from + strip, n), n);
        });
    }
    return true;
}

void Cholesky::solve(double* x) const {
    const std::size_t n = size();
    for (std::size_t i = 0; i < n; ++i) x[i] /= scale_[i];
    passes().cholesky.solve(factor_.data(), stride_, n, x);
    for (std::size_t i = 0; i < n; ++i) x[i] /= scale_[i];
}

void Cholesky::solve(double* x, std::size_t k, Interrupt& interrupt) const {
    constexpr std::size_t group = cholesky_group;
    const std::size_t n = size();
    const int n_threads = n <= small ? 1 : threads_in_use();
    std::vector<double> groups(parts(k, group) * n * group);
    for_each_task(parts(k, group), n_threads, interrupt, [&](std::size_t task, int) {
        const std::size_t first = task * group, last = std::min(first + group, k);
        double* side_by_side = groups.data() + task * n * group;
        for (std::size_t c = first; c < last; ++c)
            for (std::size_t i = 0; i < n; ++i) side_by_side[i * group + c - first] = x[c * n + i] / scale_[i];
        passes().cholesky.solve_group(factor_.data(), stride_, n, side_by_side);
        for (std::size_t c = first; c < last; ++c)
            for (std::size_t i = 0; i < n; ++i) x[c * n + i] = side_by_side[i * group + c - first] / scale_[i];
    });
}

template Cholesky::Cholesky(const float*, std::size_t, double, Interrupt&);
template Cholesky::Cholesky(const double*, std::size_t, double, Interrupt&);

}  // namespace steepest
