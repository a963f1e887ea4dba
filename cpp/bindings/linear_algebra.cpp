#include "cpp/bindings/linear_algebra.hpp"

#include <algorithm>
#include <string>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/engine/cholesky.hpp"
#include "cpp/engine/coordinate_descent.hpp"

namespace steepest {
namespace {

template <class T>
Cholesky cholesky_of(const py::array_t<T, py::array::c_style>& matrix, double ridge) {
    if (matrix.ndim() != 2 || matrix.shape(0) != matrix.shape(1))
        throw py::value_error("matrix: expected a square matrix, got " + describe(matrix));
    const T* a = matrix.data();
    const auto n = std::size_t(matrix.shape(0));
    return without_gil([&](Interrupt& interrupt) { return Cholesky(a, n, ridge, interrupt); });
}

py::tuple descend(const py::array_t<double, py::array::c_style>& matrix, const py::handle& slope, const py::handle& w,
                  const py::handle& l1, const py::handle& start, std::size_t max_sweeps, double tolerance,
                  const py::object& lower) {
    if (matrix.ndim() != 2 || matrix.shape(0) != matrix.shape(1))
        throw py::value_error("matrix: expected a square matrix, got " + describe(matrix));
    const auto n = std::size_t(matrix.shape(0));
    const QuadraticModel model{matrix.data(),
                               checked_vector<double>(slope, "slope", n),
                               checked_vector<double>(w, "w", n),
                               checked_vector<double>(l1, "l1", n),
                               lower.is_none() ? nullptr : checked_vector<double>(lower, "lower", n),
                               n};
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

void bind_linear_algebra(py::module_& m) {
    py::class_<Cholesky>(m, "Cholesky")
        .def(py::init(&cholesky_of<float>), py::arg("matrix").noconvert(), py::arg("ridge"))
        .def(py::init(&cholesky_of<double>), py::arg("matrix").noconvert(), py::arg("ridge"))
        .def_property_readonly("definite", &Cholesky::definite)
        .def("solve", &solve, py::arg("right"))
        .def("solve_all", &solve_all, py::arg("right").noconvert());
    m.def("coordinate_descent", &descend, py::arg("matrix").noconvert(), py::arg("slope"), py::arg("w"), py::arg("l1"),
          py::arg("start"), py::arg("max_sweeps"), py::arg("tolerance"), py::arg("lower") = py::none());
}

}  // namespace steepest
