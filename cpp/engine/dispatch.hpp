// The ISA level in use: the best that the processor has, or the one that STEEPEST_ISA names.
#pragma once

#include <string>
#include <vector>

#include "cpp/kernels/double_double.hpp"
#include "cpp/kernels/tables.hpp"
#include "cpp/kernels/two_points_table.hpp"

namespace steepest {

// Throws std::runtime_error where `wanted` (may be null) names a level that is not built or not supported here.
void choose_level(const char* wanted);
const PassTable& passes();
const UpdateTable& updates();
const SoftmaxTable& softmax_passes();
const StatisticsTable& statistics();
const SparseTable& sparse_passes();
const LazyTable& lazy_steps();
const CodesTable& codes_passes();
const ColumnsTable& column_kernels();
const TwoPointsTable& two_points_passes();
const DoubleDoubleTable& double_doubles();
// The kernels of a loss by its number: in the list of losses.hpp or, of several scores a row, softmax_loss.
constexpr int softmax_loss = n_losses;
template <class S>
const LossKernels<S>& kernels_of(const LossChoice& loss) {
    return loss.number == softmax_loss ? softmax_passes().of<S>() : passes().storages.of<S>().of_loss[loss.number];
}
template <class S>
const ColumnKernels<S>& columns_of() {
    return statistics().storages.of<S>();
}
template <class V, class I>
const SparseKernels<V, I>& sparse_kernels_of() {
    return sparse_passes().all;
}
template <class C, class T>
const CodesKernels<C, T>& codes_kernels_of() {
    return codes_passes().all;
}
template <class T>
const NumbersKernels<T>& numbers_kernels_of() {
    return codes_passes().all;
}
template <class T>
const ScoreKernels<T>& scores_of(const LossChoice& loss) {
    if constexpr (std::is_same_v<T, float>) {
        return sparse_passes().for_float[loss.number];
    } else {
        return sparse_passes().for_double[loss.number];
    }
}
template <class T>
const Updates<T>& updates_of() {
    return updates_of<T>(updates());
}
template <class T>
const LazyKernels<T>& lazy_of() {
    if constexpr (std::is_same_v<T, float>) {
        return lazy_steps().for_float;
    } else {
        return lazy_steps().for_double;
    }
}
template <class T>
const TwoPointsKernels<T>& two_points_of() {
    if constexpr (std::is_same_v<T, float>) {
        return two_points_passes().for_float;
    } else {
        return two_points_passes().for_double;
    }
}
template <class T>
const PairKernels<T>& pairs_of() {
    if constexpr (std::is_same_v<T, float>) {
        return statistics().pairs_of_float;
    } else {
        return statistics().pairs_of_double;
    }
}
std::string chosen_level();
std::vector<std::string> built_levels();
std::vector<std::string> supported_levels();

}  // namespace steepest
