// One pass over rows of X: the sums of their losses and gradients in chunks, and the second stage that adds these up.
#pragma once

#include "cuda/kernels/plan.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

// Throws std::invalid_argument for a tiling that does not fit the data or the device.
template <class S>
Plan plan_pass(const Layout&, const Device&, Tiling wanted);

// Chunks that a pass over so many rows writes, and elements of scratch it needs beside them.
template <class S>
std::size_t chunks_of(const Plan&, std::size_t rows, std::size_t d);
std::size_t scratch_of(const Plan&);

// Writes sums_of(d) numbers a chunk to partial. `next_chunk` is 0 before and after. Asynchronous.
template <class S>
void sum_rows(const Plan&, const Batch<S>&, const ArithmeticOf<S>* w, bool intercept, double* partial,
              ArithmeticOf<S>* scratch, unsigned* next_chunk, Stream);

// Adds the chunks in their order; then writes the gradient, or takes step number `at`, unless a loss was not finite.
template <class T>
void finish(const double* partial, std::size_t n_chunks, const Step<T>&, std::size_t at, T* path, Status*, Stream);

}  // namespace steepest::cuda
