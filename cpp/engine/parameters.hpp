// The parameters that a rule changes, with its state.
#pragma once

#include "cpp/math/penalty.hpp"
#include "cpp/math/rules.hpp"

namespace steepest {

// The L1 penalty acts on the parameters that the layout says.
template <class T>
struct Parameters {
    T* w;
    T* state[max_states];
    Layout layout;
};

}  // namespace steepest
