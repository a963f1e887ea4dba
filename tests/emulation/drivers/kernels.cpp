// Runs the kernels of cuda/ on small data through their C++ interface and compares with sums in double. Prints what is
// wrong and returns 1. nvcc compiles it too, for tools/gpu_first.sh, without what the emulator alone can do.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "cpp/math/permutation.hpp"
#include "cuda/engine/descent.hpp"
#include "cuda/engine/sparse.hpp"
#include "cuda/launch/order.hpp"
#include "cuda/launch/survey.hpp"
#include "cuda/launch/update.hpp"

#if !defined(__CUDACC__)
#include "contexts.hpp"
#include "settings.hpp"
#endif

namespace {

using namespace steepest;        // NOLINT
using namespace steepest::cuda;  // NOLINT

constexpr double l2 = 0.125, learning_rate = 0.5;

void expect(bool condition, const std::string& what) {
    if (condition) return;
    std::printf("wrong: %s\n", what.c_str());
    std::exit(1);
}

template <class T>
struct OnTheDevice {
    Buffer memory;
    T* data;

    explicit OnTheDevice(const std::vector<T>& values, std::size_t offset = 0) {
        memory.reserve((offset + values.size()) * sizeof(T));
        data = memory.as<T>() + offset;
        copy_to_device(data, values.data(), values.size() * sizeof(T), nullptr);
        wait(nullptr);
    }
};

template <class T>
std::vector<T> on_host(const T* data, std::size_t n) {
    std::vector<T> values(n);
    copy_to_host(values.data(), data, n * sizeof(T), nullptr);
    return values;
}

float number(std::size_t i) { return float(int((i * 2654435761u >> 7) % 33) - 16) / 16; }

std::vector<float> numbers(std::size_t n) {
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = number(i);
    return values;
}

// float as stored: all numbers here need few bits.
float stored(float x, float) { return x; }
BFloat16 stored(float x, BFloat16) { return {std::uint16_t(bits_as<std::uint32_t>(x) >> 16)}; }

template <class S>
struct Problem {
    std::size_t n, d;
    bool row_major;
    std::vector<S> x;
    std::vector<float> y, w;
    OnTheDevice<S> device_x;
    OnTheDevice<float> device_y, device_w, gradient;

    Problem(std::size_t n_, std::size_t d_, bool row_major_, std::size_t bad_label = ~std::size_t(0))
        : n(n_),
          d(d_),
          row_major(row_major_),
          x(make_x()),
          y(make_y(bad_label)),
          w(numbers(d + 1)),
          device_x(x),
          device_y(y),
          device_w(w),
          gradient(w) {}

    std::vector<S> make_x() const {
        std::vector<S> values;
        for (const float v : numbers(n * d)) values.push_back(stored(v, S{}));
        return values;
    }
    std::vector<float> make_y(std::size_t bad) const {
        std::vector<float> labels(n);
        for (std::size_t i = 0; i < n; ++i)
            labels[i] = i == bad ? std::numeric_limits<float>::quiet_NaN() : float(i * i % 3 == 1);
        return labels;
    }
    double at(std::size_t row, std::size_t column) const {
        return double(widen(x[row_major ? row * d + column : column * n + row]));
    }
    std::shared_ptr<Objective<S>> objective(Tiling tiling) const {
        const bool aligned = row_major && d * sizeof(S) % 16 == 0;
        const Batch<S> rows{device_x.data, device_y.data,       nullptr, nullptr, n, d, 0, n, row_major,
                            aligned,       {id_of_Logistic, {}}};
        return std::make_shared<Objective<S>>(Data<S>{rows, double(n), true, 0.0, l2, 0, nullptr, tiling});
    }
    // The gradient at w over these rows.
    std::vector<double> reference(const std::vector<double>& at_w, const std::uint32_t* rows, std::size_t count) const {
        std::vector<double> g(d + 1);
        for (std::size_t i = 0; i < count; ++i) {
            double z = at_w[d];
            for (std::size_t j = 0; j < d; ++j) z += at(rows[i], j) * at_w[j];
            const double slope = Logistic::slope(z, double(y[rows[i]])) / double(count);
            for (std::size_t j = 0; j < d; ++j) g[j] += slope * at(rows[i], j);
            g[d] += slope;
        }
        for (std::size_t j = 0; j < d; ++j) g[j] += l2 * at_w[j];
        return g;
    }
};

void expect_close(const std::vector<float>& found, const std::vector<double>& wanted, const std::string& what) {
    for (std::size_t j = 0; j < wanted.size(); ++j)
        expect(std::abs(double(found[j]) - wanted[j]) < 1e-4, what + ", at " + std::to_string(j));
}

std::vector<std::uint32_t> order_of(std::size_t n) {
    std::vector<std::uint32_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = std::uint32_t((i * 7 + 3) % n);  // 7 divides no n here
    return order;
}

Hyperparameters hyperparameters() {
    Hyperparameters h;
    h.learning_rate = learning_rate;
    h.momentum = 0.5;
    return h;
}

template <class S>
void test_pass(std::size_t n, std::size_t d, bool row_major, Tiling tiling) {
    const Problem<S> p(n, d, row_major);
    const auto objective = p.objective(tiling);
    objective->value_and_gradient(p.device_w.data, p.gradient.data);
    std::vector<std::uint32_t> rows(n);
    std::iota(rows.begin(), rows.end(), 0u);
    const std::vector<double> w(p.w.begin(), p.w.end());
    expect_close(on_host(p.gradient.data, d + 1), p.reference(w, rows.data(), n),
                 std::string("gradient by ") + tiling_names[int(tiling)]);
    // A launch a step, as epochs that do not fit do it.
    const MomentumSum<float> rule(hyperparameters());
    const OnTheDevice<MomentumSum<float>> rules({rule, rule});
    const OnTheDevice<float> state(std::vector<float>(d + 1));
    const OnTheDevice<Status> status({Status{}});
    Step<float> step{
        p.device_w.data, {state.data}, nullptr, id_of_MomentumSum, rules.data, 1.0 / double(n), 0, float(l2), d, true};
    Batch<S> all = objective->data().rows;
    for (std::size_t i = 0; i < 2; ++i) objective->pass(all, step, i, nullptr, status.data);
    expect(on_host(status.data, 1)[0].steps == 2, "number of steps");
    const OnTheDevice<std::uint32_t> order(order_of(n));
    all.index = order.data;
    objective->pass(all, step, 1, nullptr, status.data);
    expect(on_host(status.data, 1)[0].steps == 3, "number of steps, after one over rows in any order");
    const std::vector<float> moved = on_host(p.device_w.data, d + 1);
    objective->value_and_gradient(p.device_w.data, p.gradient.data);
    expect_close(on_host(p.gradient.data, d + 1), p.reference({moved.begin(), moved.end()}, rows.data(), n),
                 std::string("gradient after other passes by ") + tiling_names[int(tiling)]);
}

template <class S>
void test_epoch(std::size_t n, std::size_t d, bool row_major, Tiling tiling) {
    constexpr std::size_t batch = 13;
    const Problem<S> p(n, d, row_major);
    const OnTheDevice<float> state(std::vector<float>(d + 1));
    float* const states[max_states] = {state.data};
    Descent<S> descent(p.objective(tiling), id_of_MomentumSum, hyperparameters(), p.device_w.data, states, 0, batch);
    const std::vector<std::uint32_t> order = order_of(n);
    std::vector<std::uint32_t> given = order;
    descent.start_epoch(given.data());
    given.assign(n, 0);  // as if its memory were used for something else
    const std::size_t n_steps = (n + batch - 1) / batch;
    const std::vector<double> rates(n_steps, learning_rate);
    Interrupt interrupt(nullptr);
    const RunReport report = descent.run(rates.data(), n_steps, 1e9, nullptr, interrupt);
    const std::string name = std::string("epoch by ") + tiling_names[int(tiling)];
    expect(report.epoch_done && report.n_steps == n_steps, name + ": number of steps");
    std::vector<double> w(p.w.begin(), p.w.end()), velocity(d + 1);
    const MomentumSum<double> rule(hyperparameters());
    for (std::size_t first = 0; first < n; first += batch) {
        const std::vector<double> g = p.reference(w, order.data() + first, std::min(batch, n - first));
        for (std::size_t j = 0; j <= d; ++j) rule(w[j], g[j], &velocity[j]);
    }
    expect_close(on_host(p.device_w.data, d + 1), w, name);
}

// A label that is no number ends the epoch, while the next batch is on its way.
template <class S>
void test_divergence(std::size_t n, std::size_t d, Tiling tiling) {
    constexpr std::size_t batch = 10;
    const Problem<S> p(n, d, true, 15);
    float* const states[max_states] = {};
    Descent<S> descent(p.objective(tiling), id_of_GradientDescent, hyperparameters(), p.device_w.data, states, 0,
                       batch);
    descent.start_epoch(nullptr);
    const std::vector<double> rates(n / batch, learning_rate);
    Interrupt interrupt(nullptr);
    const RunReport report = descent.run(rates.data(), rates.size(), 1e9, nullptr, interrupt);
    expect(report.diverged && report.n_steps == 1, "a run that diverges");
    expect(on_host(p.device_w.data, d + 1) == p.w, "parameters after a run that diverged");
}

void test_update(std::size_t n, std::size_t offset) {
    std::vector<float> w = numbers(n), g = numbers(n + 5), state(n, 0.25f);
    g.resize(n);
    const OnTheDevice<float> device_w(w, offset), device_g(g, offset), device_state(state, offset);
    const Hyperparameters h = hyperparameters();
    update(id_of_MomentumSum, Parameters<float>{device_w.data, {device_state.data}, n, n}, device_g.data, h, 0.0f,
           device(0), nullptr);
    const MomentumSum<float> rule(h);
    for (std::size_t j = 0; j < n; ++j) rule(w[j], g[j], &state[j]);
    expect(on_host(device_w.data, n) == w && on_host(device_state.data, n) == state, "update");
}

void test_survey(std::size_t n) {
    std::vector<float> values(n, 1.0f);
    values[n - 1] = 0.5f;
    const OnTheDevice<float> data(values);
    const Survey found = survey(data.data, n, nullptr);
    expect(found.first_not_label == n - 1 && found.first_not_finite == n && found.minimum == 0.5, "survey");
}

#if !defined(__CUDACC__)
// Work on the second device makes no context on the first.
void test_second_device() {
    Buffer memory;
    {
        const OnDevice here(1);
        memory.reserve(64);
        fill_zero(memory.as<void>(), 64, nullptr);
        wait(nullptr);
    }
    expect(device_of(memory.as<void>()) == 1 && device_of(&memory) == -1, "devices of addresses");
    memory.release();
    expect(emulated::contexts() == std::set<int>{1}, "a context on a device that is not used");
    expect(emulated::current_context() == -1, "the thread's context afterwards");
}
#endif

void test_order(std::size_t n) {
    constexpr std::uint64_t seed = 5, epoch = 2;
    std::uint64_t entries = 1;
    int bits = 0;
    for (; entries < n; entries *= 2) ++bits;
    std::uint32_t keys[turns_of_permutation];
    draw_keys(state_of_epoch(seed, epoch), keys);
    std::vector<std::uint32_t> wanted;
    for (std::uint64_t at = 0; at < entries; ++at) {
        const int low = bits / 2;
        const std::uint32_t row = permuted(keys, low, (1u << low) - 1, (1u << (bits - low)) - 1, std::uint32_t(at));
        if (row < n) wanted.push_back(row);
    }
    const OnTheDevice<std::uint32_t> order(std::vector<std::uint32_t>(n, 0));
    Buffer counts;
    counts.reserve(bytes_of_counts(n));
    make_order(n, seed, epoch, order.data, counts.as<std::uint32_t>(), device(0), nullptr);
    expect(on_host(order.data, n) == wanted, "order of " + std::to_string(n) + " rows");
}

#if !defined(__SANITIZE_THREAD__) && !defined(__CUDACC__)  // addresses for so much memory, which the host writes
// Rows by numbers, and in sequence, on both sides of 2^31: the data are reserved memory that hardly anyone writes.
template <class S>
void test_far_rows(std::size_t d, bool row_major, Tiling tiling) {
    constexpr std::size_t middle = std::size_t(1) << 31, n = middle + 64, count = 40;
    emulated::set("EMULATED_MEMORY", std::to_string(std::size_t(1) << 44));
    Buffer far_x, far_y;
    far_x.reserve(n * d * sizeof(S));
    far_y.reserve(n * sizeof(float));
    const Problem<S> p(count, d, true);
    std::vector<std::uint32_t> index, sequence(count);
    for (std::size_t i = 0; i < count; ++i) index.push_back(std::uint32_t(i % 4 == 0 ? i : middle + 63 - i));
    std::iota(sequence.begin(), sequence.end(), std::uint32_t(middle - 17));
    const OnTheDevice<std::uint32_t> device_index(index);
    const bool aligned = row_major && d * sizeof(S) % 16 == 0;
    Batch<S> rows{far_x.as<S>(), far_y.as<float>(),   nullptr, nullptr, n, d, 0, n, row_major,
                  aligned,       {id_of_Logistic, {}}};
    Objective<S> objective(Data<S>{rows, double(count), true, 0.0, l2, 0, nullptr, tiling});
    for (const bool by_number : {true, false}) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = by_number ? index[i] : sequence[i];
            far_y.as<float>()[row] = p.y[i];
            for (std::size_t j = 0; j < d; ++j) far_x.as<S>()[row_major ? row * d + j : j * n + row] = p.x[i * d + j];
        }
        rows.begin = middle - 17;
        rows.count = count;
        rows.index = by_number ? device_index.data : nullptr;
        Step<float> step{};
        step.w = p.device_w.data;
        step.gradient = p.gradient.data;
        step.rule = no_rule;
        step.scale = 1.0 / double(count);
        step.l2 = float(l2);
        step.n_columns = d;
        step.intercept = true;
        const OnTheDevice<Status> status({Status{}});
        objective.pass(rows, step, 0, nullptr, status.data);
        std::vector<std::uint32_t> all(count);
        std::iota(all.begin(), all.end(), 0u);
        const std::vector<double> w(p.w.begin(), p.w.end());
        expect_close(on_host(p.gradient.data, d + 1), p.reference(w, all.data(), count),
                     std::string("rows near 2^31 by ") + tiling_names[int(tiling)]);
    }
}
#endif

// A row of more than two shares, empty rows, a column of half of all entries, and columns twice in a row.
void test_sparse() {
    constexpr std::size_t n = 300, d = 300, longest = 2500;  // two groups of threads a warp
    std::vector<std::int32_t> starts{0}, columns;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t length = i == 40 ? longest : i % 4;
        for (std::size_t k = 0; k < length; ++k)
            columns.push_back(std::int32_t(k % 2 ? 17 : (k * 2654435761u >> 7) % d));
        starts.push_back(std::int32_t(columns.size()));
    }
    const std::vector<float> values = numbers(columns.size());
    std::vector<float> w = numbers(d + 1), y(n);
    for (float& each : w) each /= 8;
    for (std::size_t i = 0; i < n; ++i) y[i] = float(i % 3 == 1);
    std::vector<double> gradient(d + 1);
    for (std::size_t i = 0; i < n; ++i) {
        double z = double(w[d]);
        for (auto e = std::size_t(starts[i]); e < std::size_t(starts[i + 1]); ++e)
            z += double(values[e]) * double(w[std::size_t(columns[e])]);
        const double slope = Logistic::slope(z, double(y[i])) / double(n);
        for (auto e = std::size_t(starts[i]); e < std::size_t(starts[i + 1]); ++e)
            gradient[std::size_t(columns[e])] += slope * double(values[e]);
        gradient[d] += slope;
    }
    for (std::size_t j = 0; j < d; ++j) gradient[j] += l2 * double(w[j]);
    const OnTheDevice<std::int32_t> device_starts(starts), device_columns(columns);
    const OnTheDevice<float> device_values(values), device_y(y), device_w(w), found(w);
    const SparseView<float> X{device_values.data, device_columns.data, false, device_starts.data, false, n, d,
                              columns.size()};
    const SparseFaults faults = check_sparse(X, nullptr);
    expect(faults.row == n && faults.entry == columns.size(), "sparse rows without faults");
    SparseObjective<float> objective(
        SparseData<float>{X, device_y.data, nullptr, {id_of_Logistic, {}}, double(n), true, 0.0, l2, 0, nullptr});
    objective.value_and_gradient(device_w.data, found.data);
    expect_close(on_host(found.data, d + 1), gradient, "gradient of sparse rows");
    objective.hessian_product(device_w.data, device_w.data, found.data);
}

// What a device without cooperative launches can do.
void test_without_cooperation() {
    test_pass<float>(97, 33, true, Tiling::lanes);
    test_epoch<float>(60, 33, true, Tiling::lanes);
    test_epoch<float>(60, 31, false, Tiling::tiles);
    test_divergence<float>(60, 20, Tiling::lanes);
}

}  // namespace

// A pass in one launch, over fewer chunks than parts and more chunks than blocks, each of more rows than the ring has.
void test_stream() {
    test_pass<float>(97, 33, true, Tiling::stream);
    test_pass<float>(1300, 100, true, Tiling::stream);
    test_pass<BFloat16>(1200, 70, true, Tiling::stream);
    test_pass<BFloat16>(701, 64, true, Tiling::stream);
}

void test_orders() {
    test_order(4097);
    test_order(9000);
}

void test_updates() {
    test_update(1003, 0);
    test_update(1003, 1);
}

int main(int argc, char** argv) {
    const std::string part = argc == 2 ? argv[1] : "";
    if (part == "without cooperative launches") return test_without_cooperation(), 0;
    if (part == "stream") return test_stream(), 0;
    if (part == "order") return test_orders(), 0;
    if (part == "sparse") return test_sparse(), 0;
    if (part == "update") return test_updates(), 0;
#if !defined(__CUDACC__)
    test_second_device();  // before anything uses the first
#endif
    test_stream();
    test_orders();
#if !defined(__SANITIZE_THREAD__) && !defined(__CUDACC__)
    test_far_rows<float>(4, true, Tiling::lanes);
    test_far_rows<float>(5, true, Tiling::tiles);
    test_far_rows<float>(3, false, Tiling::tiles);
    test_far_rows<BFloat16>(16, true, Tiling::bulk);
    test_far_rows<float>(5, true, Tiling::split);
#endif
    test_pass<float>(97, 33, true, Tiling::lanes);
    test_pass<float>(97, 15, true, Tiling::lanes);
    test_pass<float>(48, 520, true, Tiling::lanes);
    test_pass<float>(700, 100, true, Tiling::lanes);
    test_pass<float>(33, 70, false, Tiling::tiles);
    test_pass<float>(48, 516, true, Tiling::bulk);
    test_pass<float>(33, 100, true, Tiling::tiles);
    test_pass<float>(90, 100, true, Tiling::split);
    test_pass<BFloat16>(40, 64, true, Tiling::lanes);
    test_pass<BFloat16>(41, 31, true, Tiling::lanes);
    test_pass<BFloat16>(33, 131, true, Tiling::split);
    test_epoch<float>(60, 33, true, Tiling::lanes);
    test_epoch<float>(60, 100, true, Tiling::bulk);
    test_epoch<float>(60, 100, true, Tiling::tiles);
    test_epoch<float>(60, 31, false, Tiling::tiles);
    test_epoch<float>(26, 301, true, Tiling::tiles);
    test_divergence<float>(60, 100, Tiling::bulk);
    test_divergence<float>(60, 20, Tiling::lanes);
    test_updates();
    test_survey(1001);
    test_sparse();
    return 0;
}
