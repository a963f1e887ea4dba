// A pass over rows in sequence in one launch.
#pragma once

#include "cuda/kernels/plan.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

// Whether rows of this layout stream on the device; it fills the plan if so.
template <class S>
bool plan_stream(const Layout&, const Device&, Plan&);

// Doubles for the sums of the chunks and what is made of them, and bytes of counters, which are 0 before the first
// pass.
std::size_t stream_sums(std::size_t n_chunks, std::size_t d);
std::size_t stream_counter_bytes();

// Writes the gradient, or takes step number `at`, as `finish` does. Asynchronous.
template <class S>
void stream_rows(const Plan&, const Batch<S>&, std::size_t n_chunks, const Step<ArithmeticOf<S>>&, std::size_t at,
                 ArithmeticOf<S>* path, Status*, double* partial, void* counters, Stream);

}  // namespace steepest::cuda
