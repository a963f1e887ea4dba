// The Python face of rules and descents.
#include "cpp/bindings/descent.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/names.hpp"
#include "cpp/bindings/objective.hpp"
#include "cpp/engine/descent.hpp"

namespace steepest {
namespace {

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

static_assert(sizeof(LinearStep) == 6 * sizeof(double));

// Copies the variables of a descent to a dictionary, each under its name.
struct StateWriter {
    py::dict out;

    template <class U>
    void operator()(const char* name, const U& value) {
        out[name] = py::cast(value);
    }
    template <class U>
    void operator()(const char* name, const std::vector<U>& values) {
        out[name] = py::array_t<U>(py::ssize_t(values.size()), values.data());
    }
    void operator()(const char* name, const std::vector<LinearStep>& steps) {
        out[name] = py::array_t<double>(py::ssize_t(6 * steps.size()), reinterpret_cast<const double*>(steps.data()));
    }
    void operator()(const char* name, const LinearStep& step) {
        out[name] = py::array_t<double>(6, reinterpret_cast<const double*>(&step));
    }
};

// Copies them back.
struct StateReader {
    py::dict in;

    py::object item(const char* name) const {
        if (!in.contains(name)) throw py::value_error(std::string("state must hold ") + name + ", got none");
        return in[name];
    }
    template <class U>
    std::vector<U> items(const char* name) const {
        const auto array = py::cast<py::array_t<U, py::array::c_style>>(item(name));
        return {array.data(), array.data() + array.size()};
    }
    template <class U>
    void operator()(const char* name, U& value) {
        value = py::cast<U>(item(name));
    }
    template <class U>
    void operator()(const char* name, std::vector<U>& values) {
        values = items<U>(name);
    }
    void operator()(const char* name, std::vector<LinearStep>& steps) {
        const std::vector<double> numbers = items<double>(name);
        steps.resize(numbers.size() / 6);
        std::copy_n(numbers.data(), 6 * steps.size(), reinterpret_cast<double*>(steps.data()));
    }
    void operator()(const char* name, LinearStep& step) {
        std::vector<LinearStep> steps;
        (*this)(name, steps);
        if (steps.size() != 1) throw py::value_error(std::string("state must hold one step as ") + name);
        step = steps[0];
    }
};

// A native descent together with everything that it reads and writes.
template <class T>
struct BoundDescent {
    std::shared_ptr<BoundObjective<T>> objective;
    py::array_t<T> w;
    py::tuple states;
    py::object constraint;
    Descent<T> native;

    BoundDescent(std::shared_ptr<BoundObjective<T>> objective_, const BoundRule& rule, py::array_t<T> w_,
                 py::tuple states_, std::int64_t n_steps, std::size_t batch_size, bool shuffle, std::uint64_t seed,
                 py::object constraint_, double mean_weight)
        : objective(std::move(objective_)),
          w(std::move(w_)),
          states(std::move(states_)),
          constraint(std::move(constraint_)),
          native(objective->native, rule.rule, rule.hyperparameters, penalised(rule),
                 {batch_size, shuffle, seed, mean_weight}, n_steps,
                 checked_constraint<T>(constraint, std::size_t(w.size()), objective->native.n_columns())) {
        const Source<T>& source = *objective->native.source;
        if (batch_size > 0 && !source.supports(Capability::batches))
            throw py::value_error("batch_size must be 0 for data without rows by index, got " +
                                  std::to_string(batch_size));
    }

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
    void go_on_over(std::shared_ptr<BoundObjective<T>> next, std::size_t batch_size, bool shuffle, std::uint64_t seed,
                    double mean_weight) {
        const Objective<T>&a = next->native, &b = objective->native;
        if (a.n_parameters() != b.n_parameters() || a.n_scores != b.n_scores || a.l1 != b.l1 || a.l2 != b.l2 ||
            next->factors != objective->factors)
            throw py::value_error("objective must have the parameters and penalties of the one before");
        if (batch_size == 0) throw py::value_error("batch_size must be at least 1, got 0");
        native.go_on_over(a, {batch_size, shuffle, seed, mean_weight});
        objective = std::move(next);
    }
    Parameters<T> outputs(const py::array_t<T>& copy, const py::tuple& copies) const {
        const std::size_t n = objective->native.n_parameters();
        checked_output<T>(copy, "w", n);
        Parameters<T> p{const_cast<T*>(copy.data()), {}, objective->native.layout()};
        if (copies.size() != 0 && copies.size() != states.size())
            throw py::value_error("states: expected " + std::to_string(states.size()) + " arrays");
        for (std::size_t s = 0; s < copies.size(); ++s) {
            checked_output<T>(copies[s], "state", n);
            p.state[s] = py::cast<py::array_t<T>>(copies[s]).mutable_data();
        }
        return p;
    }
    py::tuple evaluate_copy(const py::array_t<T>& copy) {
        T* to = outputs(copy, py::tuple()).w;
        const Evaluation e = without_gil([&](Interrupt& interrupt) { return native.evaluate_copy(to, interrupt); });
        return py::make_tuple(e.value, e.gradient_norm);
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
    py::dict state() {
        StateWriter writer;
        native.visit_state(writer);
        return writer.out;
    }
    // A state that does not fit changes nothing.
    void resume(const py::dict& given) {
        StateReader before{state()}, reader{given};
        try {
            native.visit_state(reader);
            if (!native.resume()) throw py::value_error("state must be of a descent of this kind, got another one's");
        } catch (...) {
            native.visit_state(before);
            native.resume();
            throw;
        }
    }
};

template <class T>
void bind_descent(py::module_& m, const char* name) {
    using Bound = BoundDescent<T>;
    py::class_<Bound>(m, name)
        .def(py::init<std::shared_ptr<BoundObjective<T>>, const BoundRule&, py::array_t<T>, py::tuple, std::int64_t,
                      std::size_t, bool, std::uint64_t, py::object, double>(),
             py::arg("objective").none(false), py::arg("rule"), py::arg("w").noconvert(), py::arg("states"),
             py::arg("n_steps"), py::arg("batch_size"), py::arg("shuffle"), py::arg("seed"),
             py::arg("constraint") = py::none(), py::arg("mean_weight") = 0.0)
        .def("go_on_over", &Bound::go_on_over, py::arg("objective").none(false), py::arg("batch_size"),
             py::arg("shuffle"), py::arg("seed"), py::arg("mean_weight"))
        .def("evaluate", &Bound::evaluate)
        .def("evaluate_copy", &Bound::evaluate_copy, py::arg("w").noconvert())
        .def(
            "copy_settled",
            [](const Bound& d, const py::array_t<T>& w, const py::tuple& states) {
                d.native.copy_settled(d.outputs(w, states));
            },
            py::arg("w").noconvert(), py::arg("states"))
        .def_property_readonly("is_behind", [](const Bound& d) { return d.native.is_behind(); })
        .def("run", &Bound::run, py::arg("learning_rates"), py::arg("seconds"), py::arg("path").none(true))
        .def("settle", [](Bound& d) { d.native.settle(); })
        .def("state", &Bound::state)
        .def("resume", &Bound::resume, py::arg("state"))
        .def("restore", [](Bound& d) { d.native.restore(); })
        .def_property_readonly("takes_sparse_steps", [](const Bound& d) { return d.native.takes_sparse_steps(); })
        .def_property_readonly("n_steps", [](const Bound& d) { return d.native.n_steps(); });
}

}  // namespace

void bind_descents(py::module_& m) {
    py::class_<BoundRule>(m, "Rule")
        .def(py::init<const std::string&, const py::kwargs&>(), py::arg("name"))
        .def_property_readonly("n_states", [](const BoundRule& r) { return states_of_rule[r.rule]; })
        .def(
            "has_sparse_steps",
            [](const BoundRule& r, double l1, double l2) { return SparseSteps<double>::has_steps(r.rule, l1, l2); },
            py::arg("l1"), py::arg("l2"))
        .def("step", &BoundRule::step, py::arg("w"), py::arg("gradient"), py::arg("states"), py::arg("learning_rate"),
             py::arg("t"));
    m.attr("share_of_columns") = share_of_columns;
    bind_descent<float>(m, "Descent32");
    bind_descent<double>(m, "Descent64");
}

}  // namespace steepest
