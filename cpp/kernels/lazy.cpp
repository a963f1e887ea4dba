// Steps from sparse rows, of one ISA level. Compiled once per level, without fused multiply-adds, as updates.cpp is.
#include "cpp/kernels/lazy.hpp"

#include "cpp/kernels/lazy_rows.hpp"

namespace steepest {
namespace {

// The kernels of a rule, null where its idle steps have no need of them.
template <class T, class Rule>
struct KernelsOf {
    using Kernels = LazyKernels<T>;
    static constexpr Idle idle = idle_of<Rule>();
    static constexpr bool linear = idle == Idle::linear || idle == Idle::scale || idle == Idle::decay;

    static constexpr typename Kernels::CatchUp catches_up() {
        if constexpr (idle != Idle::steps && idle != Idle::nothing) return &catch_up<T, Rule>;
        return nullptr;
    }
    static constexpr typename Kernels::Settle settles() {
        if constexpr (idle != Idle::steps && idle != Idle::nothing) return &settle<T, Rule>;
        return nullptr;
    }
    static constexpr typename Kernels::Step steps() {
        if constexpr (idle != Idle::steps) return &step<T, Rule>;
        return nullptr;
    }
    static constexpr typename Kernels::StepRow steps_row() {
        if constexpr (idle != Idle::steps) return &step_row<T, Rule>;
        return nullptr;
    }
    static constexpr auto steps_rows() -> decltype(&step_rows<T, Rule>) {
        if constexpr (idle == Idle::scale) return &step_rows<T, Rule>;
        return nullptr;
    }
    static constexpr typename Kernels::Linear linear_step_of() {
        if constexpr (linear) return &linear_step<typename OfDouble<Rule>::type>;
        return nullptr;
    }
};

#define STEEPEST_CATCH_UP(rule, name) KernelsOf<T, rule<T>>::catches_up(),
#define STEEPEST_SETTLE(rule, name) KernelsOf<T, rule<T>>::settles(),
#define STEEPEST_STEP(rule, name) KernelsOf<T, rule<T>>::steps(),
#define STEEPEST_STEP_ROW(rule, name) KernelsOf<T, rule<T>>::steps_row(),
#define STEEPEST_STEP_ROWS(rule, name) KernelsOf<T, rule<T>>::steps_rows(),
#define STEEPEST_LINEAR(rule, name) KernelsOf<T, rule<T>>::linear_step_of(),

template <class T>
constexpr LazyKernels<T> table = {
    &lazy_products<T>,
    &lazy_add<T>,
    {STEEPEST_FOR_EACH_RULE(STEEPEST_CATCH_UP)},
    {STEEPEST_FOR_EACH_RULE(STEEPEST_SETTLE)},
    &touch<T>,
    {STEEPEST_FOR_EACH_RULE(STEEPEST_STEP)},
    {STEEPEST_FOR_EACH_RULE(STEEPEST_STEP_ROW)},
    {STEEPEST_FOR_EACH_RULE(STEEPEST_STEP_ROWS)},
    &step_linear<T>,
    {STEEPEST_FOR_EACH_RULE(STEEPEST_LINEAR)},
};

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(lazy_, level)

extern const LazyTable STEEPEST_NAME(STEEPEST_LEVEL);
const LazyTable STEEPEST_NAME(STEEPEST_LEVEL) = {table<float>, table<double>};

}  // namespace steepest
