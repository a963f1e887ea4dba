// Sums and products of numbers that are the unevaluated sums of two doubles, of 106 bits together (Dekker, "A
// Floating-Point Technique for Extending the Available Precision", Numerische Mathematik 18, 1971). The bits are the
// same at every ISA level.
#pragma once

#include <cstddef>

namespace steepest {

struct DoubleDouble {
    double high, low;
};

// A vector of such numbers: those of `high`, and those of `low`.
template <class T>
struct DoubleDoubles {
    T *high, *low;
};

// Lengths n are multiples of so many: zeros fill vectors up.
constexpr std::size_t double_double_lanes = 8;

struct DoubleDoubleTable {
    // The sum of a[i] b[i] (Ogita, Rump, Oishi, "Accurate Sum and Dot Product", SIAM Journal on Scientific Computing
    // 26, 2005).
    DoubleDouble (*product)(DoubleDoubles<const double> a, DoubleDoubles<const double> b, std::size_t n);
    // a -= factor * b.
    void (*subtract)(DoubleDoubles<double> a, DoubleDouble factor, DoubleDoubles<const double> b, std::size_t n);
    // a *= factor.
    void (*multiply)(DoubleDoubles<double> a, DoubleDouble factor, std::size_t n);
};

}  // namespace steepest
