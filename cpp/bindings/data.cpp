#include "cpp/bindings/data.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/engine/cholesky.hpp"
#include "cpp/engine/coordinate_descent.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/order.hpp"
#include "cpp/engine/statistics.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

py::array_t<std::uint32_t> row_order(std::size_t n, std::uint64_t seed, std::uint64_t epoch) {
    if (n == 0 || n > max_indexed_rows)
        throw py::value_error("n: expected 1 to 4294967295 rows, got " + std::to_string(n));
    py::array_t<std::uint32_t> order{py::ssize_t(n)};
    RowOrder rows(n, true, seed);
    rows.start_epoch(epoch);
    rows.next(passes(), order.mutable_data(), n);
    return order;
}

template <class S>
double read_sum(const S* data, std::size_t n) {
    constexpr std::size_t block = 1 << 18;
    std::vector<double> sums((n + block - 1) / block);
    const auto kernel = kernels_of<S>().sum;
    return without_gil([&](Interrupt& interrupt) {
        for_each_task(sums.size(), threads_in_use(), interrupt, [&](std::size_t task, int) {
            sums[task] = kernel(data + task * block, std::min(block, n - task * block));
        });
        double total = 0.0;
        for (const double sum : sums) total += sum;
        return total;
    });
}

// Returns whether the array is one of S.
template <class S>
bool read_sum_as(const py::array& array, double& sum) {
    if (!py::isinstance<py::array_t<S>>(array)) return false;
    sum = read_sum(static_cast<const S*>(array.data()), std::size_t(array.size()));
    return true;
}

// Returns mean and deviation if X is an array of S, else nothing.
template <class S>
py::object column_statistics_of(const py::array& X, const py::object& weight) {
    using T = ArithmeticOf<S>;
    if (!py::isinstance<py::array_t<S>>(X)) return py::none();
    check_matrix(X);
    const auto n = std::size_t(X.shape(0)), d = std::size_t(X.shape(1));
    const Order order = X.flags() & py::array::c_style ? Order::row_major : Order::column_major;
    const Matrix<S> matrix{static_cast<const S*>(X.data()), n, d, order};
    const T* weights = weight.is_none() ? nullptr : checked_vector<T>(weight, "sample_weight", n);
    py::array_t<double> mean{py::ssize_t(d)}, deviation{py::ssize_t(d)};
    double *m = mean.mutable_data(), *s = deviation.mutable_data();
    without_gil([&](Interrupt& interrupt) { column_statistics(matrix, weights, m, s, interrupt); });
    return py::make_tuple(mean, deviation);
}

py::object column_statistics_of_any(const py::array& X, const py::object& weight) {
    for (const auto of : {&column_statistics_of<float>, &column_statistics_of<double>, &column_statistics_of<Float16>,
                          &column_statistics_of<BFloat16>}) {
        const py::object found = of(X, weight);
        if (!found.is_none()) return found;
    }
    throw py::type_error("X: expected an array of float32, float64, float16 or bfloat16");
}

template <class T>
Cholesky cholesky_of(const py::array_t<T, py::array::c_style>& matrix, double ridge) {
    if (matrix.ndim() != 2 || matrix.shape(0) != matrix.shape(1))
        throw py::value_error("matrix: expected a square matrix, got " + describe(matrix));
    const T* a = matrix.data();
    const auto n = std::size_t(matrix.shape(0));
    return without_gil([&](Interrupt& interrupt) { return Cholesky(a, n, ridge, interrupt); });
}

py::tuple descend(const py::array_t<double, py::array::c_style>& matrix, const py::handle& slope, const py::handle& w,
                  const py::handle& l1, const py::handle& start, std::size_t max_sweeps, double tolerance) {
    if (matrix.ndim() != 2 || matrix.shape(0) != matrix.shape(1))
        throw py::value_error("matrix: expected a square matrix, got " + describe(matrix));
    const auto n = std::size_t(matrix.shape(0));
    const QuadraticModel model{matrix.data(), checked_vector<double>(slope, "slope", n),
                               checked_vector<double>(w, "w", n), checked_vector<double>(l1, "l1", n), n};
    const double* from = checked_vector<double>(start, "start", n);
    py::array_t<double> z{py::ssize_t(n)};
    double* to = z.mutable_data();
    std::copy(from, from + n, to);
    const bool settled = without_gil(
        [&](Interrupt& interrupt) { return coordinate_descent(model, to, max_sweeps, tolerance, interrupt); });
    return py::make_tuple(z, settled);
}

py::array_t<double> solve_all(const Cholesky& factor, const py::array_t<double, py::array::c_style>& right) {
    if (!factor.definite()) throw py::value_error("there is no factor: the matrix is not definite");
    if (right.ndim() != 2 || std::size_t(right.shape(1)) != factor.size())
        throw py::value_error("right: expected vectors of " + std::to_string(factor.size()) + " elements, got " +
                              describe(right));
    py::array_t<double> x({right.shape(0), right.shape(1)});
    const double* from = right.data();
    double* to = x.mutable_data();
    std::copy(from, from + right.size(), to);
    const auto k = std::size_t(right.shape(0));
    without_gil([&](Interrupt& interrupt) { factor.solve(to, k, interrupt); });
    return x;
}

py::array_t<double> solve(const Cholesky& factor, const py::handle& right) {
    if (!factor.definite()) throw py::value_error("there is no factor: the matrix is not definite");
    const double* from = checked_vector<double>(right, "right", factor.size());
    py::array_t<double> x{py::ssize_t(factor.size())};
    double* to = x.mutable_data();
    std::copy(from, from + factor.size(), to);
    const GilReleased released;
    factor.solve(to);
    return x;
}

}  // namespace

void bind_data(py::module_& m) {
    m.def("row_order", &row_order, py::arg("n"), py::arg("seed"), py::arg("epoch"));
    m.def(
        "read_sum",
        [](const py::array& a) {
            double sum = 0.0;
            if (!(a.flags() & (py::array::c_style | py::array::f_style)) ||
                !(read_sum_as<float>(a, sum) || read_sum_as<double>(a, sum) || read_sum_as<Float16>(a, sum) ||
                  read_sum_as<BFloat16>(a, sum)))
                throw py::type_error("array: expected a contiguous array of float32, float64, float16 or bfloat16");
            return sum;
        },
        py::arg("array"));
    py::class_<Cholesky>(m, "Cholesky")
        .def(py::init(&cholesky_of<float>), py::arg("matrix").noconvert(), py::arg("ridge"))
        .def(py::init(&cholesky_of<double>), py::arg("matrix").noconvert(), py::arg("ridge"))
        .def_property_readonly("definite", &Cholesky::definite)
        .def("solve", &solve, py::arg("right"))
        .def("solve_all", &solve_all, py::arg("right").noconvert());
    m.def("coordinate_descent", &descend, py::arg("matrix").noconvert(), py::arg("slope"), py::arg("w"), py::arg("l1"),
          py::arg("start"), py::arg("max_sweeps"), py::arg("tolerance"));
    m.def("column_statistics", &column_statistics_of_any, py::arg("X"), py::arg("sample_weight").none(true));
}

}  // namespace steepest
