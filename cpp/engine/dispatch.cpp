// Picks one table of kernels at import. STEEPEST_LEVELS, from CMake, is X(level) for each level built, best last.
#include "cpp/engine/dispatch.hpp"

#include <stdexcept>

#include "cpp/engine/narrow.hpp"

namespace steepest {
namespace {

bool runs_here(const std::string& level) {
#if defined(__x86_64__)
    __builtin_cpu_init();
#if !defined(__clang__)
    const bool v2 = __builtin_cpu_supports("x86-64-v2"), v3 = __builtin_cpu_supports("x86-64-v3"),
               v4 = __builtin_cpu_supports("x86-64-v4");
#else  // which knows the names of the levels only since version 19
    const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") &&
                    __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("cmpxchg16b");
    const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c") &&
                    __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("movbe");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
#endif
    if (level == "x86-64-v4") return v4;
    if (level == "x86-64-v3") return v3;
    if (level == "x86-64-v2") return v2;
#endif
    return level == "baseline";
}

std::string public_name(std::string level) {
    if (level.rfind("x86_64_", 0) == 0) level = "x86-64-" + level.substr(7);
    return level;
}

struct Level {
    std::string name;
    const PassTable& passes;
    const UpdateTable& updates;
    const SoftmaxTable& softmax;
    const StatisticsTable& statistics;
    const SparseTable& sparse;
    const LazyTable& lazy;
    const CodesTable& codes;
    const ColumnsTable& columns;
    const TwoPointsTable& two_points;
    const NarrowTable& narrow;
    const DoubleDoubleTable& double_doubles;
};

const Level* chosen = nullptr;

}  // namespace

#define X(level)                                      \
    extern const PassTable passes_##level;            \
    extern const UpdateTable updates_##level;         \
    extern const SoftmaxTable softmax_##level;        \
    extern const StatisticsTable statistics_##level;  \
    extern const SparseTable sparse_##level;          \
    extern const LazyTable lazy_##level;              \
    extern const CodesTable codes_##level;            \
    extern const ColumnsTable column_descent_##level; \
    extern const TwoPointsTable two_points_##level;   \
    extern const NarrowTable narrow_columns_##level;  \
    extern const DoubleDoubleTable double_double_##level;
STEEPEST_LEVELS
#undef X

namespace {

const std::vector<Level>& levels() {
#define X(level)                                                                          \
    {public_name(#level),    passes_##level,     updates_##level,        softmax_##level, \
     statistics_##level,     sparse_##level,     lazy_##level,           codes_##level,   \
     column_descent_##level, two_points_##level, narrow_columns_##level, double_double_##level},
    static const std::vector<Level> all = {STEEPEST_LEVELS};
#undef X
    return all;
}

}  // namespace

const PassTable& passes() { return chosen->passes; }

const UpdateTable& updates() { return chosen->updates; }

const SoftmaxTable& softmax_passes() { return chosen->softmax; }

const StatisticsTable& statistics() { return chosen->statistics; }

const SparseTable& sparse_passes() { return chosen->sparse; }

const LazyTable& lazy_steps() { return chosen->lazy; }
const ColumnsTable& column_kernels() { return chosen->columns; }
const NarrowTable& narrow_kernels() { return chosen->narrow; }
const CodesTable& codes_passes() { return chosen->codes; }
const TwoPointsTable& two_points_passes() { return chosen->two_points; }
const DoubleDoubleTable& double_doubles() { return chosen->double_doubles; }

std::string chosen_level() { return chosen->name; }

std::vector<std::string> built_levels() {
    std::vector<std::string> names;
    for (const Level& level : levels()) names.push_back(level.name);
    return names;
}

std::vector<std::string> supported_levels() {
    std::vector<std::string> names;
    for (const Level& level : levels())
        if (runs_here(level.name)) names.push_back(level.name);
    return names;
}

void choose_level(const char* wanted) {
    std::string supported;
    const Level* found = nullptr;
    for (const Level& level : levels()) {
        if (!runs_here(level.name)) continue;
        supported += (supported.empty() ? "" : ", ") + level.name;
        if (!wanted || level.name == wanted) found = &level;
    }
    if (wanted && !found)
        throw std::runtime_error("STEEPEST_ISA must be one of the levels that this processor supports (" + supported +
                                 "), got '" + wanted + "'");
    if (!found) throw std::runtime_error("steepest: this processor supports none of the ISA levels that were built");
    chosen = found;
}

}  // namespace steepest
