// One step of many parameters whose gradient is given: the rule and the proximal step of the L1 penalty, in one pass
// over w, the gradient and the state, by 16-byte loads and stores.
#pragma once

#include <cuda_runtime.h>

#include "cuda/kernels/batch.hpp"

namespace steepest::cuda {

template <class T, class Rule>
struct Update {
    Rule rule;
    T* w;
    const T* gradient;
    T* state[max_states];
    std::size_t n, n_vectors;  // whole vectors, 0 where an array does not start at a multiple of 16 bytes
    std::size_t n_penalised;
    T l1;
};

template <class T>
struct alignas(16) Vector {
    static constexpr int width = 16 / sizeof(T);
    T lane[width];
};

template <class T, class Rule, bool proximal>
__device__ __forceinline__ void update_one(const Update<T, Rule>& u, std::size_t j, T& w, T g, T* state) {
    const T rate = u.rule(w, g, state);
    if (proximal && j < u.n_penalised) w = soft_threshold(w, u.l1 * rate);
}

template <class T, class Rule, bool proximal>
__global__ void __launch_bounds__(block_threads, 2) update(const __grid_constant__ Update<T, Rule> u) {
    using V = Vector<T>;
    constexpr int n_states = Rule::n_states;
    const std::size_t stride = std::size_t(gridDim.x) * blockDim.x;
    const std::size_t thread = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x;
    for (std::size_t i = thread; i < u.n_vectors; i += stride) {
        V w = reinterpret_cast<const V*>(u.w)[i];
        const V g = reinterpret_cast<const V*>(u.gradient)[i];
        V s[max_states];
        for (int k = 0; k < n_states; ++k) s[k] = reinterpret_cast<const V*>(u.state[k])[i];
        for (int lane = 0; lane < V::width; ++lane) {
            T state[max_states];
            for (int k = 0; k < n_states; ++k) state[k] = s[k].lane[lane];
            update_one<T, Rule, proximal>(u, i * V::width + lane, w.lane[lane], g.lane[lane], state);
            for (int k = 0; k < n_states; ++k) s[k].lane[lane] = state[k];
        }
        reinterpret_cast<V*>(u.w)[i] = w;
        for (int k = 0; k < n_states; ++k) reinterpret_cast<V*>(u.state[k])[i] = s[k];
    }
    for (std::size_t j = u.n_vectors * V::width + thread; j < u.n; j += stride) {
        T w = u.w[j], state[max_states];
        for (int k = 0; k < n_states; ++k) state[k] = u.state[k][j];
        update_one<T, Rule, proximal>(u, j, w, u.gradient[j], state);
        u.w[j] = w;
        for (int k = 0; k < n_states; ++k) u.state[k][j] = state[k];
    }
}

}  // namespace steepest::cuda
