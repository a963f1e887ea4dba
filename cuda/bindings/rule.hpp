// An update rule as Python has it, for the files of the bindings.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/names.hpp"
#include "cuda/bindings/addresses.hpp"
#include "cuda/launch/update.hpp"

namespace steepest::cuda {

struct BoundRule {
    int rule;
    Hyperparameters hyperparameters;

    BoundRule(const std::string& name, const py::kwargs& values) : rule(index_of(rule_names, name, "rule")) {
        for (const auto& [key, value] : values) set_hyperparameter(hyperparameters, py::cast<std::string>(key), value);
    }

    void check_states(const py::tuple& states) const {
        if (int(states.size()) != states_of_rule[rule])
            throw py::value_error("states: expected " + std::to_string(states_of_rule[rule]) + " arrays");
    }

    template <class T>
    void step_as(Address w, Address gradient, const py::tuple& states, std::size_t n, double learning_rate,
                 std::int64_t t, int device_number, Address stream, double l1, std::size_t n_penalised) const {
        Parameters<T> p{pointer<T>(w), {}, n, n_penalised};
        for (std::size_t k = 0; k < states.size(); ++k) p.state[k] = pointer<T>(states[k].cast<Address>());
        Hyperparameters h = hyperparameters;
        const GilReleased released;
        h.learning_rate = learning_rate;
        h.set_step(t);
        const OnDevice here(device_number);
        update(rule, p, pointer<const T>(gradient), h, T(l1), device(device_number), stream_of(stream));
    }

    void step(const std::string& dtype, Address w, Address gradient, const py::tuple& states, std::size_t n,
              double learning_rate, std::int64_t t, int device_number, Address stream, double l1,
              std::size_t n_penalised) const {
        check_states(states);
        if (dtype == "float32") {
            step_as<float>(w, gradient, states, n, learning_rate, t, device_number, stream, l1, n_penalised);
        } else if (dtype == "float64") {
            step_as<double>(w, gradient, states, n, learning_rate, t, device_number, stream, l1, n_penalised);
        } else {
            throw py::value_error("dtype must be float32 or float64, got " + dtype);
        }
    }
};

}  // namespace steepest::cuda
