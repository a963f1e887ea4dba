// Many mini-batch steps in one launch.
#pragma once

#include "cuda/kernels/plan.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

struct EpochPlan {
    bool fits;  // else a launch a step
    Plan plan;
    std::size_t n_chunks;  // of each step
};

template <class S>
EpochPlan plan_epoch(const Layout&, std::size_t batch_size, const Device&, Tiling wanted);

template <class S>
struct Steps {
    Batch<S> rows;  // of all steps, one batch after the other
    std::size_t batch_size, n;
    Step<ArithmeticOf<S>> step;  // scale: of a batch's sum of gradients, times its rows
    double* partial;             // 2 n_chunks sums_of(d)
    ArithmeticOf<S>* path;       // null, or n_parameters for each step
    Status* status;
};

// Asynchronous.
template <class S>
void run_steps(const EpochPlan&, const Steps<S>&, Stream);

}  // namespace steepest::cuda
