#include <algorithm>
#include <ptx.cuh>
#include <vector>

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/step.cuh"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/survey.hpp"

namespace steepest::cuda {
namespace {

constexpr std::size_t survey_blocks = 128;

template <class T>
struct SurveyOf {
    const T* data;
    std::size_t n;
    Survey* out;  // of each warp
};

__device__ __forceinline__ std::size_t least(std::size_t a, std::size_t b) { return a < b ? a : b; }

__device__ __forceinline__ Survey merge(const Survey& a, const Survey& b) {
    return {least(a.first_not_finite, b.first_not_finite), least(a.first_not_label, b.first_not_label),
            a.minimum < b.minimum ? a.minimum : b.minimum, a.sum + b.sum};
}

__device__ __forceinline__ Survey of_lane(const Survey& s, int offset) {
    const auto index = [offset](std::size_t i) {
        return std::size_t(__shfl_xor_sync(all_lanes, static_cast<unsigned long long>(i), offset));
    };
    return {index(s.first_not_finite), index(s.first_not_label), __shfl_xor_sync(all_lanes, s.minimum, offset),
            __shfl_xor_sync(all_lanes, s.sum, offset)};
}

template <class T>
__global__ void __launch_bounds__(block_threads, 2) survey(const __grid_constant__ SurveyOf<T> s) {
    const std::size_t stride = std::size_t(gridDim.x) * blockDim.x;
    const std::size_t thread = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x;
    Survey found{s.n, s.n, __builtin_huge_val(), 0.0};
    in_order<8>(
        thread, s.n, stride, [&](std::size_t i) { return s.data[i]; },
        [&](std::size_t i, T x) {
            const Survey one{finite(x) ? s.n : i, x == T(0) || x == T(1) ? s.n : i, double(x), double(x)};
            found = merge(found, one);
        });
    for (int offset = 16; offset > 0; offset /= 2) found = merge(found, of_lane(found, offset));
    if (threadIdx.x % 32 == 0) s.out[thread / 32] = found;
}

}  // namespace

template <class T>
Survey survey(const T* data, std::size_t n, Stream stream) {
    Buffer buffer;
    std::vector<Survey> of_warps(survey_blocks * block_warps);
    buffer.reserve(of_warps.size() * sizeof(Survey));
    const Kernel<SurveyOf<T>> kernel = &survey<T>;
    launch(kernel, {survey_blocks}, stream, SurveyOf<T>{data, n, buffer.as<Survey>()});
    copy_to_host(of_warps.data(), buffer.as<Survey>(), of_warps.size() * sizeof(Survey), stream);
    Survey all{n, n, __builtin_huge_val(), 0.0};
    for (const Survey& one : of_warps) {
        all = {std::min(all.first_not_finite, one.first_not_finite), std::min(all.first_not_label, one.first_not_label),
               std::min(all.minimum, one.minimum), all.sum + one.sum};
    }
    return all;
}

template Survey survey(const float*, std::size_t, Stream);
template Survey survey(const double*, std::size_t, Stream);

}  // namespace steepest::cuda
