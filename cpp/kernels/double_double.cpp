// The double-double kernels of one ISA level. No product and sum are contracted to one operation but where that is
// meant.
#include "cpp/kernels/double_double.hpp"

#include "cpp/kernels/simd.hpp"

namespace steepest {
namespace {

constexpr int width = lanes<double>, n_vectors = int(double_double_lanes) / width;
using Doubles = Vector<double, width>;

struct Pair {
    Doubles high, low;
};

STEEPEST_INLINE Pair load_pair(const double* high, const double* low) {
    return {load<double, width>(high), load<double, width>(low)};
}

#if !defined(__FMA__)
// The upper half of the digits (Veltkamp).
STEEPEST_INLINE Doubles upper(Doubles a) {
    const Doubles t = a * 134217729.0;  // 2^27 + 1
    return t - (t - a);
}
#endif

// What the rounded product leaves of a b, exactly unless it underflows.
STEEPEST_INLINE Doubles product_error(Doubles a, Doubles b, Doubles rounded) {
#if defined(__AVX512F__)
    return (Doubles)_mm512_fmsub_pd((__m512d)a, (__m512d)b, (__m512d)rounded);
#elif defined(__FMA__) && defined(__AVX2__)
    return (Doubles)_mm256_fmsub_pd((__m256d)a, (__m256d)b, (__m256d)rounded);
#elif defined(__FMA__)
    Doubles error;
    for (int i = 0; i < width; ++i) error[i] = __builtin_fma(a[i], b[i], -rounded[i]);
    return error;
#else
    const Doubles c = upper(a), d = upper(b), e = a - c, f = b - d;
    return ((c * d - rounded) + c * f + e * d) + e * f;
#endif
}

// What the rounded sum leaves of a + b, exactly (Knuth).
STEEPEST_INLINE Doubles sum_error(Doubles a, Doubles b, Doubles rounded) {
    const Doubles c = rounded - a;
    return (a - (rounded - c)) + (b - c);
}

STEEPEST_INLINE Pair times(Pair a, Pair b) {
    const Doubles rounded = a.high * b.high;
    return {rounded, product_error(a.high, b.high, rounded) + (a.high * b.low + a.low * b.high)};
}

STEEPEST_INLINE void store_pair(Doubles high, Doubles low, DoubleDoubles<double> to, std::size_t i) {
    const Doubles sum = high + low;
    store<double, width>(to.high + i, sum);
    store<double, width>(to.low + i, low - (sum - high));
}

STEEPEST_INLINE Pair both(DoubleDouble x) { return {Doubles{} + x.high, Doubles{} + x.low}; }

DoubleDouble product(DoubleDoubles<const double> a, DoubleDoubles<const double> b, std::size_t n) {
    Pair sums[n_vectors] = {};
    for (std::size_t i = 0; i < n; i += double_double_lanes) {
        STEEPEST_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            const std::size_t at = i + std::size_t(v * width);
            const Pair term = times(load_pair(a.high + at, a.low + at), load_pair(b.high + at, b.low + at));
            const Doubles sum = sums[v].high + term.high;
            sums[v].low += sum_error(sums[v].high, term.high, sum) + term.low;
            sums[v].high = sum;
        }
    }
    DoubleDouble total = {0.0, 0.0};
    for (const Pair& each : sums) {
        for (int i = 0; i < width; ++i) {
            const double sum = total.high + each.high[i], c = sum - total.high;
            total.low += ((total.high - (sum - c)) + (each.high[i] - c)) + each.low[i];
            total.high = sum;
        }
    }
    const double sum = total.high + total.low;
    return {sum, total.low - (sum - total.high)};
}

void subtract(DoubleDoubles<double> a, DoubleDouble factor, DoubleDoubles<const double> b, std::size_t n) {
    const Pair by = both(factor);
    for (std::size_t i = 0; i < n; i += std::size_t(width)) {
        const Pair from = load_pair(a.high + i, a.low + i), term = times(by, load_pair(b.high + i, b.low + i));
        const Doubles sum = from.high - term.high;
        store_pair(sum, sum_error(from.high, -term.high, sum) + (from.low - term.low), a, i);
    }
}

void multiply(DoubleDoubles<double> a, DoubleDouble factor, std::size_t n) {
    const Pair by = both(factor);
    for (std::size_t i = 0; i < n; i += std::size_t(width)) {
        const Pair term = times(load_pair(a.high + i, a.low + i), by);
        store_pair(term.high, term.low, a, i);
    }
}

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(double_double_, level)

extern const DoubleDoubleTable STEEPEST_NAME(STEEPEST_LEVEL);
const DoubleDoubleTable STEEPEST_NAME(STEEPEST_LEVEL) = {&product, &subtract, &multiply};

}  // namespace steepest
