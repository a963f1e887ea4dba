// Storage of X in 8 or 16 bits: numbers that are widened to float in registers, where all arithmetic is done.
#pragma once

#include <cstdint>

#include "cpp/math/elementary.hpp"

namespace steepest {

struct Float16 {  // IEEE 754 binary16
    std::uint16_t bits;
};

struct BFloat16 {  // the upper half of a float
    std::uint16_t bits;
};

// Of 8 or 16 bits, which a float holds exactly.
template <class Value>
struct Integer {
    Value value;
};
using UInt8 = Integer<std::uint8_t>;
using Int8 = Integer<std::int8_t>;
using Int16 = Integer<std::int16_t>;

// X(struct, name of the dtype): what X may be stored as. A build for tests may name fewer.
#if !defined(STEEPEST_FOR_EACH_STORAGE)
#define STEEPEST_FOR_EACH_STORAGE(X) \
    X(float, "float32")              \
    X(double, "float64")             \
    X(Float16, "float16") X(BFloat16, "bfloat16") X(UInt8, "uint8") X(Int8, "int8") X(Int16, "int16")
#endif

template <class Storage>
struct Arithmetic {
    using type = float;
};

template <>
struct Arithmetic<double> {
    using type = double;
};

// What elements stored as Storage are computed in, and what y, weights and parameters beside them are.
template <class Storage>
using ArithmeticOf = typename Arithmetic<Storage>::type;

// Whether elements are widened when they are read.
template <class Storage>
constexpr bool is_widened = sizeof(Storage) < sizeof(ArithmeticOf<Storage>);

STEEPEST_HOST_DEVICE float widen(float x) { return x; }
STEEPEST_HOST_DEVICE double widen(double x) { return x; }
STEEPEST_HOST_DEVICE float widen(BFloat16 x) { return bits_as<float>(std::uint32_t(x.bits) << 16); }

// A multiplication moves the exponent and makes subnormal numbers normal; infinity and NaN get the largest exponent.
STEEPEST_HOST_DEVICE float widen(Float16 x) {
    const std::uint32_t magnitude = x.bits & 0x7fffu, sign = std::uint32_t(x.bits & 0x8000u) << 16;
    const std::uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u : 0u;
    const float scaled = bits_as<float>(magnitude << 13) * 5.192296858534828e33f;  // 2^112
    return bits_as<float>(bits_as<std::uint32_t>(scaled) | special | sign);
}

template <class Value>
STEEPEST_HOST_DEVICE float widen(Integer<Value> x) {
    return float(x.value);
}

}  // namespace steepest
