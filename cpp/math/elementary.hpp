// Elementary functions without branches, calls or errno, so that a loop over them vectorises at every ISA level.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cpp/math/macros.hpp"

namespace steepest {

template <class T>
struct FloatFormat;

template <>
struct FloatFormat<float> {
    using Integer = std::int32_t;
    static constexpr int mantissa_bits = 23;
    static constexpr Integer exponent_bias = 127;
    static constexpr float largest = 0x1.fffffep127f;
    static constexpr float round_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    static constexpr float ln2_high = 0.693359375f;    // few bits, so that k * ln2_high is exact
    static constexpr float ln2_low = -2.12194440e-4f;
    static constexpr float smallest_exponent = -104.0f;  // exp of it rounds to 0
    static constexpr float largest_exponent = 89.0f;     // exp of it is infinite
    static constexpr int lift = 64;  // 2^(k + lift) is a normal number for the k of every exponent
    static constexpr int exp_degree = 7;
    static constexpr int log1p_terms = 8;
};

template <>
struct FloatFormat<double> {
    using Integer = std::int64_t;
    static constexpr int mantissa_bits = 52;
    static constexpr Integer exponent_bias = 1023;
    static constexpr double largest = 0x1.fffffffffffffp1023;
    static constexpr double round_magic = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double ln2_high = 6.93145751953125e-1;
    static constexpr double ln2_low = 1.42860682030941723212e-6;
    static constexpr double smallest_exponent = -746.0;
    static constexpr double largest_exponent = 710.0;
    static constexpr int lift = 512;
    static constexpr int exp_degree = 13;
    static constexpr int log1p_terms = 17;
};

template <class To, class From>
STEEPEST_HOST_DEVICE To bits_as(From value) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    __builtin_memcpy(&to, &value, sizeof(to));
    return to;
}

STEEPEST_HOST_DEVICE float square_root(float x) { return __builtin_sqrtf(x); }
STEEPEST_HOST_DEVICE double square_root(double x) { return __builtin_sqrt(x); }
STEEPEST_HOST_DEVICE float magnitude(float x) { return __builtin_fabsf(x); }
STEEPEST_HOST_DEVICE double magnitude(double x) { return __builtin_fabs(x); }
STEEPEST_HOST_DEVICE float with_sign_of(float x, float sign) { return __builtin_copysignf(x, sign); }
STEEPEST_HOST_DEVICE double with_sign_of(double x, double sign) { return __builtin_copysign(x, sign); }

// weight * value, and 0 for a weight of 0 even where the value overflowed: such a row is absent.
template <class T>
STEEPEST_HOST_DEVICE T weighted(T weight, T value) {
    return weight == T(0) ? T(0) : weight * value;
}

STEEPEST_HOST_DEVICE constexpr double inverse_factorial(int n) {
    double value = 1.0;
    for (int i = 2; i <= n; ++i) value /= i;
    return value;
}

// sum of x^i / (first + i)! for i < count, in Estrin's order: its latency is that of a few multiply-adds, not of count.
template <class T, int first, int count>
STEEPEST_HOST_DEVICE T exp_series(const T* powers) {
    if constexpr (count == 1) {
        return T(inverse_factorial(first));
    } else {
        constexpr int level = count > 8 ? 3 : count > 4 ? 2 : count > 2 ? 1 : 0;
        constexpr int split = 1 << level;
        return exp_series<T, first, split>(powers) +
               powers[level] * exp_series<T, first + split, count - split>(powers);
    }
}

// 2^k, for a k whose power is a normal number.
template <class T>
STEEPEST_HOST_DEVICE T power_of_two(typename FloatFormat<T>::Integer k) {
    using Integer = typename FloatFormat<T>::Integer;
    return bits_as<T>(static_cast<Integer>((k + FloatFormat<T>::exponent_bias) << FloatFormat<T>::mantissa_bits));
}

// x = k ln 2 + r with |r| <= ln 2 / 2, for an x within the range of exp: e^r by its Taylor series.
template <class T>
STEEPEST_HOST_DEVICE T exp_reduced(T x, typename FloatFormat<T>::Integer& k) {
    using Format = FloatFormat<T>;
    using Integer = typename Format::Integer;
    const T shifted = x * T(1.4426950408889634074) + Format::round_magic;
    k = bits_as<Integer>(shifted) - bits_as<Integer>(Format::round_magic);
    const T rounded = shifted - Format::round_magic;
    const T r = (x - rounded * Format::ln2_high) - rounded * Format::ln2_low;
    const T r2 = r * r, r4 = r2 * r2;
    const T powers[] = {r, r2, r4, r4 * r4};
    return exp_series<T, 0, Format::exp_degree + 1>(powers);
}

// exp(x) for x <= 0, to about one unit in the last place. The power 2^k is applied in two steps, of which the first is
// exact: so the result goes on into denormals down to 0, and is rounded once more there.
template <class T>
STEEPEST_HOST_DEVICE T exp_nonpositive(T x) {
    using Format = FloatFormat<T>;
    typename Format::Integer k;
    const T sum = exp_reduced(x < Format::smallest_exponent ? Format::smallest_exponent : x, k);
    const T lifted = sum * power_of_two<T>(k + Format::lift);
    return lifted * power_of_two<T>(-Format::lift);
}

// exp(x) for any x: infinite where it overflows, NaN for a NaN. The halves of 2^k are normal numbers for every k.
template <class T>
STEEPEST_HOST_DEVICE T exponential(T x) {
    using Format = FloatFormat<T>;
    using Integer = typename Format::Integer;
    const T above = x > Format::smallest_exponent ? x : Format::smallest_exponent;  // of a NaN, whose k would be any
    Integer k;
    const T sum = exp_reduced(above < Format::largest_exponent ? above : Format::largest_exponent, k);
    const auto raised = static_cast<std::make_unsigned_t<Integer>>(k + 4 * Format::lift);  // not below 0
    const Integer half = static_cast<Integer>(raised / 2) - 2 * Format::lift;
    const T power = (sum * power_of_two<T>(half)) * power_of_two<T>(k - half);
    return x == x ? power : x;
}

// log(1 + t) for 0 <= t <= 1, as 2 artanh(t / (2 + t)): the argument is at most 1/3, so the series ends soon.
template <class T>
STEEPEST_HOST_DEVICE T log1p_unit(T t) {
    const T s = t / (T(2) + t);
    const T square = s * s;
    T sum = T(0);
    STEEPEST_UNROLL
    for (int i = FloatFormat<T>::log1p_terms; i >= 0; --i) sum = T(1) / T(2 * i + 1) + square * sum;
    return T(2) * s * sum;
}

// log(1 + t) for t >= 0: with 1 + t = 2^k (1 + f), k ln 2 + log(1 + f); below 1 f is t itself, with all its digits, and
// k is 0. The last t below 1 show why k is not read from 1 + t there: that sum rounds to 2.
template <class T>
STEEPEST_HOST_DEVICE T log1p_nonnegative(T t) {
    using Format = FloatFormat<T>;
    using Integer = typename Format::Integer;
    const T u = T(1) + t;
    const Integer k = (bits_as<Integer>(u) >> Format::mantissa_bits) - Format::exponent_bias;
    const bool below_one = t < T(1);
    const T f = below_one ? t : u * power_of_two<T>(-k) - T(1);
    return (below_one ? T(0) : T(k)) * T(0.69314718055994530942) + log1p_unit(f);
}

}  // namespace steepest
