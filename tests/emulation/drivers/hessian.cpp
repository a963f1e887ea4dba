// Runs the kernels of Hessian products, of statistics of columns and of copies of rows through their C++ interface, and
// compares with sums in double. Prints what is wrong and returns 1.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cuda/engine/objective.hpp"
#include "cuda/launch/columns.hpp"
#include "tests/emulation/drivers/on_device.hpp"

namespace {

using namespace steepest;  // NOLINT
using namespace steepest::cuda;  // NOLINT

float stored(float x, float) { return x; }
BFloat16 stored(float x, BFloat16) { return {std::uint16_t(bits_as<std::uint32_t>(x) >> 16)}; }

template <class S>
std::vector<S> stored_numbers(std::size_t n) {
    std::vector<S> values;
    for (const float x : numbers(n, 0)) values.push_back(stored(x, S{}));
    return values;
}

template <class S>
double at(const std::vector<S>& x, std::size_t n, std::size_t d, bool row_major, std::size_t i, std::size_t j) {
    return double(widen(x[row_major ? i * d + j : j * n + i]));
}

template <class S>
void test_product(std::size_t n, std::size_t d, bool row_major, Tiling tiling) {
    const std::vector<S> x = stored_numbers<S>(n * d);
    const std::vector<float> w = numbers(d + 1, 1), v = numbers(d + 1, 2), y(n, 1.0f);
    const OnTheDevice<S> device_x(x);
    const OnTheDevice<float> device_y(y), device_w(w), device_v(v), found(w);
    const bool aligned = row_major && d * sizeof(S) % 16 == 0;
    const Batch<S> rows{device_x.data(), device_y.data(),     nullptr, nullptr, n, d, 0, n, row_major,
                        aligned,         {id_of_Logistic, {}}};
    Objective<S> objective(Data<S>{rows, double(n), true, 0.0, 0.125, 0, nullptr, tiling});
    objective.hessian_product(device_w.data(), device_v.data(), found.data());
    std::vector<double> wanted(d + 1);
    for (std::size_t i = 0; i < n; ++i) {
        double z = double(w[d]), u = double(v[d]);
        for (std::size_t j = 0; j < d; ++j) {
            z += at(x, n, d, row_major, i, j) * double(w[j]);
            u += at(x, n, d, row_major, i, j) * double(v[j]);
        }
        const double slope = Logistic::curvature(z, 1.0) * u;
        for (std::size_t j = 0; j < d; ++j) wanted[j] += slope * at(x, n, d, row_major, i, j);
        wanted[d] += slope;
    }
    std::vector<float> product(d + 1);
    copy_to_host(product.data(), found.data(), product.size() * sizeof(float), nullptr);
    std::vector<double> sums(d + 2);
    objective.product_sums(w.data(), v.data(), sums.data());
    for (std::size_t j = 0; j <= d; ++j) {
        const std::string what = std::string("product by ") + tiling_names[int(tiling)] + ", at " + std::to_string(j);
        const double penalty = j < d ? 0.125 * double(v[j]) : 0.0;
        expect(std::abs(double(product[j]) - wanted[j] / double(n) - penalty) < 1e-4, what);
        expect(std::abs(sums[j] - wanted[j]) < 1e-4 * double(n), what + ", of sums");
    }
}

template <class S>
void test_columns(std::size_t n, std::size_t d, bool row_major) {
    const std::vector<S> x = stored_numbers<S>(n * d);
    const std::vector<float> weight = numbers(n, 3);
    std::vector<float> squares;
    for (const float each : weight) squares.push_back(each * each);
    squares[0] = 1.0f;
    const OnTheDevice<S> device_x(x);
    const OnTheDevice<float> device_weight(squares);
    const Rows rows{device_x.data(), n, d, row_major};
    const std::vector<std::int64_t> some{0};
    std::vector<double> found(3 * d);
    column_statistics<S>(rows, device_weight.data(), nullptr, some.data(), 1, found.data(), nullptr);
    for (std::size_t j = 0; j < d; ++j) {
        double total = 0.0, sum = 0.0, square = 0.0;
        for (std::size_t i = 0; i < n; ++i) total += double(squares[i]);
        for (std::size_t i = 0; i < n; ++i) sum += double(squares[i]) * at(x, n, d, row_major, i, j) / total;
        for (std::size_t i = 0; i < n; ++i)
            square += double(squares[i]) * std::pow(at(x, n, d, row_major, i, j) - sum, 2.0) / total;
        expect(std::abs(found[j] - sum) < 1e-12 && std::abs(found[d + j] - std::sqrt(square)) < 1e-12,
               "statistics of column " + std::to_string(j));
    }
    std::vector<std::int64_t> index;
    for (std::size_t i = 0; i < n; i += 2) index.push_back(std::int64_t(n - 1 - i));
    std::vector<S> copies(index.size() * d);
    gather_rows(rows, sizeof(S), index.data(), index.size(), copies.data(), 1000, nullptr);
    for (std::size_t k = 0; k < index.size(); ++k)
        for (std::size_t j = 0; j < d; ++j)
            expect(double(widen(copies[k * d + j])) == at(x, n, d, row_major, std::size_t(index[k]), j),
                   "a copy of row " + std::to_string(index[k]));
}

}  // namespace

int main() {
    test_product<float>(97, 33, true, Tiling::lanes);
    test_product<float>(48, 520, true, Tiling::lanes);
    test_product<float>(33, 70, false, Tiling::tiles);
    test_product<float>(48, 516, true, Tiling::bulk);
    test_product<float>(33, 100, true, Tiling::tiles);
    test_product<float>(90, 100, true, Tiling::split);
    test_product<float>(90, 31, false, Tiling::split);
    test_product<BFloat16>(40, 64, true, Tiling::lanes);
    test_columns<float>(300, 7, true);
    test_columns<float>(300, 7, false);
    test_columns<BFloat16>(40, 300, true);
    return 0;
}
