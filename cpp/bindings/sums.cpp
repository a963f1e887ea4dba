#include "cpp/bindings/sums.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cpp/bindings/checks.hpp"

namespace steepest {

py::tuple as_tuple(const Sums& sums) {
    const SumsShape& shape = sums.shape;
    py::array_t<double> slopes{py::ssize_t(shape.n_scores)};
    py::array_t<double> gradient({py::ssize_t(shape.n_scores), py::ssize_t(shape.n_columns)});
    const double* from = sums.values.data();
    for (std::size_t c = 0; c < shape.n_scores; ++c) {
        slopes.mutable_data()[c] = from[shape.slope(c)];
        std::copy_n(from + shape.gradient(c), shape.n_columns, gradient.mutable_data() + c * shape.n_columns);
    }
    return py::make_tuple(sums.weight, from[0], slopes, gradient);
}

Sums sums_of(const py::handle& object, const SumsShape& shape) {
    const auto [weight, loss, slopes, gradient] = object.cast<std::tuple<double, double, py::object, py::object>>();
    if (!(weight >= 0.0)) throw py::value_error("weight must be at least 0, got " + std::to_string(weight));
    const double* slope = checked_vector<double>(slopes, "slopes", shape.n_scores);
    const double* of_columns = checked_table<double>(gradient, "gradient", shape.n_scores, shape.n_columns);
    Sums sums{weight, shape, std::vector<double>(shape.size())};
    sums.values[0] = loss;
    for (std::size_t c = 0; c < shape.n_scores; ++c, of_columns += shape.n_columns) {
        sums.values[shape.slope(c)] = slope[c];
        std::copy_n(of_columns, shape.n_columns, sums.values.data() + shape.gradient(c));
    }
    return sums;
}

py::tuple as_tuple(const HessianSums& sums) {
    return py::make_tuple(sums.row, sums.block,
                          py::array_t<double>(py::ssize_t(sums.values.size()), sums.values.data()));
}

HessianSums hessian_sums_of(const py::handle& object, const SumsShape& shape) {
    const auto [row, block, values] = object.cast<std::tuple<std::size_t, std::size_t, py::object>>();
    const std::size_t p = shape.n_columns, pairs = shape.n_scores * (shape.n_scores + 1) / 2;
    if (row < p || block < p * row)
        throw py::value_error("row and block must be at least " + std::to_string(p) + " and " +
                              std::to_string(p * row) + ", got " + std::to_string(row) + " and " +
                              std::to_string(block));
    const double* from = checked_vector<double>(values, "values", pairs * block);
    return {{from, from + pairs * block}, row, block, false};
}

namespace {

// The shape of what `sums` gave, to which the parts after the first are held.
SumsShape shape_of(const py::handle& object) {
    const auto gradient = object.cast<std::tuple<double, double, py::object, py::array_t<double>>>();
    const py::array& table = std::get<3>(gradient);
    if (table.ndim() != 2) throw py::value_error("gradient must be of two dimensions, got " + describe(table));
    return {std::size_t(table.shape(0)), std::size_t(table.shape(1))};
}

py::tuple add_sums(const py::sequence& parts) {
    if (parts.size() == 0) throw py::value_error("parts: expected at least one, got none");
    const SumsShape shape = shape_of(parts[0]);
    SumsTree tree;
    for (const py::handle part : parts) tree.add(sums_of(part, shape));
    return as_tuple(tree.total());
}

}  // namespace

void bind_sums(py::module_& m) { m.def("add_sums", &add_sums, py::arg("parts")); }

}  // namespace steepest
