// Runs the kernels of the softmax loss through their C++ interface, and compares with sums in double. Prints what is
// wrong and returns 1.
#include "cuda/engine/softmax.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/emulation/drivers/on_device.hpp"

namespace {

using namespace steepest;  // NOLINT
using namespace steepest::cuda;  // NOLINT

// The sums of a pass: for each class d of the gradient and the slope's, then the loss's.
std::vector<double> wanted(const std::vector<float>& x, const std::vector<float>& y, const std::vector<float>& w,
                           std::size_t d, std::size_t k) {
    std::vector<double> sums(k * (d + 1) + 1), z(k);
    for (std::size_t i = 0; i < y.size(); ++i) {
        double total = 0.0;
        for (std::size_t c = 0; c < k; ++c) {
            z[c] = double(w[c * (d + 1) + d]);
            for (std::size_t j = 0; j < d; ++j) z[c] += double(x[i * d + j]) * double(w[c * (d + 1) + j]);
            total += std::exp(z[c]);
        }
        for (std::size_t c = 0; c < k; ++c) {
            const double slope = std::exp(z[c]) / total - (float(c) == y[i] ? 1.0 : 0.0);
            for (std::size_t j = 0; j < d; ++j) sums[c * (d + 1) + j] += slope * double(x[i * d + j]);
            sums[c * (d + 1) + d] += slope;
        }
        sums.back() += std::log(total) - z[std::size_t(y[i])];
    }
    return sums;
}

void test_pass(std::size_t n, std::size_t d, std::size_t k) {
    const std::vector<float> x = numbers(n * d, 0), w = numbers(k * (d + 1), 1);
    std::vector<float> y(n);
    for (std::size_t i = 0; i < n; ++i) y[i] = float(i * 7 % k);
    const OnTheDevice<float> device_x(x), device_y(y);
    const Batch<float> rows{device_x.data(), device_y.data(), nullptr, nullptr, n, d, 0, n, true, d % 4 == 0, {}};
    SoftmaxObjective<float> objective(SoftmaxData<float>{rows, double(n), k, true, 0.0, 0.0, 0, nullptr});
    std::vector<double> sums(k * (d + 1) + 1), product(sums.size());
    objective.sums(w.data(), nullptr, sums.data());
    objective.sums(w.data(), w.data(), product.data());
    const std::vector<double> exact = wanted(x, y, w, d, k);
    for (std::size_t i = 0; i < sums.size(); ++i)
        expect(std::abs(sums[i] - exact[i]) < 1e-4 * double(n), "sum " + std::to_string(i));
    for (std::size_t j = 0; j <= d; ++j) {
        double over_classes = 0.0;
        for (std::size_t c = 0; c < k; ++c) over_classes += product[c * (d + 1) + j];
        expect(std::abs(over_classes) < 1e-4 * double(n), "product at column " + std::to_string(j));
    }
}

}  // namespace

int main() {
    test_pass(300, 7, 3);
    test_pass(150, 140, 6);
    test_pass(70, 700, 20);
    return 0;
}
