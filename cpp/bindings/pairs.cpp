// The pairs of limited-memory BFGS for Python.
#include "cpp/engine/pairs.hpp"

#include <algorithm>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/linear_algebra.hpp"

namespace steepest {
namespace {

const double* checked_diagonal(const py::handle& diagonal, std::size_t n) {
    return diagonal.is_none() ? nullptr : checked_vector<double>(diagonal, "diagonal", n);
}

constexpr std::size_t largest_most = 1 << 12;  // whose products take 128 MiB

template <class T>
Pairs<T> made(std::size_t size, std::size_t most) {
    if (most == 0 || most > largest_most)
        throw py::value_error("most must be from 1 to " + std::to_string(largest_most) + ", got " +
                              std::to_string(most));
    return {size, most};
}

template <class T>
void check_place(const Pairs<T>& pairs, std::size_t i) {
    if (i >= pairs.count())
        throw py::index_error("i must be below " + std::to_string(pairs.count()) + ", got " + std::to_string(i));
}

template <class T>
py::array_t<T> copied(const T* from, std::size_t n) {
    return py::array_t<T>(py::ssize_t(n), from);
}

template <class T>
py::tuple note(Pairs<T>& pairs, const py::handle& w, const py::handle& to_w, const py::handle& gradient,
               const py::handle& to_gradient, const py::handle& diagonal) {
    const std::size_t n = pairs.size();
    const PairEnds<T> ends{checked_vector<T>(w, "w", n), checked_vector<T>(to_w, "to_w", n),
                           checked_vector<double>(gradient, "gradient", n),
                           checked_vector<double>(to_gradient, "to_gradient", n), checked_diagonal(diagonal, n)};
    PairProducts found;
    {
        const GilReleased released;
        found = pairs.note(ends);
    }
    return py::make_tuple(found.product, found.of_step, found.of_change);
}

template <class T>
void keep(Pairs<T>& pairs) {
    if (!pairs.has_noted()) throw py::value_error("there is no pair to keep: note one first");
    const GilReleased released;
    pairs.keep();
}

template <class T>
void add(Pairs<T>& pairs, const py::handle& step, const py::handle& change, double product) {
    const T* of_step = checked_vector<T>(step, "step", pairs.size());
    pairs.add(of_step, checked_vector<T>(change, "change", pairs.size()), product);
}

template <class T>
double square_of_change(const Pairs<T>& pairs, const py::handle& diagonal) {
    if (pairs.count() == 0) throw py::value_error("there is no pair");
    const double* metric = checked_vector<double>(diagonal, "diagonal", pairs.size());
    const GilReleased released;
    return pairs.square_of_change(metric);
}

template <class T>
void begin(Pairs<T>& pairs, const py::handle& gradient, const py::handle& diagonal, double factor,
           const py::handle& z) {
    const double* from = checked_vector<double>(gradient, "gradient", pairs.size());
    const double* metric = checked_diagonal(diagonal, pairs.size());
    double* to = checked_output<double>(z, "z", pairs.size());
    const GilReleased released;
    pairs.begin(from, metric, factor, to);
}

template <class T>
void finish(Pairs<T>& pairs, const py::handle& z) {
    double* at = checked_output<double>(z, "z", pairs.size());
    if (!pairs.has_begun()) throw py::value_error("the pairs are not those of begin: call it first");
    const GilReleased released;
    pairs.finish(at);
}

template <class T>
void bind(py::module_& m, const char* name) {
    using P = Pairs<T>;
    py::class_<P>(m, name)
        .def(py::init(&made<T>), py::arg("size"), py::arg("most"))
        .def("__len__", &P::count)
        .def("note", &note<T>, py::arg("w"), py::arg("to_w"), py::arg("gradient"), py::arg("to_gradient"),
             py::arg("diagonal") = py::none())
        .def("keep", &keep<T>)
        .def("add", &add<T>, py::arg("step"), py::arg("change"), py::arg("product"))
        .def("clear", &P::clear)
        .def("square_of_change", &square_of_change<T>, py::arg("diagonal"))
        .def("begin", &begin<T>, py::arg("gradient"), py::arg("diagonal"), py::arg("factor"), py::arg("z"))
        .def("finish", &finish<T>, py::arg("z"))
        .def(
            "step",
            [](const P& pairs, std::size_t i) {
                check_place(pairs, i);
                return copied(pairs.step(i), pairs.size());
            },
            py::arg("i"))
        .def(
            "change",
            [](const P& pairs, std::size_t i) {
                check_place(pairs, i);
                return copied(pairs.change(i), pairs.size());
            },
            py::arg("i"))
        .def(
            "product",
            [](const P& pairs, std::size_t i) {
                check_place(pairs, i);
                return pairs.product(i);
            },
            py::arg("i"));
}

}  // namespace

void bind_pairs(py::module_& m) {
    bind<float>(m, "PairsFloat32");
    bind<double>(m, "PairsFloat64");
}

}  // namespace steepest
