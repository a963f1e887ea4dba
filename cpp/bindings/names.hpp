// The names of losses, rules and hyperparameters, for the bindings.
#pragma once

#include <stdexcept>
#include <string>

#include "cpp/math/losses.hpp"
#include "cpp/math/rules.hpp"

namespace steepest {

#define STEEPEST_TEXT_OF(type, text) text,
constexpr const char* loss_names[] = {STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_TEXT_OF)};
constexpr const char* rule_names[] = {STEEPEST_FOR_EACH_RULE(STEEPEST_TEXT_OF)};
#undef STEEPEST_TEXT_OF
#define STEEPEST_STATES_OF(rule, name) rule<double>::n_states,
constexpr int states_of_rule[] = {STEEPEST_FOR_EACH_RULE(STEEPEST_STATES_OF)};
#undef STEEPEST_STATES_OF

template <std::size_t N>
int index_of(const char* const (&names)[N], const std::string& name, const char* what) {
    for (std::size_t i = 0; i < N; ++i)
        if (name == names[i]) return int(i);
    throw std::invalid_argument(std::string("unknown ") + what + " '" + name + "'");
}

// Sets one parameter of a loss from a Python object.
template <class Object>
void set_loss_parameter(LossParameters& parameters, const std::string& name, const Object& value) {
#define STEEPEST_TAKE(member)                              \
    if (name == #member) {                                 \
        parameters.member = value.template cast<double>(); \
        return;                                            \
    }
    STEEPEST_FOR_EACH_LOSS_PARAMETER(STEEPEST_TAKE)
#undef STEEPEST_TAKE
    throw std::invalid_argument("unknown parameter '" + name + "' of a loss");
}

// Sets one hyperparameter from a Python object.
template <class Object>
void set_hyperparameter(Hyperparameters& hyperparameters, const std::string& name, const Object& value) {
#define STEEPEST_TAKE(type, member)                           \
    if (name == #member) {                                    \
        hyperparameters.member = value.template cast<type>(); \
        return;                                               \
    }
    STEEPEST_FOR_EACH_HYPERPARAMETER(STEEPEST_TAKE)
#undef STEEPEST_TAKE
    throw std::invalid_argument("unknown hyperparameter '" + name + "'");
}

}  // namespace steepest
