// One step of many parameters whose gradient is given.
#pragma once

#include "cuda/kernels/batch.hpp"
#include "cuda/launch/device.hpp"

namespace steepest::cuda {

template <class T>
struct Parameters {
    T* w;
    T* state[max_states];
    std::size_t n, n_penalised;  // the last n - n_penalised have no L1 penalty
};

// Asynchronous, with the same bits as on the CPU.
template <class T>
void update(int rule, const Parameters<T>&, const T* gradient, const Hyperparameters&, T l1, const Device&, Stream);

}  // namespace steepest::cuda
