// The Python face of objectives, rules and descents: check, release the GIL, call. Only this folder knows pybind11.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <memory>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/data.hpp"
#include "cpp/bindings/dlpack.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/names.hpp"
#include "cpp/engine/descent.hpp"
#include "cpp/engine/dispatch.hpp"

namespace steepest {
namespace {

#ifndef STEEPEST_CUDA_REASON
#define STEEPEST_CUDA_REASON ""
#endif
constexpr const char* cuda_reason = STEEPEST_CUDA_REASON;  // why there is no module _cuda; empty: it was built

constexpr std::size_t max_scores = 1u << 31;  // so that the number of parameters does not overflow

// The one loss of several scores a row is no number in a table.
int check_softmax(const std::string& loss) {
    if (loss != "softmax") throw std::invalid_argument("unknown loss '" + loss + "' of several scores");
    return 0;
}

// A native objective together with the arrays that it reads.
template <class S>
struct BoundObjective {
    using T = ArithmeticOf<S>;
    py::array_t<S> X;
    py::array_t<T> y;
    py::object weight;
    std::vector<double> centre, inverse_scale;
    Objective<S> native;

    BoundObjective(const std::string& loss, py::array_t<S> X_, py::array_t<T> y_, py::object weight_, double weight_sum,
                   bool intercept, double l1, double l2, const py::object& scaling, std::size_t n_scores)
        : X(std::move(X_)), y(std::move(y_)), weight(std::move(weight_)) {
        check_matrix(X);
        if (n_scores == 0 || n_scores > max_scores)
            throw py::value_error("n_scores must be from 1 to " + std::to_string(max_scores) + ", got " +
                                  std::to_string(n_scores));
        const auto n = std::size_t(X.shape(0));
        checked_vector<T>(y, "y", n);
        const bool row_major = X.flags() & py::array::c_style;
        const T* weights = weight.is_none() ? nullptr : checked_vector<T>(weight, "sample_weight", n);
        const Matrix<S> matrix{X.data(), n, std::size_t(X.shape(1)),
                               row_major ? Order::row_major : Order::column_major};
        const int number = n_scores > 1 ? check_softmax(loss) : index_of(loss_names, loss, "loss");
        native = {number, matrix, y.data(), weights, weight_sum, intercept, l1, l2, n_scores};
        if (!scaling.is_none()) set_scaling(scaling.cast<std::pair<py::object, py::object>>());
    }

    // Centre and scale of the columns, which are copied.
    void set_scaling(const std::pair<py::object, py::object>& scaling) {
        const std::size_t d = native.X.n_columns;
        const double* from = checked_vector<double>(scaling.first, "centre", d);
        const double* scale = checked_vector<double>(scaling.second, "scale", d);
        centre.assign(from, from + d);
        for (std::size_t j = 0; j < d; ++j) inverse_scale.push_back(1.0 / scale[j]);
        native.scaling = scaling_of<T>(centre.data(), inverse_scale.data(), d);
    }

    const T* parameters(const py::handle& array, const char* name) const {
        return checked_vector<T>(array, name, native.n_parameters());
    }
    double value(const py::handle& w) const {
        const T* p = parameters(w, "w");
        return without_gil([&](Interrupt& interrupt) { return steepest::value(native, p, interrupt); });
    }
    py::tuple value_and_gradient(const py::handle& w) const {
        const T* p = parameters(w, "w");
        py::array_t<T> gradient(py::ssize_t(native.n_parameters()));
        T* g = gradient.mutable_data();
        Workspace<T> workspace;
        const double value = without_gil(
            [&](Interrupt& interrupt) { return steepest::value_and_gradient(native, p, g, workspace, interrupt); });
        return py::make_tuple(value, gradient);
    }
    py::array_t<T> hessian_product(const py::handle& w, const py::handle& v) const {
        const T *p = parameters(w, "w"), *direction = parameters(v, "v");
        py::array_t<T> product(py::ssize_t(native.n_parameters()));
        T* out = product.mutable_data();
        without_gil([&](Interrupt& interrupt) { steepest::hessian_product(native, p, direction, out, interrupt); });
        return product;
    }
    py::array_t<T> hessian(const py::handle& w) const {
        const T* p = parameters(w, "w");
        const auto n = py::ssize_t(native.n_parameters());
        py::array_t<T> result({n, n});
        T* out = result.mutable_data();
        without_gil([&](Interrupt& interrupt) { steepest::hessian(native, p, out, interrupt); });
        return result;
    }
    py::tuple value_gradient_and_hessian(const py::handle& w) const {
        const T* p = parameters(w, "w");
        const auto n = py::ssize_t(native.n_parameters());
        py::array_t<T> gradient(n), hessian({n, n});
        T *g = gradient.mutable_data(), *h = hessian.mutable_data();
        const double value = without_gil(
            [&](Interrupt& interrupt) { return steepest::value_gradient_and_hessian(native, p, g, h, interrupt); });
        return py::make_tuple(value, gradient, hessian);
    }
    double gradient_norm(const py::handle& w, const py::handle& gradient) const {
        return steepest::gradient_norm(native, parameters(w, "w"), parameters(gradient, "gradient"));
    }
};

// An update rule with its hyperparameters; the state belongs to the caller.
struct BoundRule {
    int rule;
    Hyperparameters hyperparameters;

    BoundRule(const std::string& name, const py::kwargs& values) : rule(index_of(rule_names, name, "rule")) {
        for (const auto& [key, value] : values) set_hyperparameter(hyperparameters, py::cast<std::string>(key), value);
    }

    template <class T>
    Parameters<T> parameters(const py::array& w, const py::tuple& states) const {
        const auto n = std::size_t(w.size());
        Parameters<T> p{static_cast<T*>(const_cast<void*>(w.data())), {}, {n, n, n}};
        for (int s = 0; s < states_of_rule[rule]; ++s)
            p.state[s] = py::cast<py::array_t<T>>(states[std::size_t(s)]).mutable_data();
        return p;
    }

    template <class T>
    void step_as(const py::array& w, const py::array& gradient, const py::tuple& states, double learning_rate,
                 std::int64_t t) const {
        const Parameters<T> p = parameters<T>(w, states);
        const T* g = static_cast<const T*>(gradient.data());
        Hyperparameters h = hyperparameters;
        const GilReleased released;
        h.learning_rate = learning_rate;
        h.set_step(t);
        apply_rule(rule, p, g, h, T(0));
    }

    void step(const py::object& w, const py::object& gradient, const py::tuple& states, double learning_rate,
              std::int64_t t) const {
        const py::array target = checked_target(w, gradient, states, states_of_rule[rule]);
        if (py::isinstance<py::array_t<float>>(target)) {
            step_as<float>(target, py::reinterpret_borrow<py::array>(gradient), states, learning_rate, t);
        } else {
            step_as<double>(target, py::reinterpret_borrow<py::array>(gradient), states, learning_rate, t);
        }
    }
};

// A native descent together with everything that it reads and writes.
template <class S>
struct BoundDescent {
    using T = ArithmeticOf<S>;
    std::shared_ptr<BoundObjective<S>> objective;
    py::array_t<T> w;
    py::tuple states;
    py::object constraint;
    Descent<S> native;

    BoundDescent(std::shared_ptr<BoundObjective<S>> objective_, const BoundRule& rule, py::array_t<T> w_,
                 py::tuple states_, std::int64_t n_steps, std::size_t batch_size, bool shuffle, std::uint64_t seed,
                 py::object constraint_)
        : objective(std::move(objective_)),
          w(std::move(w_)),
          states(std::move(states_)),
          constraint(std::move(constraint_)),
          native(objective->native, rule.rule, rule.hyperparameters, penalised(rule), {batch_size, shuffle, seed},
                 n_steps, checked_constraint<T>(constraint, std::size_t(w.size()), objective->native.X.n_columns)) {}

    Parameters<T> penalised(const BoundRule& rule) const {
        const std::size_t n = objective->native.n_parameters();
        const auto n_states = std::size_t(states_of_rule[rule.rule]);
        checked_output<T>(w, "w", n);
        if (states.size() != n_states)
            throw py::value_error("states: expected " + std::to_string(n_states) + " arrays");
        for (const py::handle& state : states) checked_output<T>(state, "state", n);
        Parameters<T> p = rule.parameters<T>(w, states);
        p.layout = objective->native.layout();
        return p;
    }
    py::tuple evaluate() {
        const Evaluation e = without_gil([&](Interrupt& interrupt) { return native.evaluate(interrupt); });
        return py::make_tuple(e.value, e.gradient_norm);
    }
    py::tuple run(const py::array_t<double, py::array::c_style>& learning_rates, double seconds, py::object path) {
        const double* rates = learning_rates.data();
        const auto n = std::size_t(learning_rates.size());
        T* p = path.is_none() ? nullptr : checked_path<T>(path, n, std::size_t(w.size()));
        const RunReport r =
            without_gil([&](Interrupt& interrupt) { return native.run(rates, n, seconds, p, interrupt); });
        return py::make_tuple(r.n_steps, r.epoch_done, r.diverged);
    }
};

template <class S>
void bind_dtype(py::module_& m, const std::string& suffix) {
    using T = ArithmeticOf<S>;
    using BoundT = BoundObjective<S>;
    py::class_<BoundT, std::shared_ptr<BoundT>>(m, ("Objective" + suffix).c_str())
        .def(py::init<const std::string&, py::array_t<S>, py::array_t<T>, py::object, double, bool, double, double,
                      const py::object&, std::size_t>(),
             py::arg("loss"), py::arg("X").noconvert(), py::arg("y").noconvert(), py::arg("sample_weight").none(true),
             py::arg("weight_sum"), py::arg("intercept"), py::arg("l1"), py::arg("l2"), py::arg("scaling") = py::none(),
             py::arg("n_scores") = 1)
        .def_readonly("X", &BoundT::X)
        .def("value", &BoundT::value, py::arg("w"))
        .def("value_and_gradient", &BoundT::value_and_gradient, py::arg("w"))
        .def("hessian_product", &BoundT::hessian_product, py::arg("w"), py::arg("v"))
        .def("hessian", &BoundT::hessian, py::arg("w"))
        .def("value_gradient_and_hessian", &BoundT::value_gradient_and_hessian, py::arg("w"))
        .def("gradient_norm", &BoundT::gradient_norm, py::arg("w"), py::arg("gradient"));
    using DescentT = BoundDescent<S>;
    py::class_<DescentT>(m, ("Descent" + suffix).c_str())
        .def(py::init<std::shared_ptr<BoundT>, const BoundRule&, py::array_t<T>, py::tuple, std::int64_t, std::size_t,
                      bool, std::uint64_t, py::object>(),
             py::arg("objective").none(false), py::arg("rule"), py::arg("w").noconvert(), py::arg("states"),
             py::arg("n_steps"), py::arg("batch_size"), py::arg("shuffle"), py::arg("seed"),
             py::arg("constraint") = py::none())
        .def("evaluate", &DescentT::evaluate)
        .def("run", &DescentT::run, py::arg("learning_rates"), py::arg("seconds"), py::arg("path").none(true))
        .def("restore", [](DescentT& d) { d.native.restore(); })
        .def_property_readonly("n_steps", [](const DescentT& d) { return d.native.n_steps(); });
}

int checked_threads(int n, int least) {
    if (n < least || n > max_threads)
        throw py::value_error("n must be from " + std::to_string(least) + " to " + std::to_string(max_threads) +
                              ", got " + std::to_string(n));
    return n;
}

void bind_runtime(py::module_& m) {
    m.attr("cuda_reason") = cuda_reason;
    m.attr("max_threads") = max_threads;
    m.def("set_threads", [](int n) { set_threads(checked_threads(n, 0)); }, py::arg("n"));
    m.def("threads_setting", &threads_setting);
    m.attr("as_all_threads") = as_all;
    m.def("set_own_threads", [](int n) { set_own_threads(checked_threads(n, as_all)); }, py::arg("n"));
    m.def("own_threads_setting", &own_threads_setting);
    m.def("threads_in_use", &threads_in_use);
    m.def("built_with_openmp", &built_with_openmp);
    m.def("isa_levels", &built_levels);
    m.def("isa_levels_supported", &supported_levels);
    m.def("isa_level", &chosen_level);
    m.def("choose_isa_level", [](const std::string& level) { choose_level(level.c_str()); }, py::arg("level"));
}

}  // namespace
}  // namespace steepest

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    using namespace steepest;
    choose_level(std::getenv("STEEPEST_ISA"));
    py::class_<BoundRule>(m, "Rule")
        .def(py::init<const std::string&, const py::kwargs&>(), py::arg("name"))
        .def_property_readonly("n_states", [](const BoundRule& r) { return states_of_rule[r.rule]; })
        .def("step", &BoundRule::step, py::arg("w"), py::arg("gradient"), py::arg("states"), py::arg("learning_rate"),
             py::arg("t"));
    bind_dtype<float>(m, "32");
    bind_dtype<double>(m, "64");
    bind_dtype<Float16>(m, "16");
    bind_dtype<BFloat16>(m, "B16");
    bind_runtime(m);
    bind_data(m);
    bind_dlpack(m);
}
