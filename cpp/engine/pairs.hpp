// The pairs of limited-memory BFGS, and their products with a vector: the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <vector>

#include "cpp/engine/memory.hpp"
#include "cpp/kernels/tables.hpp"

namespace steepest {

// How a step and the change of the gradient over it agree. With a metric diagonal D, the squares are those of
// D^(1/2) step and D^(-1/2) change.
struct PairProducts {
    double product, of_step, of_change;
};

// Steps s_i and changes y_i of the gradient, the oldest first, of `size` numbers each, and the products s_i . y_m for
// i <= m, an upper triangular matrix R.
//
// The two-loop recursion for a gradient g and a metric H is u = R^-1 S^T g, z = H (g - Y u) and then
// z + S v with R^T v = D u - Y^T z and the diagonal D of R (Byrd, Nocedal, Schnabel, "Representations of Quasi-Newton
// Matrices and Their Use in Limited Memory Methods", Mathematical Programming 63, 1994). So it reads all steps twice
// and all changes twice, or once where the metric is a diagonal, however many there are.
template <class T>
class Pairs {
  public:
    // At most `most` pairs, 1 or more; the oldest makes room.
    Pairs(std::size_t size, std::size_t most) : size_(size), most_(most) {}

    std::size_t size() const { return size_; }
    std::size_t count() const { return slots_.size(); }
    const T* step(std::size_t i) const { return slots_[i].step.data(); }
    const T* change(std::size_t i) const { return slots_[i].change.data(); }
    double product(std::size_t i) const { return slots_[i].product; }

    // Measures a pair. `keep` adds it, once.
    PairProducts note(const PairEnds<T>& ends);
    bool has_noted() const { return has_noted_; }
    void keep();
    // Adds a pair that was kept before.
    void add(const T* step, const T* change, double product);
    void clear();
    // The sum of the squares of the last change, over the elements of the diagonal.
    double square_of_change(const double* diagonal) const;

    // z = g - Y u, divided by the diagonal and by the factor where there is a diagonal.
    void begin(const double* gradient, const double* diagonal, double factor, double* z);
    // z = -(z + S v), for a z that the metric was applied to. The pairs are those of `begin`.
    bool has_begun() const { return u_.size() == slots_.size(); }
    void finish(double* z);

  private:
    struct Pair {
        Buffer<T> step, change;
        double product;
    };
    // The sums, over all blocks in their order, of what add(first, n, sums) adds for each: `stride` numbers.
    template <class Add>
    std::vector<double> sum_blocks(std::size_t stride, Add add) const;
    // S^T gradient (none: nothing), with the last column of R where it is not known yet.
    std::vector<double> multiply_steps(const double* gradient);
    Pair spare();

    std::size_t size_, most_;
    std::vector<Pair> slots_;
    Pair noted_;
    bool has_noted_ = false;  // whether it waits to be kept
    std::vector<double> products_ = std::vector<double>(most_ * most_, 0.0);  // row i: s_i . y_m
    bool measured_ = true;  // whether the last column is known
    std::vector<double> u_, of_changes_;
    bool multiplied_ = false;  // whether of_changes_ is Y^T z
};

}  // namespace steepest
