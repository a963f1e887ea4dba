// A product with the Hessian over rows of X, and sums of chunks for the host.
#pragma once

#include "cuda/kernels/plan.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

// How rows are taken: as a pass takes them, if the tiling that is wanted fits the data and the device. Other rows,
// those too long for shared memory, are read twice; the plan calls that "split".
template <class S>
Plan plan_product(const Layout&, const Device&, Tiling wanted);

// Chunks that a product over so many rows writes, and elements of scratch it needs beside them.
template <class S>
std::size_t product_chunks(const Plan&, std::size_t rows, std::size_t d);
std::size_t product_scratch(const Plan&, std::size_t rows);

// Writes sums_of(d) numbers a chunk to partial, the last one 0. `next_chunk` is 0 before and after. Asynchronous.
template <class S>
void sum_products(const Plan&, const Batch<S>& rows, const ArithmeticOf<S>* w, const ArithmeticOf<S>* v, bool intercept,
                  double* partial, ArithmeticOf<S>* scratch, unsigned* next_chunk, Stream);

// Adds `stride` columns of the chunks in their order. Asynchronous.
void add_chunks(const double* partial, std::size_t n_chunks, std::size_t stride, double* sums, Stream);

}  // namespace steepest::cuda
