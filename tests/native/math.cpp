// The largest errors of the elementary functions, in units in the last place (ULP): each as the kernels evaluate it, in
// a vectorised loop, against the next wider type. `math [stride [function [type]]]`: every stride-th float is tried (1:
// all of them), and as many doubles drawn at random. Prints `function type largest-error at` line by line.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "cpp/math/elementary.hpp"
#include "cpp/math/losses.hpp"

namespace {

using namespace steepest;

template <class T>
using Wider = std::conditional_t<sizeof(T) == 4, double, long double>;

struct Exp {
    static constexpr const char* name = "exp";
    static constexpr double end = -110.0, end_of_double = -750.0;
    template <class T>
    STEEPEST_INLINE static T ours(T x) {
        return exp_nonpositive(x);
    }
    template <class W>
    static W exact(W x) {
        return std::exp(x);
    }
};

template <int sign>
struct Exponential {
    static constexpr const char* name = sign < 0 ? "exponential-" : "exponential+";
    static constexpr double end = sign < 0 ? -110.0 : 88.72, end_of_double = sign < 0 ? -750.0 : 709.78;
    template <class T>
    STEEPEST_INLINE static T ours(T x) {
        return exponential(x);
    }
    template <class W>
    static W exact(W x) {
        return std::exp(x);
    }
};

struct Log1pUnit {
    static constexpr const char* name = "log1p_unit";
    static constexpr double end = 1.0, end_of_double = 1.0;
    template <class T>
    STEEPEST_INLINE static T ours(T x) {
        return log1p_unit(x);
    }
    template <class W>
    static W exact(W x) {
        return std::log1p(x);
    }
};

struct Log1p {
    static constexpr const char* name = "log1p";
    static constexpr double end = 1e6, end_of_double = 1e6;  // a softmax has at most so many classes
    template <class T>
    STEEPEST_INLINE static T ours(T x) {
        return log1p_nonnegative(x);
    }
    template <class W>
    static W exact(W x) {
        return std::log1p(x);
    }
};

template <int sign>
struct Sigmoid {
    static constexpr const char* name = sign < 0 ? "sigmoid-" : "sigmoid+";
    static constexpr double end = sign * 110.0, end_of_double = sign * 750.0;
    template <class T>
    STEEPEST_INLINE static T ours(T x) {
        return Logistic::slope(x, T(0));
    }
    template <class W>
    static W exact(W x) {
        const W e = std::exp(-std::fabs(x));
        return (x > W(0) ? W(1) : e) / (W(1) + e);
    }
};

template <int sign>
struct LogLoss {
    static constexpr const char* name = sign < 0 ? "log_loss-" : "log_loss+";
    static constexpr double end = sign * 110.0, end_of_double = sign * 750.0;
    template <class T>
    STEEPEST_INLINE static T ours(T x) {
        return Logistic::value(x, T(0));
    }
    template <class W>
    static W exact(W x) {
        return std::max(x, W(0)) + std::log1p(std::exp(-std::fabs(x)));
    }
};

template <class T>
struct Worst {
    double error = 0.0;
    T at = T(0);
};

// Of T at `exact`: the distance of the numbers about it.
template <class T, class W>
W unit_at(W exact) {
    constexpr int digits = std::numeric_limits<T>::digits, lowest = std::numeric_limits<T>::min_exponent;
    const int exponent = exact == W(0) ? lowest : std::max(std::ilogb(exact) + 1, lowest);
    return std::ldexp(W(1), exponent - digits);
}

constexpr std::size_t block = 1024;

template <class F, class T>
__attribute__((noinline)) void evaluate(const T* x, T* y) {
    STEEPEST_VECTORIZE
    for (std::size_t i = 0; i < block; ++i) y[i] = F::ours(x[i]);
}

template <class F, class T>
void try_block(const T* x, Worst<T>& worst) {
    using W = Wider<T>;
    T y[block];
    evaluate<F>(x, y);
    for (std::size_t i = 0; i < block; ++i) {
        const W exact = F::exact(W(x[i]));
        const double error = double(std::fabs(W(y[i]) - exact) / unit_at<T>(exact));
        if (!(error <= worst.error)) worst = {error, x[i]};
    }
}

// Bit patterns of numbers of one sign go up with their magnitude, from 0.
template <class F>
Worst<float> over_floats(std::uint32_t stride) {
    const float end = float(F::end);
    const auto last = bits_as<std::uint32_t>(std::fabs(end));
    Worst<float> worst;
    float x[block];
    const auto try_all = [&](std::uint32_t first, std::uint32_t to, std::uint32_t step) {
        for (std::uint64_t at = first; at <= to; at += std::uint64_t(step) * block) {
            for (std::size_t i = 0; i < block; ++i)
                x[i] = std::copysign(bits_as<float>(std::uint32_t(std::min<std::uint64_t>(at + i * step, to))), end);
            try_block<F>(x, worst);
        }
    };
    try_all(0, last, stride);
    const auto one = bits_as<std::uint32_t>(1.0f);
    try_all(one - 4096, std::min(one + 4096, last), 1);
    try_all(last - 4096, last, 1);
    return worst;
}

// Half of them even in their value, half in their bits from 2^-60 on.
template <class F>
Worst<double> over_doubles(std::uint32_t stride) {
    const double end = F::end_of_double;
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> value(0.0, std::fabs(end)), exponent(-60.0, std::log2(std::fabs(end)));
    Worst<double> worst;
    double x[block];
    for (std::size_t i = 0; i < block; ++i) x[i] = std::copysign(1.0 - double(i) * 0x1p-53, end);
    try_block<F>(x, worst);
    for (std::size_t done = 0; done < (std::size_t(1) << 28) / stride; done += block) {
        for (std::size_t i = 0; i < block; ++i)
            x[i] = std::copysign(i % 2 ? value(random) : std::exp2(exponent(random)), end);
        try_block<F>(x, worst);
    }
    return worst;
}

template <class F>
void report(std::uint32_t stride, const std::string& function, const std::string& type) {
    if (!function.empty() && function != F::name) return;
    if (type != "double") {
        const Worst<float> worst = over_floats<F>(stride);
        std::printf("%s float32 %.4f %.9g\n", F::name, worst.error, double(worst.at));
    }
    if (type != "float") {
        const Worst<double> worst = over_doubles<F>(stride);
        std::printf("%s float64 %.4f %.17g\n", F::name, worst.error, worst.at);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto stride = std::uint32_t(argc > 1 ? std::atoi(argv[1]) : 1009);
    const std::string function = argc > 2 ? argv[2] : "", type = argc > 3 ? argv[3] : "";
    report<Exp>(stride, function, type);
    report<Exponential<-1>>(stride, function, type);
    report<Exponential<1>>(stride, function, type);
    report<Log1pUnit>(stride, function, type);
    report<Log1p>(stride, function, type);
    report<Sigmoid<-1>>(stride, function, type);
    report<Sigmoid<1>>(stride, function, type);
    report<LogLoss<-1>>(stride, function, type);
    report<LogLoss<1>>(stride, function, type);
}
