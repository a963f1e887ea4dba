// The update rules of one ISA level. Compiled once per level as passes.cpp is, without fused multiply-adds.
#include "cpp/kernels/update.hpp"

namespace steepest {
namespace {

#define STEEPEST_UPDATE(rule, name) &update<T, rule<T>>,
#define STEEPEST_UPDATE_ROW(rule, name) &update_row<T, rule<T>>,

template <class T>
constexpr Updates<T> table = {
    {STEEPEST_FOR_EACH_RULE(STEEPEST_UPDATE)},
    {STEEPEST_FOR_EACH_RULE(STEEPEST_UPDATE_ROW)},
};

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(updates_, level)

extern const UpdateTable STEEPEST_NAME(STEEPEST_LEVEL);
const UpdateTable STEEPEST_NAME(STEEPEST_LEVEL) = {table<float>, table<double>};

}  // namespace steepest
