#include "cpp/bindings/objective.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/names.hpp"
#include "cpp/bindings/sums.hpp"
#include "cpp/engine/dispatch.hpp"

namespace steepest {
namespace {

constexpr std::size_t max_scores = 1u << 31;  // so that the number of parameters does not overflow

// The number of a loss in the list or, of several scores a row, of the one that there is.
int number_of_loss(const std::string& loss, std::size_t n_scores) {
    if (n_scores == 0 || n_scores > max_scores)
        throw py::value_error("n_scores must be from 1 to " + std::to_string(max_scores) + ", got " +
                              std::to_string(n_scores));
    if (n_scores == 1) return index_of(loss_names, loss, "loss");
    if (loss != "softmax") throw std::invalid_argument("unknown loss '" + loss + "' of several scores");
    return softmax_loss;
}

LossChoice loss_of(const std::string& name, std::size_t n_scores, const py::dict& parameters) {
    LossChoice loss{number_of_loss(name, n_scores), {}};
    for (const auto& [key, value] : parameters) set_loss_parameter(loss.parameters, py::cast<std::string>(key), value);
    return loss;
}

std::vector<double> checked_factors(const py::object& given, std::size_t n_columns) {
    if (given.is_none()) return {};
    const double* values = checked_vector<double>(given, "penalty_weight", n_columns);
    if (std::any_of(values, values + n_columns, [](double factor) { return !(factor >= 0.0); }))
        throw py::value_error("penalty_weight must hold numbers of at least 0");
    return {values, values + n_columns};
}

// The offsets and the label of each row, which the targets number: see Coefficients.
template <class T>
const T* checked_row_offsets(const py::object& given, std::size_t n_scores) {
    if (given.is_none()) return nullptr;
    if (n_scores == 1) throw py::value_error("row_offsets must be None for one score");
    if (!py::isinstance<py::array>(given))
        throw py::type_error("row_offsets must be None or an array, got " + describe(given));
    const auto n = std::size_t(py::cast<py::array>(given).size());
    if (n % (n_scores + 1) != 0)
        throw py::value_error("row_offsets must have n_scores + 1 numbers for each row, got " + describe(given));
    return checked_vector<T>(given, "row_offsets", n);
}

// The rows that an array lists, which the caller keeps.
template <class T>
Selection checked_selection(const py::object& rows, const Source<T>& source) {
    if (!py::isinstance<py::array>(rows))
        throw py::type_error("rows must be an array of uint32, got " + describe(rows));
    const auto n = std::size_t(py::cast<py::array>(rows).size());
    const std::uint32_t* index = checked_vector<std::uint32_t>(rows, "rows", n);
    if (!source.supports(Capability::batches))
        throw py::value_error("rows must be None for data without rows by index");
    if (std::any_of(index, index + n, [&](std::uint32_t row) { return row >= source.n_rows; }))
        throw py::value_error("rows must be numbers below " + std::to_string(source.n_rows));
    return {index, 0, n, 0};
}

}  // namespace

template <class T>
BoundObjective<T>::BoundObjective(SharedSource<T> source_, const std::string& loss, bool intercept, double l1,
                                  double l2, std::size_t n_scores, const py::dict& loss_parameters, double constant,
                                  const py::object& penalty_weight, const py::object& row_offsets_)
    : source(std::move(source_)),
      factors(checked_factors(penalty_weight, source->native->n_columns)),
      row_offsets(row_offsets_),
      native{source->native.get(),
             loss_of(loss, n_scores, loss_parameters),
             n_scores,
             intercept,
             l1,
             l2,
             constant,
             factors.empty() ? nullptr : factors.data(),
             checked_row_offsets<T>(row_offsets, n_scores)} {}

template <class T>
bool BoundObjective<T>::supports(const std::string& capability) const {
    return native.source->supports(capability_of(capability));
}

template <class T>
py::tuple BoundObjective<T>::sums(const py::handle& w, const py::object& rows) const {
    const T* p = parameters(w, "w");
    const Selection some = rows.is_none() ? native.source->all_rows() : checked_selection(rows, *native.source);
    return as_tuple(without_gil([&](Interrupt& interrupt) { return steepest::sums(native, p, some, interrupt); }));
}

template <class T>
py::tuple BoundObjective<T>::finish(const py::tuple& sums, const py::handle& w) const {
    const T* p = parameters(w, "w");
    py::array_t<T> gradient(py::ssize_t(native.n_parameters()));
    const double value = steepest::finish(native, sums_of(sums, native.shape()), p, gradient.mutable_data());
    return py::make_tuple(value, gradient);
}

template <class T>
double BoundObjective<T>::value(const py::handle& w) const {
    const T* p = parameters(w, "w");
    return without_gil([&](Interrupt& interrupt) { return steepest::value(native, p, interrupt); });
}

template <class T>
py::tuple BoundObjective<T>::value_and_gradient(const py::handle& w) const {
    const T* p = parameters(w, "w");
    py::array_t<T> gradient(py::ssize_t(native.n_parameters()));
    T* g = gradient.mutable_data();
    const double value = without_gil([&](Interrupt& interrupt) {
        return with_workspace(
            [&](Workspace<T>& memory) { return steepest::value_and_gradient(native, p, g, memory, interrupt); });
    });
    return py::make_tuple(value, gradient);
}

template <class T>
py::tuple BoundObjective<T>::values_and_gradients(const py::handle& w, const py::handle& v) const {
    const T *p = parameters(w, "w"), *q = parameters(v, "v");
    if (native.n_scores > 1 || !native.source->supports(Capability::two_points))
        throw py::value_error("X: this kind of data does not give gradients at two points from one pass");
    const auto n = py::ssize_t(native.n_parameters());
    py::array_t<T> at_w(n), at_v(n);
    T *g = at_w.mutable_data(), *h = at_v.mutable_data();
    const auto [value, other] = without_gil([&](Interrupt& interrupt) {
        return with_workspace([&](Workspace<T>& memory) {
            return steepest::values_and_gradients(native, p, q, g, h, memory, interrupt);
        });
    });
    return py::make_tuple(value, at_w, other, at_v);
}

template <class T>
py::array_t<T> BoundObjective<T>::hessian_product(const py::handle& w, const py::handle& v) const {
    const T *p = parameters(w, "w"), *direction = parameters(v, "v");
    py::array_t<T> product(py::ssize_t(native.n_parameters()));
    T* out = product.mutable_data();
    without_gil([&](Interrupt& interrupt) {
        with_workspace(
            [&](Workspace<T>& memory) { steepest::hessian_product(native, p, direction, out, memory, interrupt); });
    });
    return product;
}

template <class T>
py::tuple BoundObjective<T>::product_sums(const py::handle& w, const py::handle& v) const {
    const T *p = parameters(w, "w"), *direction = parameters(v, "v");
    return as_tuple(
        without_gil([&](Interrupt& interrupt) { return steepest::product_sums(native, p, direction, interrupt); }));
}

template <class T>
py::tuple BoundObjective<T>::hessian_sums(const py::handle& w) const {
    const T* p = parameters(w, "w");
    return as_tuple(without_gil([&](Interrupt& interrupt) { return steepest::hessian_sums(native, p, interrupt); }));
}

template <class T>
py::array_t<T> BoundObjective<T>::hessian(const py::handle& w) const {
    const T* p = parameters(w, "w");
    const auto n = py::ssize_t(native.n_parameters());
    py::array_t<T> result({n, n});
    T* out = result.mutable_data();
    without_gil([&](Interrupt& interrupt) { steepest::hessian(native, p, out, interrupt); });
    return result;
}

template <class T>
py::tuple BoundObjective<T>::value_gradient_and_hessian(const py::handle& w) const {
    const T* p = parameters(w, "w");
    const auto n = py::ssize_t(native.n_parameters());
    py::array_t<T> gradient(n), hessian({n, n});
    T *g = gradient.mutable_data(), *h = hessian.mutable_data();
    const double value = without_gil(
        [&](Interrupt& interrupt) { return steepest::value_gradient_and_hessian(native, p, g, h, interrupt); });
    return py::make_tuple(value, gradient, hessian);
}

template <class T>
double BoundObjective<T>::gradient_norm(const py::handle& w, const py::handle& gradient) const {
    return steepest::gradient_norm(native, parameters(w, "w"), parameters(gradient, "gradient"));
}

namespace {

template <class T>
void bind_objective(py::module_& m, const char* name) {
    using Bound = BoundObjective<T>;
    py::class_<Bound, std::shared_ptr<Bound>>(m, name)
        .def(py::init<SharedSource<T>, const std::string&, bool, double, double, std::size_t, const py::dict&, double,
                      const py::object&, const py::object&>(),
             py::arg("source").none(false), py::arg("loss"), py::arg("intercept"), py::arg("l1"), py::arg("l2"),
             py::arg("n_scores") = 1, py::arg("loss_parameters") = py::dict(), py::arg("constant") = 0.0,
             py::arg("penalty_weight") = py::none(), py::arg("row_offsets") = py::none())
        .def("supports", &Bound::supports, py::arg("capability"))
        .def("value", &Bound::value, py::arg("w"))
        .def("value_and_gradient", &Bound::value_and_gradient, py::arg("w"))
        .def("values_and_gradients", &Bound::values_and_gradients, py::arg("w"), py::arg("v"))
        .def("sums", &Bound::sums, py::arg("w"), py::arg("rows") = py::none())
        .def("finish", &Bound::finish, py::arg("sums"), py::arg("w"))
        .def("hessian_product", &Bound::hessian_product, py::arg("w"), py::arg("v"))
        .def("product_sums", &Bound::product_sums, py::arg("w"), py::arg("v"))
        .def("hessian", &Bound::hessian, py::arg("w"))
        .def("hessian_sums", &Bound::hessian_sums, py::arg("w"))
        .def("value_gradient_and_hessian", &Bound::value_gradient_and_hessian, py::arg("w"))
        .def("gradient_norm", &Bound::gradient_norm, py::arg("w"), py::arg("gradient"));
}

}  // namespace

template struct BoundObjective<float>;
template struct BoundObjective<double>;

void bind_objectives(py::module_& m) {
    bind_objective<float>(m, "Objective32");
    bind_objective<double>(m, "Objective64");
    bind_sums(m);
}

}  // namespace steepest
