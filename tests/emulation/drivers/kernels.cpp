// The float kernels through their host code, each tiling, against plain loops in double: exits 1 where a number
// differs. One translation unit, so that a build with a planted fault takes seconds.
#define STEEPEST_FOR_EACH_STORAGE(X) X(float)

#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "descent.cu"
#include "device.cu"
#include "epoch.cu"
#include "gradient.cu"
#include "objective.cu"
#include "update.cu"

namespace {

using namespace steepest::cuda;

constexpr double mu = 0.5;
int failures = 0;

void expect(bool good, const char* what, const char* tiling, std::size_t n, std::size_t d) {
    if (good) return;
    std::fprintf(stderr, "wrong: %s, tiling %s, %zu x %zu\n", what, tiling, n, d);
    ++failures;
}

double noise(std::size_t i) { return std::sin(12.9898 * double(i + 1)) * 0.5; }

template <class T>
struct OnTheDevice {
    Buffer buffer;
    explicit OnTheDevice(const std::vector<T>& host) {
        buffer.reserve(host.size() * sizeof(T));
        copy_to_device(buffer.as<void>(), host.data(), host.size() * sizeof(T), nullptr);
    }
    T* at() const { return buffer.as<T>(); }
    std::vector<T> get(std::size_t n) const {
        std::vector<T> host(n);
        copy_to_host(host.data(), at(), n * sizeof(T), nullptr);
        return host;
    }
};

// Least squares with an intercept, as plain as can be.
struct Problem {
    std::size_t n, d;
    std::vector<float> X, y;

    Problem(std::size_t n_, std::size_t d_) : n(n_), d(d_), X(n * d), y(n) {
        for (std::size_t i = 0; i < X.size(); ++i) X[i] = float(noise(i));
        for (std::size_t i = 0; i < n; ++i) y[i] = float(noise(7 * i + 3));
    }
    std::vector<double> gradient(const std::vector<double>& w, std::size_t first, std::size_t count,
                                 double* value) const {
        std::vector<double> g(d + 1, 0.0);
        *value = 0.0;
        for (std::size_t i = first; i < first + count; ++i) {
            double z = w[d] - double(y[i]);
            for (std::size_t j = 0; j < d; ++j) z += double(X[i * d + j]) * w[j];
            *value += z * z / double(count);
            for (std::size_t j = 0; j < d; ++j) g[j] += 2.0 * z * double(X[i * d + j]) / double(count);
            g[d] += 2.0 * z / double(count);
        }
        return g;
    }
};

bool close(const std::vector<float>& found, const std::vector<double>& expected) {
    for (std::size_t j = 0; j < expected.size(); ++j)
        if (!(std::fabs(double(found[j]) - expected[j]) <= 2e-5 * (1.0 + std::fabs(expected[j])))) return false;
    return true;
}

struct Bound {
    OnTheDevice<float> X, y;
    std::shared_ptr<Objective<float>> objective;

    Bound(const Problem& p, Tiling tiling) : X(p.X), y(p.y) {
        const Batch<float> rows{X.at(), y.at(), nullptr, nullptr, p.n, p.d, 0, p.n, true, p.d % 4 == 0, 0};
        objective =
            std::make_shared<Objective<float>>(Data<float>{rows, double(p.n), true, 0.0, 0.0, 0, nullptr, tiling});
    }
};

std::vector<float> start(std::size_t d) {
    std::vector<float> w(d + 1);
    for (std::size_t j = 0; j <= d; ++j) w[j] = float(noise(3 * j));
    return w;
}

void check_gradient(std::size_t n, std::size_t d, Tiling tiling) {
    const Problem p(n, d);
    const Bound bound(p, tiling);
    const std::vector<float> w = start(d);
    const OnTheDevice<float> on_device(w), gradient(std::vector<float>(d + 1));
    double expected_value;
    const auto expected = p.gradient(std::vector<double>(w.begin(), w.end()), 0, n, &expected_value);
    const double value = bound.objective->value_and_gradient(on_device.at(), gradient.at());
    const char* name = tiling_names[int(tiling)];
    expect(std::fabs(value - expected_value) < 1e-5 * (1.0 + expected_value), "value", name, n, d);
    expect(close(gradient.get(d + 1), expected), "gradient", name, n, d);
}

// Momentum over mini-batches in sequence.
void check_steps(std::size_t n, std::size_t d, std::size_t batch, Tiling tiling) {
    const Problem p(n, d);
    const Bound bound(p, tiling);
    const std::vector<float> w0 = start(d);
    const OnTheDevice<float> w(w0), velocity(std::vector<float>(d + 1));
    steepest::Hyperparameters h;
    h.momentum = mu;
    float* const states[2] = {velocity.at(), nullptr};
    Descent<float> descent(bound.objective, id_of_MomentumSum, h, w.at(), states, 0, batch);
    const std::vector<double> rates((n + batch - 1) / batch, 0.01);
    std::vector<double> expected(w0.begin(), w0.end()), v(d + 1, 0.0);
    steepest::Interrupt never(nullptr);
    descent.start_epoch(nullptr);
    std::vector<float> path(rates.size() * (d + 1));
    const RunReport report = descent.run(rates.data(), rates.size(), 1e9, path.data(), never);
    expect(report.epoch_done && !report.diverged, "epoch", tiling_names[int(tiling)], n, d);
    for (std::size_t first = 0; first < n; first += batch) {
        double value;
        const auto g = p.gradient(expected, first, std::min(batch, n - first), &value);
        for (std::size_t j = 0; j <= d; ++j) {
            v[j] = mu * v[j] + g[j];
            expected[j] -= 0.01 * v[j];
        }
    }
    expect(close(w.get(d + 1), expected), "steps", tiling_names[int(tiling)], n, d);
}

// A run whose loss overflows leaves nothing under way.
void check_divergence(Tiling tiling) {
    const Problem p(64, 32);
    const Bound bound(p, tiling);
    const OnTheDevice<float> w(start(32));
    float* const states[2] = {};
    Descent<float> descent(bound.objective, id_of_GradientDescent, {}, w.at(), states, 0, 16);
    const std::vector<double> rates(4, 1e30);
    steepest::Interrupt never(nullptr);
    descent.start_epoch(nullptr);
    const RunReport report = descent.run(rates.data(), rates.size(), 1e9, nullptr, never);
    expect(report.diverged && report.n_steps < 4, "divergence", tiling_names[int(tiling)], 64, 32);
    const auto w0 = start(32);
    expect(close(w.get(33), std::vector<double>(w0.begin(), w0.end())), "restore", tiling_names[int(tiling)], 64, 32);
}

void check_update(std::size_t n) {
    const std::vector<float> w0(start(n)), g0(start(2 * n));
    const OnTheDevice<float> w(w0), g(g0), v(std::vector<float>(n + 1));
    steepest::Hyperparameters h;
    h.learning_rate = 0.1;
    h.momentum = mu;
    const Parameters<float> parameters{w.at() + 1, {v.at() + 1, nullptr}, n, n};
    update(id_of_MomentumSum, parameters, g.at() + 1, h, 0.0f, device(0), nullptr);
    std::vector<double> expected(w0.begin(), w0.end());
    for (std::size_t j = 1; j <= n; ++j) expected[j] -= 0.1 * double(g0[j]);
    expect(close(w.get(n + 1), expected), "update", "none", n, 1);
}

}  // namespace

int main() {
    try {
        for (const Tiling tiling : {Tiling::lanes, Tiling::tiles, Tiling::bulk, Tiling::split}) {
            check_gradient(45, 36, tiling);
            check_steps(56, 32, 24, tiling);
            check_divergence(tiling);
            if (tiling == Tiling::bulk) continue;
            check_gradient(13, 33, tiling);
        }
        check_update(300);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "wrong: %s\n", error.what());
        return 1;
    }
    return failures ? 1 : 0;
}
