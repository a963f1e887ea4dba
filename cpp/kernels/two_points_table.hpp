// The table of the kernels that add up gradients at two points from one reading of the rows; one ISA level fills it.
#pragma once

#include "cpp/kernels/tables.hpp"

namespace steepest {

// Adds to both sums what LossKernels' gradient would, of rows of a row-major X. The scratch has that kernel's size and
// n_columns elements more.
template <class T>
struct TwoPointsKernels {
    using Kernel = void (*)(const LossParameters&, const Rows<T>&, const Coefficients<T>& first,
                            const Coefficients<T>& second, T* scratch, double* first_sums, double* second_sums);
    Kernel of_loss[n_losses];
};

struct TwoPointsTable {
    TwoPointsKernels<float> for_float;
    TwoPointsKernels<double> for_double;
};

}  // namespace steepest
