// The ISA level in use: the best that the processor has, or the one that STEEPEST_ISA names.
#pragma once

#include <string>
#include <vector>

#include "cpp/kernels/tables.hpp"

namespace steepest {

// Throws std::runtime_error where `wanted` (may be null) names a level that is not built or not supported here.
void choose_level(const char* wanted);
const PassTable& passes();
const UpdateTable& updates();
const SoftmaxTable& softmax_passes();
const StatisticsTable& statistics();
template <class S>
const Kernels<S>& kernels_of() {
    return table_for<S>(passes());
}
template <class S>
const SoftmaxKernels<S>& softmax_of() {
    return table_for<S>(softmax_passes());
}
template <class S>
const ColumnKernels<S>& columns_of() {
    return table_for<S>(statistics());
}
std::string chosen_level();
std::vector<std::string> built_levels();
std::vector<std::string> supported_levels();

}  // namespace steepest
