#include <algorithm>

#include "cuda/kernels/update.cuh"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/update.hpp"

namespace steepest::cuda {
namespace {

constexpr std::size_t blocks_a_multiprocessor = 8;

template <class T>
bool aligned(const Parameters<T>& p, const T* gradient) {
    std::uintptr_t bits = reinterpret_cast<std::uintptr_t>(p.w) | reinterpret_cast<std::uintptr_t>(gradient);
    for (const T* state : p.state) bits |= reinterpret_cast<std::uintptr_t>(state);
    return bits % 16 == 0;
}

template <class T, class Rule>
void run(const Parameters<T>& p, const T* gradient, const Hyperparameters& h, T l1, const Device& device,
         Stream stream) {
    constexpr std::size_t width = Vector<T>::width;
    Update<T, Rule> u{Rule(h), p.w, gradient, {}, p.n, aligned(p, gradient) ? p.n / width : 0, p.n_penalised, l1};
    std::copy_n(p.state, max_states, u.state);
    const std::size_t enough = (p.n / width + block_threads) / block_threads;
    const Shape shape{std::min(enough, std::size_t(device.multiprocessors) * blocks_a_multiprocessor)};
    launch(l1 > T(0) ? &update<T, Rule, true> : &update<T, Rule, false>, shape, stream, u);
}

}  // namespace

template <class T>
void update(int rule, const Parameters<T>& p, const T* gradient, const Hyperparameters& h, T l1, const Device& device,
            Stream stream) {
    if (p.n == 0) return;
    switch (rule) {
#define STEEPEST_CASE(Rule, name) \
    case id_of_##Rule:            \
        return run<T, Rule<T>>(p, gradient, h, l1, device, stream);
        STEEPEST_FOR_EACH_RULE(STEEPEST_CASE)
#undef STEEPEST_CASE
    }
}

template void update(int, const Parameters<float>&, const float*, const Hyperparameters&, float, const Device&, Stream);
template void update(int, const Parameters<double>&, const double*, const Hyperparameters&, double, const Device&,
                     Stream);

}  // namespace steepest::cuda
