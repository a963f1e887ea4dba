#include "cpp/bindings/column_descent.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/names.hpp"
#include "cpp/bindings/objective.hpp"
#include "cpp/engine/column_descent.hpp"
#include "cpp/engine/columns.hpp"

namespace steepest {
namespace {

using Block = py::array_t<double, py::array::c_style>;

// Numbers below `most`, which the caller keeps.
const std::uint32_t* checked_numbers(const py::handle& object, const char* name, std::size_t most, std::size_t& count) {
    if (!py::isinstance<py::array_t<std::uint32_t>>(object))
        throw py::type_error(std::string(name) + " must be an array of uint32, got " + describe(object));
    count = std::size_t(py::reinterpret_borrow<py::array>(object).size());
    const std::uint32_t* found = checked_vector<std::uint32_t>(object, name, count);
    if (std::any_of(found, found + count, [&](std::uint32_t number) { return number >= most; }))
        throw py::value_error(std::string(name) + " must be numbers below " + std::to_string(most));
    return found;
}

ChosenColumns checked_columns(const Block& block, const py::handle& which, const char* name) {
    if (block.ndim() != 2) throw py::value_error("block must have a row for each column, got " + describe(block));
    ChosenColumns columns{block.data(), std::size_t(block.shape(1)), nullptr, 0};
    columns.which = checked_numbers(which, name, std::size_t(block.shape(0)), columns.count);
    return columns;
}

double* checked_block(const py::handle& out, std::size_t rows, std::size_t n) {
    checked_table<double>(out, "out", rows, n);
    return py::reinterpret_borrow<py::array_t<double>>(out).mutable_data();
}

void copy_dense(const py::array& X, const py::object& weight, const py::handle& columns, const py::handle& out) {
    with_storage<void>(X, "X", [&](auto storage) {
        using S = typename decltype(storage)::type;
        const Matrix<S> matrix = checked_matrix<S>(X);
        const auto* w =
            weight.is_none() ? nullptr : checked_vector<ArithmeticOf<S>>(weight, "sample_weight", matrix.n_rows);
        std::size_t count;
        const std::uint32_t* which = checked_numbers(columns, "columns", matrix.n_columns, count);
        double* to = checked_block(out, count, matrix.n_rows);
        without_gil([&](Interrupt& interrupt) { copy_columns(matrix, w, which, count, to, interrupt); });
    });
}

py::array_t<double> combine(const py::array& X, const py::object& weight, const py::handle& r) {
    if (!py::isinstance<Block>(r) || py::reinterpret_borrow<py::array>(r).ndim() != 2)
        throw py::type_error("r must be an array of float64 with two dimensions, got " + describe(r));
    const auto count = std::size_t(py::reinterpret_borrow<py::array>(r).shape(0));
    py::array_t<double> out({count, std::size_t(X.ndim() == 2 ? X.shape(1) : 0)});
    double* to = out.mutable_data();
    with_storage<void>(X, "X", [&](auto storage) {
        using S = typename decltype(storage)::type;
        const Matrix<S> matrix = checked_matrix<S>(X);
        const auto* w =
            weight.is_none() ? nullptr : checked_vector<ArithmeticOf<S>>(weight, "sample_weight", matrix.n_rows);
        checked_table<double>(r, "r", count, matrix.n_rows);
        const double* factors = py::reinterpret_borrow<Block>(r).data();
        without_gil([&](Interrupt& interrupt) { combine_rows(matrix, w, factors, count, to, interrupt); });
    });
    return out;
}

template <class I, class V>
void copy_sparse_as(const V* values, const py::array& indices, const py::array& indptr, std::size_t n_columns,
                    const py::object& weight, const py::handle& columns, const py::handle& out) {
    const auto n = std::size_t(indptr.size() - 1);
    const bool wide = py::isinstance<py::array_t<std::int64_t>>(indptr);
    const SparseMatrix<V, I> matrix{values, static_cast<const I*>(indices.data()), indptr.data(), wide, n, n_columns};
    const auto* w = weight.is_none() ? nullptr : checked_vector<ArithmeticOf<V>>(weight, "sample_weight", n);
    std::size_t count;
    const std::uint32_t* which = checked_numbers(columns, "columns", n_columns, count);
    double* to = checked_block(out, count, n);
    without_gil([&](Interrupt& interrupt) { copy_columns(matrix, w, which, count, to, interrupt); });
}

// Of the arrays of a sparse_source, which checked their indices. `values` None: all of them are 1.
void copy_sparse(const py::object& values, const py::array& indices, const py::array& indptr, std::size_t n_columns,
                 const py::object& weight, const py::handle& columns, const py::handle& out) {
    const auto copy = [&](const auto* numbers) {
        if (py::isinstance<py::array_t<std::int64_t>>(indices)) {
            copy_sparse_as<std::int64_t>(numbers, indices, indptr, n_columns, weight, columns, out);
        } else {
            copy_sparse_as<std::int32_t>(numbers, indices, indptr, n_columns, weight, columns, out);
        }
    };
    if (values.is_none()) {
        const bool single = !weight.is_none() && py::isinstance<py::array_t<float>>(weight);
        return single ? copy(static_cast<const Ones<float>*>(nullptr))
                      : copy(static_cast<const Ones<double>*>(nullptr));
    }
    const py::array array = py::cast<py::array>(values);
    with_storage<void>(array, "data", [&](auto storage) {
        using V = typename decltype(storage)::type;
        if constexpr (std::is_floating_point_v<V> || std::is_same_v<V, Float16> || std::is_same_v<V, BFloat16>) {
            copy(static_cast<const V*>(array.data()));
        } else {
            throw py::type_error("data must be float16, bfloat16, float32 or float64, got " + describe(array));
        }
    });
}

py::array_t<double> dots(const Block& block, const py::handle& which, const py::handle& q) {
    const ChosenColumns columns = checked_columns(block, which, "which");
    const double* by = checked_vector<double>(q, "q", columns.n);
    py::array_t<double> out{py::ssize_t(columns.count)};
    double* to = out.mutable_data();
    without_gil([&](Interrupt& interrupt) { column_dots(columns, by, to, interrupt); });
    return out;
}

void add_to(const Block& block, const py::handle& which, const py::handle& v, const py::handle& z) {
    const ChosenColumns columns = checked_columns(block, which, "which");
    const double* factors = checked_vector<double>(v, "v", columns.count);
    double* to = checked_output<double>(z, "z", columns.n);
    without_gil([&](Interrupt& interrupt) { add_columns(columns, factors, to, interrupt); });
}

py::array_t<double> products(const Block& block, const py::handle& which, const py::object& others,
                             const py::object& h) {
    const bool symmetric = others.is_none();
    const ChosenColumns a = checked_columns(block, which, "which");
    const ChosenColumns b = symmetric ? a : checked_columns(block, others, "others");
    const double* weight = h.is_none() ? nullptr : checked_vector<double>(h, "h", a.n);
    py::array_t<double> out({a.count, b.count});
    double* to = out.mutable_data();
    without_gil([&](Interrupt& interrupt) { column_products(a, b, weight, symmetric, to, interrupt); });
    return out;
}

py::array_t<double> squares(const Block& block, const py::handle& which, const py::handle& h) {
    const ChosenColumns columns = checked_columns(block, which, "which");
    const double* weight = checked_vector<double>(h, "h", columns.n);
    py::array_t<double> out{py::ssize_t(columns.count)};
    double* to = out.mutable_data();
    without_gil([&](Interrupt& interrupt) { column_squares(columns, weight, to, interrupt); });
    return out;
}

py::array_t<double> centre(const py::handle& columns, const py::handle& shares) {
    if (!py::isinstance<Block>(columns) || py::reinterpret_borrow<py::array>(columns).ndim() != 2)
        throw py::type_error("columns must be an array of float64 with two dimensions, got " + describe(columns));
    const auto array = py::reinterpret_borrow<py::array>(columns);
    const std::size_t count = std::size_t(array.shape(0)), n = std::size_t(array.shape(1));
    double* block = checked_block(columns, count, n);
    const double* by = checked_vector<double>(shares, "shares", n);
    py::array_t<double> out{py::ssize_t(count)};
    double* to = out.mutable_data();
    without_gil([&](Interrupt& interrupt) { centre_columns(block, n, count, by, to, interrupt); });
    return out;
}

bool descend(const Block& block, const py::handle& which, const py::object& h, const py::dict& penalty,
             const py::handle& v, const py::handle& q, std::size_t max_sweeps, double tolerance) {
    const ChosenColumns columns = checked_columns(block, which, "which");
    const bool constant = py::isinstance<py::float_>(h);
    const auto of = [&](const char* name) { return checked_vector<double>(penalty[name], name, columns.count); };
    const ColumnModel model{columns.block,
                            columns.n,
                            columns.which,
                            columns.count,
                            constant ? nullptr : checked_vector<double>(h, "h", columns.n),
                            constant ? py::cast<double>(h) : 0.0,
                            of("mean"),
                            of("curvature"),
                            of("l1"),
                            of("l2"),
                            of("lower")};
    double* moved = checked_output<double>(v, "v", columns.count);
    double* slopes = checked_output<double>(q, "q", columns.n);
    return without_gil(
        [&](Interrupt& interrupt) { return descend_columns(model, moved, slopes, max_sweeps, tolerance, interrupt); });
}

bool descend_narrow(const py::array_t<float, py::array::c_style>& block, const py::handle& which, const py::object& h,
                    const py::dict& penalty, const py::handle& v, const py::handle& q, std::size_t max_sweeps,
                    double tolerance) {
    if (block.ndim() != 2) throw py::value_error("block must have a row for each column, got " + describe(block));
    const auto n = std::size_t(block.shape(1));
    std::size_t count;
    const std::uint32_t* columns = checked_numbers(which, "which", std::size_t(block.shape(0)), count);
    const bool constant = py::isinstance<py::float_>(h);
    const auto of = [&](const char* name) { return checked_vector<double>(penalty[name], name, count); };
    const NarrowModel model{block.data(),
                            n,
                            columns,
                            count,
                            constant ? nullptr : checked_vector<float>(h, "h", n),
                            constant ? py::cast<float>(h) : 0.0f,
                            of("mean"),
                            of("curvature"),
                            of("l1"),
                            of("l2"),
                            of("lower")};
    double* moved = checked_output<double>(v, "v", count);
    float* slopes = checked_output<float>(q, "q", n);
    return without_gil(
        [&](Interrupt& interrupt) { return descend_columns(model, moved, slopes, max_sweeps, tolerance, interrupt); });
}

template <class T>
py::tuple losses_of_rows(const BoundObjective<T>& objective, const py::handle& z, const py::handle& y) {
    if (objective.native.n_scores != 1) throw py::value_error("objective must have one score a row");
    if (!py::isinstance<py::array>(z)) throw py::type_error("z must be an array of float64, got " + describe(z));
    const auto n = std::size_t(py::reinterpret_borrow<py::array>(z).size());
    const double *scores = checked_vector<double>(z, "z", n), *targets = checked_vector<double>(y, "y", n);
    py::array_t<double> value{py::ssize_t(n)}, slope{py::ssize_t(n)}, curvature{py::ssize_t(n)};
    row_losses(objective.native.loss, scores, targets, n, value.mutable_data(), slope.mutable_data(),
               curvature.mutable_data());
    return py::make_tuple(value, slope, curvature);
}

template <class T>
void bind_for(py::module_& m) {
    m.def("row_losses", &losses_of_rows<T>, py::arg("objective"), py::arg("z"), py::arg("y"));
}

}  // namespace

void bind_column_descent(py::module_& m) {
    bind_for<float>(m);
    bind_for<double>(m);
    m.def("copy_columns", &copy_dense, py::arg("X"), py::arg("sample_weight"), py::arg("columns"), py::arg("out"));
    m.def("combine_rows", &combine, py::arg("X"), py::arg("sample_weight"), py::arg("r"));
    m.def("copy_sparse_columns", &copy_sparse, py::arg("data"), py::arg("indices"), py::arg("indptr"),
          py::arg("n_columns"), py::arg("sample_weight"), py::arg("columns"), py::arg("out"));
    m.def("column_dots", &dots, py::arg("block").noconvert(), py::arg("which"), py::arg("q"));
    m.def("add_columns", &add_to, py::arg("block").noconvert(), py::arg("which"), py::arg("v"), py::arg("z"));
    m.def("column_products", &products, py::arg("block").noconvert(), py::arg("which"), py::arg("others") = py::none(),
          py::arg("h") = py::none());
    m.def("descend_narrow_columns", &descend_narrow, py::arg("block").noconvert(), py::arg("which"), py::arg("h"),
          py::arg("penalty"), py::arg("v"), py::arg("q"), py::arg("max_sweeps"), py::arg("tolerance"));
    m.def("column_squares", &squares, py::arg("block").noconvert(), py::arg("which"), py::arg("h"));
    m.def("centre_columns", &centre, py::arg("columns"), py::arg("shares"));
    m.def("descend_columns", &descend, py::arg("block").noconvert(), py::arg("which"), py::arg("h"), py::arg("penalty"),
          py::arg("v"), py::arg("q"), py::arg("max_sweeps"), py::arg("tolerance"));
}

}  // namespace steepest
