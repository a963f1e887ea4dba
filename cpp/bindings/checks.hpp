// Checks of the arrays that Python hands in: each error names the argument, what was expected and what came.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <utility>

#include "cpp/math/constraint.hpp"
#include "cpp/math/matrix.hpp"

namespace py = pybind11;

namespace steepest {

inline bool contiguous(const py::array& array) {
    constexpr int wanted = int(py::array::c_style) | int(py::detail::npy_api::NPY_ARRAY_ALIGNED_);
    return (array.flags() & wanted) == wanted;
}

inline std::string describe(const py::handle& object) {
    if (!py::isinstance<py::array>(object))
        return py::cast<std::string>(py::str(py::type::of(object).attr("__name__")));
    const py::array array = py::reinterpret_borrow<py::array>(object);
    const std::string shape = py::cast<std::string>(py::str(array.attr("shape")));
    std::string text = py::cast<std::string>(py::str(array.dtype())) + " of shape " + shape;
    if (!contiguous(array)) text += ", not C-contiguous and aligned";
    if (!array.writeable()) text += ", read-only";
    return text;
}

template <class T>
const char* dtype_name() {
    return sizeof(T) == 4 ? "float32" : "float64";
}

// The data of a contiguous vector of n elements of T.
template <class T>
const T* checked_vector(const py::handle& object, const char* name, std::size_t n) {
    const std::string expected = std::string(name) + " must be a contiguous " + dtype_name<T>() + " array of shape (" +
                                 std::to_string(n) + ",), got ";
    if (!py::isinstance<py::array_t<T>>(object)) throw py::type_error(expected + describe(object));
    const py::array array = py::reinterpret_borrow<py::array>(object);
    if (array.ndim() != 1 || std::size_t(array.shape(0)) != n || !contiguous(array))
        throw py::value_error(expected + describe(object));
    return static_cast<const T*>(array.data());
}

// Rows and columns, C- or F-contiguous, at least one of each.
inline void check_matrix(const py::array& X) {
    const bool contiguous = X.flags() & (py::array::c_style | py::array::f_style);
    const bool aligned = X.flags() & int(py::detail::npy_api::NPY_ARRAY_ALIGNED_);
    if (X.ndim() != 2 || X.size() == 0 || !contiguous || !aligned)
        throw py::value_error("X must be a C- or F-contiguous array of two dimensions that is not empty, got " +
                              describe(X));
}

// The same as a view.
template <class S>
Matrix<S> checked_matrix(const py::array& X) {
    check_matrix(X);
    const Order order = X.flags() & py::array::c_style ? Order::row_major : Order::column_major;
    return {static_cast<const S*>(X.data()), std::size_t(X.shape(0)), std::size_t(X.shape(1)), order};
}

// The data of a contiguous array of `rows` rows of n elements of T.
template <class T>
const T* checked_table(const py::handle& object, const char* name, std::size_t rows, std::size_t n) {
    const std::string expected = std::string(name) + " must be a contiguous " + dtype_name<T>() + " array of shape (" +
                                 std::to_string(rows) + ", " + std::to_string(n) + "), got ";
    if (!py::isinstance<py::array_t<T>>(object)) throw py::type_error(expected + describe(object));
    const py::array array = py::reinterpret_borrow<py::array>(object);
    if (array.ndim() != 2 || std::size_t(array.shape(0)) != rows || std::size_t(array.shape(1)) != n ||
        !contiguous(array))
        throw py::value_error(expected + describe(object));
    return static_cast<const T*>(array.data());
}

template <class S>
struct StorageType {
    using type = S;
};

// The NumPy dtype of a storage; NumPy has no bfloat16, which is a field of that name.
inline py::dtype dtype_of_storage(const std::string& name) {
    if (name != "bfloat16") return py::dtype(name);
    py::list fields;
    fields.append(py::make_tuple(name, "=u2"));
    return py::dtype::from_args(std::move(fields));
}

// The names of all storages, for an error.
inline std::string storage_names() {
    std::string text;
#define STEEPEST_NAME(S, name) text += (text.empty() ? "" : ", ") + std::string(name);
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_NAME)
#undef STEEPEST_NAME
    const std::size_t last = text.rfind(", ");
    return last == std::string::npos ? text : text.substr(0, last) + " or" + text.substr(last + 1);
}

// Calls work(StorageType<S>) with what the array is stored as.
template <class Result, class Work>
Result with_storage(const py::array& array, const char* name, Work work) {
    const auto holds = [&](const char* dtype) {
        const auto& equivalent = py::detail::npy_api::get().PyArray_EquivTypes_;
        return equivalent(array.dtype().ptr(), dtype_of_storage(dtype).ptr());
    };
#define STEEPEST_CASE(S, dtype) \
    if (holds(dtype)) return work(StorageType<S>{});
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
    throw py::type_error(std::string(name) + ": expected an array of " + storage_names() + ", got " + describe(array));
}

// The data of a writeable array of T, where the native loop writes.
template <class T>
T* checked_output(const py::handle& object, const char* name, std::size_t n) {
    const T* data = checked_vector<T>(object, name, n);
    if (!py::reinterpret_borrow<py::array>(object).writeable())
        throw py::value_error(std::string(name) + " must be writeable, got " + describe(object));
    return const_cast<T*>(data);
}

// The data of a writeable array of at least `rows` rows of n elements of T.
template <class T>
T* checked_path(const py::handle& object, std::size_t rows, std::size_t n) {
    const std::string expected = "path must be a contiguous, writeable " + std::string(dtype_name<T>()) +
                                 " array of at least " + std::to_string(rows) + " rows of " + std::to_string(n) +
                                 ", got ";
    if (!py::isinstance<py::array_t<T>>(object)) throw py::type_error(expected + describe(object));
    auto array = py::reinterpret_borrow<py::array>(object);
    if (array.ndim() != 2 || std::size_t(array.shape(0)) < rows || std::size_t(array.shape(1)) != n ||
        !contiguous(array) || !array.writeable())
        throw py::value_error(expected + describe(object));
    return static_cast<T*>(array.mutable_data());
}

// None, the bounds (lower, upper) of all n parameters, whose arrays the caller keeps, or the total of the first d.
template <class T>
Constraint<T> checked_constraint(const py::object& constraint, std::size_t n, std::size_t d) {
    if (constraint.is_none()) return {};
    if (py::isinstance<py::float_>(constraint)) return Constraint<T>::simplex(constraint.cast<double>(), d);
    const auto [lower, upper] = constraint.cast<std::pair<py::object, py::object>>();
    return Constraint<T>::box(checked_vector<T>(lower, "lower", n), checked_vector<T>(upper, "upper", n), n);
}

inline bool overlap(const py::array& a, const py::array& b) {
    const auto from_a = reinterpret_cast<std::uintptr_t>(a.data()), from_b = reinterpret_cast<std::uintptr_t>(b.data());
    return from_a < from_b + std::uintptr_t(b.nbytes()) && from_b < from_a + std::uintptr_t(a.nbytes());
}

inline py::array checked_float_array(const py::handle& object, const char* name) {
    const std::string expected = std::string(name) + " must be a C-contiguous float32 or float64 NumPy array, got ";
    if (!py::isinstance<py::array_t<float>>(object) && !py::isinstance<py::array_t<double>>(object))
        throw py::type_error(expected + describe(object));
    const py::array array = py::reinterpret_borrow<py::array>(object);
    if (!contiguous(array)) throw py::value_error(expected + describe(object));
    return array;
}

inline void check_same(const py::array& w, const py::array& other, const char* name) {
    if (!w.dtype().equal(other.dtype()))
        throw py::type_error(std::string(name) + " must have the dtype of w (" +
                             py::cast<std::string>(py::str(w.dtype())) + "), got " + describe(other));
    if (!w.attr("shape").equal(other.attr("shape")))
        throw py::value_error(std::string(name) + " must have the shape of w " +
                              py::cast<std::string>(py::str(w.attr("shape"))) + ", got " + describe(other));
    if (overlap(w, other)) throw py::value_error(std::string(name) + " must not overlap w");
}

// w of a step, after it, the gradient and the states were checked against each other.
inline py::array checked_target(const py::object& w, const py::object& gradient, const py::tuple& states,
                                int n_states) {
    const py::array target = checked_float_array(w, "w");
    if (!target.writeable()) throw py::value_error("w must be writeable, got a read-only array");
    const py::array g = checked_float_array(gradient, "gradient");
    check_same(target, g, "gradient");
    if (int(states.size()) != n_states)
        throw py::value_error("states: expected " + std::to_string(n_states) + " arrays");
    for (const py::handle& item : states) {
        const py::array state = checked_float_array(item, "state");
        check_same(target, state, "state");
        if (overlap(state, g)) throw py::value_error("gradient must not overlap the state");
    }
    return target;
}

}  // namespace steepest
