// Sums over rows: all that a method needs of data. Neither averaged nor penalised, so that those of parts add up.
#pragma once

#include <cstddef>
#include <vector>

namespace steepest {

// How the sums of a pass lie together: the loss, then for each score the n_columns of its gradient and its sum of
// slopes.
struct SumsShape {
    std::size_t n_scores, n_columns;

    std::size_t size() const { return 1 + n_scores * (n_columns + 1); }
    std::size_t gradient(std::size_t score) const { return 1 + score * (n_columns + 1); }
    std::size_t slope(std::size_t score) const { return gradient(score) + n_columns; }
    bool operator==(const SumsShape&) const = default;
};

struct Sums {
    double weight;
    SumsShape shape;
    std::vector<double> values;

    Sums& operator+=(const Sums& more);
};

// Adds the sums of parts, in their order, along a fixed binary tree: 2^k parts that begin at a multiple of 2^k make a
// subtree, whoever adds it, and what is left over is added to the last subtree first. It keeps no more than log2(n) + 1
// sums of n parts.
class SumsTree {
  public:
    void add(Sums part);
    std::size_t count() const { return count_; }
    // Of at least one part.
    Sums total() const;

  private:
    std::size_t count_ = 0;
    std::vector<Sums> subtrees_;  // the largest first: one for each bit of count_ that is set
};

}  // namespace steepest
