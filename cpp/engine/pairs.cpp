#include "cpp/engine/pairs.hpp"

#include <algorithm>
#include <utility>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

constexpr std::size_t block = 2048;   // elements of a vector, which stay in a core's cache while all pairs pass
constexpr std::size_t chunk = 16384;  // that a thread takes at a time, and that have sums of their own

std::size_t parts_of(std::size_t n, std::size_t size) { return (n + size - 1) / size; }

// Calls body(first, n) for the blocks of each chunk, by all threads.
template <class Body>
void for_each_block(std::size_t size, Body body) {
    Interrupt never(nullptr);
    for_each_task(parts_of(size, chunk), threads_in_use(), never, [&](std::size_t task, int) {
        const std::size_t last = std::min((task + 1) * chunk, size);
        for (std::size_t first = task * chunk; first < last; first += block)
            body(task, first, std::min(block, last - first));
    });
}

}  // namespace

template <class T>
template <class Add>
std::vector<double> Pairs<T>::sum_blocks(std::size_t stride, Add add) const {
    const std::size_t n_chunks = std::max<std::size_t>(parts_of(size_, chunk), 1);
    std::vector<double> partial(n_chunks * stride, 0.0);
    for_each_block(size_, [&](std::size_t task, std::size_t first, std::size_t n) {
        add(first, n, partial.data() + task * stride);
    });
    for (std::size_t part = 1; part < n_chunks; ++part)
        for (std::size_t i = 0; i < stride; ++i) partial[i] += partial[part * stride + i];
    partial.resize(stride);
    return partial;
}

template <class T>
auto Pairs<T>::spare() -> Pair {
    Pair pair = std::move(noted_);
    noted_ = {};
    if (pair.step.size() != size_) pair = {Buffer<T>(size_), Buffer<T>(size_), 0.0};
    return pair;
}

template <class T>
PairProducts Pairs<T>::note(const PairEnds<T>& ends) {
    noted_ = spare();
    T *step = noted_.step.data(), *change = noted_.change.data();
    const auto subtract = pairs_of<T>().subtract;
    const std::vector<double> sums = sum_blocks(
        3, [&](std::size_t first, std::size_t n, double* own) { subtract(ends, first, n, step, change, own); });
    noted_.product = sums[0];
    has_noted_ = true;
    return {sums[0], sums[1], sums[2]};
}

template <class T>
void Pairs<T>::keep() {
    if (!measured_) multiply_steps(nullptr);
    Pair oldest;
    if (slots_.size() == most_) {
        oldest = std::move(slots_.front());
        slots_.erase(slots_.begin());
        for (std::size_t i = 0; i + 1 < most_; ++i)
            for (std::size_t m = i; m + 1 < most_; ++m) products_[i * most_ + m] = products_[(i + 1) * most_ + m + 1];
    }
    slots_.push_back(std::move(noted_));
    noted_ = std::move(oldest);
    has_noted_ = measured_ = false;
}

template <class T>
void Pairs<T>::add(const T* step, const T* change, double product) {
    noted_ = spare();
    std::copy(step, step + size_, noted_.step.data());
    std::copy(change, change + size_, noted_.change.data());
    noted_.product = product;
    keep();
}

template <class T>
void Pairs<T>::clear() {
    if (!slots_.empty()) noted_ = std::move(slots_.back());
    slots_.clear();
    u_.clear();
    has_noted_ = false;
    measured_ = true;
}

template <class T>
double Pairs<T>::square_of_change(const double* diagonal) const {
    const T* change = slots_.back().change.data();
    return sum_blocks(1, [&](std::size_t first, std::size_t n, double* own) {
        for (std::size_t j = first; j < first + n; ++j) *own += double(change[j]) * double(change[j]) / diagonal[j];
    })[0];
}

template <class T>
std::vector<double> Pairs<T>::multiply_steps(const double* gradient) {
    const std::size_t k = slots_.size(), n_new = measured_ ? 0 : k, n_given = gradient ? k : 0;
    const PairKernels<T>& kernels = pairs_of<T>();
    std::vector<double> sums = sum_blocks(n_given + n_new, [&](std::size_t first, std::size_t n, double* own) {
        double y[block];
        for (std::size_t j = 0; n_new && j < n; ++j) y[j] = double(slots_.back().change[first + j]);
        for (std::size_t i = 0; i < k; ++i) {
            const T* step = slots_[i].step.data() + first;
            if (gradient) own[i] += kernels.dot(step, gradient + first, n);
            if (n_new) own[n_given + i] += kernels.dot(step, y, n);
        }
    });
    for (std::size_t i = 0; i < n_new; ++i) products_[i * most_ + k - 1] = sums[n_given + i];
    measured_ = true;
    sums.resize(n_given);
    return sums;
}

template <class T>
void Pairs<T>::begin(const double* gradient, const double* diagonal, double factor, double* z) {
    const std::size_t k = slots_.size();
    const PairKernels<T>& kernels = pairs_of<T>();
    const auto row = [&](std::size_t i) { return products_.data() + i * most_; };
    u_ = multiply_steps(gradient);
    for (std::size_t i = k; i-- > 0;) {
        for (std::size_t m = i + 1; m < k; ++m) u_[i] -= row(i)[m] * u_[m];
        u_[i] /= row(i)[i];
    }
    multiplied_ = diagonal != nullptr;
    of_changes_ = sum_blocks(k, [&](std::size_t first, std::size_t n, double* own) {
        double* here = z + first;
        std::copy(gradient + first, gradient + first + n, here);
        for (std::size_t i = k; i-- > 0;) kernels.add_multiple(slots_[i].change.data() + first, -u_[i], n, here);
        if (!diagonal) return;
        for (std::size_t j = 0; j < n; ++j) here[j] = here[j] / diagonal[first + j] / factor;
        for (std::size_t i = 0; i < k; ++i) own[i] += kernels.dot(slots_[i].change.data() + first, here, n);
    });
}

template <class T>
void Pairs<T>::finish(double* z) {
    const std::size_t k = slots_.size();
    const PairKernels<T>& kernels = pairs_of<T>();
    if (!multiplied_) {
        of_changes_ = sum_blocks(k, [&](std::size_t first, std::size_t n, double* own) {
            for (std::size_t i = 0; i < k; ++i) own[i] += kernels.dot(slots_[i].change.data() + first, z + first, n);
        });
    }
    std::vector<double> v(k);
    for (std::size_t i = 0; i < k; ++i) {
        double beta = of_changes_[i];
        for (std::size_t j = 0; j < i; ++j) beta += products_[j * most_ + i] * v[j];
        v[i] = u_[i] - beta / products_[i * most_ + i];
    }
    for_each_block(size_, [&](std::size_t, std::size_t first, std::size_t n) {
        double* here = z + first;
        for (std::size_t i = 0; i < k; ++i) kernels.add_multiple(slots_[i].step.data() + first, v[i], n, here);
        for (std::size_t j = 0; j < n; ++j) here[j] = -here[j];
    });
}

template class Pairs<float>;
template class Pairs<double>;

}  // namespace steepest
