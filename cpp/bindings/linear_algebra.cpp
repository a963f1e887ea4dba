#include "cpp/bindings/linear_algebra.hpp"

#include <algorithm>
#include <string>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/engine/cholesky.hpp"
#include "cpp/engine/coordinate_descent.hpp"
#include "cpp/engine/entry_products.hpp"
#include "cpp/engine/orthogonal.hpp"

namespace steepest {
namespace {

using LongArray = py::array_t<OrthogonalRows::Real, py::array::c_style>;

OrthogonalRows orthogonal_rows(const LongArray& rows, double dependent) {
    if (rows.ndim() != 2) throw py::value_error("rows: expected a matrix, got " + describe(rows));
    const OrthogonalRows::Real* data = rows.data();
    const auto n = std::size_t(rows.shape(0)), p = std::size_t(rows.shape(1));
    const GilReleased released;
    return {data, n, p, dependent};
}

LongArray triangle(const OrthogonalRows& of) {
    const auto p = py::ssize_t(of.n_columns());
    LongArray found({p, p});
    of.triangle(found.mutable_data());
    return found;
}

LongArray lengths(const OrthogonalRows& of) {
    LongArray found{py::ssize_t(of.n_columns())};
    of.lengths(found.mutable_data());
    return found;
}

LongArray inverse(const OrthogonalRows& of) {
    const auto p = py::ssize_t(of.n_columns());
    LongArray found({p, p});
    of.invert(found.mutable_data());
    return found;
}

LongArray solve_rows(const OrthogonalRows& of, const LongArray& targets, std::size_t refinements) {
    if (targets.ndim() != 1 || std::size_t(targets.shape(0)) != of.n_rows())
        throw py::value_error("targets: expected a vector of " + std::to_string(of.n_rows()) + " elements, got " +
                              describe(targets));
    LongArray w{py::ssize_t(of.n_columns())};
    const OrthogonalRows::Real* data = targets.data();
    OrthogonalRows::Real* to = w.mutable_data();
    const GilReleased released;
    of.solve(data, refinements, to);
    return w;
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

// Rows and columns of entries are below what they number.
void add_products_of(const py::handle& rows, const py::handle& columns, const py::handle& values,
                     const py::handle& curvature, py::array_t<double, py::array::c_style>& block) {
    const py::ssize_t width = block.ndim() == 2 ? block.shape(0) : 0;
    if (width < 1 || block.shape(1) != width || !block.writeable())
        throw py::value_error("block: expected a writeable square matrix, got " + describe(block));
    if (!py::isinstance<py::array>(rows) || !py::isinstance<py::array>(curvature))
        throw py::type_error("rows and curvature: expected arrays, got " + describe(rows) + " and " +
                             describe(curvature));
    const auto n = std::size_t(py::reinterpret_borrow<py::array>(rows).size());
    const auto n_rows = std::size_t(py::reinterpret_borrow<py::array>(curvature).size());
    const EntryList entries{checked_vector<std::int64_t>(rows, "rows", n),
                            checked_vector<std::int64_t>(columns, "columns", n),
                            checked_vector<double>(values, "values", n), n, std::size_t(width) - 1};
    const double* of_rows = checked_vector<double>(curvature, "curvature", n_rows);
    for (std::size_t e = 0; e < n; ++e)
        if (std::size_t(entries.columns[e]) >= entries.n_columns || std::size_t(entries.rows[e]) >= n_rows)
            throw py::value_error("rows and columns: expected numbers below " + std::to_string(n_rows) + " and " +
                                  std::to_string(entries.n_columns) + ", got " + std::to_string(entries.rows[e]) +
                                  " and " + std::to_string(entries.columns[e]));
    double* to = block.mutable_data();
    const GilReleased released;
    add_products(entries, of_rows, to);
}

}  // namespace

void bind_linear_algebra(py::module_& m) {
    py::class_<OrthogonalRows>(m, "OrthogonalRows")
        .def(py::init(&orthogonal_rows), py::arg("rows").noconvert(), py::arg("dependent"))
        .def_property_readonly("triangle", &triangle)
        .def_property_readonly("inverse", &inverse)
        .def_property_readonly("lengths", &lengths)
        .def("solve", &solve_rows, py::arg("targets").noconvert(), py::arg("refinements"));
    py::class_<Cholesky>(m, "Cholesky")
        .def(py::init(&cholesky_of<float>), py::arg("matrix").noconvert(), py::arg("ridge"))
        .def(py::init(&cholesky_of<double>), py::arg("matrix").noconvert(), py::arg("ridge"))
        .def_property_readonly("definite", &Cholesky::definite)
        .def("solve", &solve, py::arg("right"))
        .def("solve_all", &solve_all, py::arg("right").noconvert());
    m.def("add_products", &add_products_of, py::arg("rows"), py::arg("columns"), py::arg("values"),
          py::arg("curvature"), py::arg("block").noconvert());
    m.def("coordinate_descent", &descend, py::arg("matrix").noconvert(), py::arg("slope"), py::arg("w"), py::arg("l1"),
          py::arg("start"), py::arg("max_sweeps"), py::arg("tolerance"), py::arg("lower") = py::none());
}

}  // namespace steepest
