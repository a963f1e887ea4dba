#include <algorithm>
#include <ptx.cuh>

#include "cuda/kernels/sparse_columns.cuh"
#include "cuda/launch/launch.cuh"
#include "cuda/launch/sparse.hpp"

namespace steepest::cuda {
namespace {

constexpr std::size_t flat_blocks = 512;  // of kernels that go over an array
constexpr std::size_t totals_bytes = block_warps * sizeof(SparseTotals);
constexpr std::size_t hot_bytes = 2 * hot_columns * sizeof(Limb);

std::size_t blocks_for(std::size_t n) { return std::clamp<std::size_t>(n / block_threads, 1, flat_blocks); }

// Blocks whose groups take all shares, as many as the device can hold.
template <class Arguments>
std::size_t blocks_of(Kernel<Arguments> kernel, const Shares& shares, std::size_t shared_bytes, const Device& device) {
    const std::size_t groups = block_threads / std::size_t(shares.lanes);
    return std::min((shares.count + groups - 1) / groups, resident_blocks(kernel, shared_bytes, device));
}

// Calls run(matrix) with the view's matrix by the type of its columns.
template <class T, class Run>
void with_columns(const SparseView<T>& X, Run run) {
    const auto matrix = [&](auto index) {
        using I = decltype(index);
        return SparseMatrix<T, I>{X.values,   static_cast<const I*>(X.columns), X.starts, X.wide_starts, X.n_rows,
                                  X.n_columns};
    };
    X.wide_columns ? run(matrix(std::int64_t())) : run(matrix(std::int32_t()));
}

}  // namespace

template <class T>
SparseFaults check_sparse(const SparseView<T>& X, Stream stream) {
    Buffer buffer;
    const Limb none[2] = {X.n_rows, X.n_entries};
    Limb found[2];
    buffer.reserve(sizeof(none));
    HostReads reads(stream);
    copy_to_device(buffer.as<void>(), none, sizeof(none), stream);
    with_columns(X, [&]<class I>(const SparseMatrix<T, I>& matrix) {
        const Kernel<CheckSparse<I>> kernel = &sparse_check<I>;
        const SparseMatrix<float, I> pattern{nullptr,       matrix.columns,  matrix.starts, matrix.wide_starts,
                                             matrix.n_rows, matrix.n_columns};
        launch(kernel, {blocks_for(std::max(X.n_rows, X.n_entries))}, stream,
               CheckSparse<I>{pattern, X.n_entries, buffer.as<Limb>()});
    });
    copy_to_host(found, buffer.as<void>(), sizeof(found), stream);
    reads.done();
    return {std::size_t(found[0]), std::size_t(found[1])};
}

template <class T>
void describe_columns(const SparseView<T>& X, const T* weight, const ColumnSums& sums, const Device& device,
                      Stream stream) {
    fill_zero(sums.high, X.n_columns * sizeof(Limb), stream);
    fill_zero(sums.low, X.n_columns * sizeof(Limb), stream);
    fill_zero(sums.n_hot, sizeof(unsigned), stream);
    if (X.n_entries > 0) {
        with_columns(X, [&]<class I>(const SparseMatrix<T, I>& matrix) {
            const Kernel<Measure<T, I>> kernel = &sparse_measure<T, I>;
            launch(kernel, {blocks_of(kernel, X.shares(), 0, device)}, stream,
                   Measure<T, I>{matrix, weight, X.shares(), sums.high, sums.low});
        });
    }
    const Kernel<Describe<T>> kernel = &sparse_describe<T>;
    launch(kernel, {blocks_for(X.n_columns)}, stream,
           Describe<T>{sums.high, sums.low, X.n_columns, X.n_entries, sums.columns, sums.n_hot, sums.of_slots});
}

template <class T>
void multiply(const SparseView<T>& X, const T* w, double* carry, double* z, const Device& device, Stream stream) {
    with_columns(X, [&]<class I>(const SparseMatrix<T, I>& matrix) {
        const Kernel<Products<T, I>> kernel = &sparse_products<T, I>;
        launch(kernel, {blocks_of(kernel, X.shares(), 0, device)}, stream,
               Products<T, I>{matrix, w, X.shares(), carry, z});
    });
}

template <class T>
void make_slopes(const SparseView<T>& X, const SlopesOf<T>& of, const ColumnSums& sums, Stream stream) {
    const std::size_t n_chunks = slope_chunks(X.n_rows);
    const Kernel<Slopes<T>> slopes = &sparse_slopes<T>;
    launch(slopes, {n_chunks, totals_bytes}, stream,
           Slopes<T>{X.starts, X.wide_starts, X.n_rows, n_chunks, of.y, of.weight, of.loss, of.bias, of.along, of.carry,
                     of.carry_u, of.z, of.u, of.partial});
    const Kernel<Total<T>> total = &sparse_total<T>;
    launch(total, {1, totals_bytes}, stream, Total<T>{of.partial, n_chunks, of.totals, sums.sums() + X.n_columns});
}

template <class T>
void add_rows(const SparseView<T>& X, const SlopesOf<T>& of, const ColumnSums& sums, const Device& device,
              Stream stream) {
    fill_zero(sums.high, X.n_columns * sizeof(Limb), stream);
    fill_zero(sums.low, X.n_columns * sizeof(Limb), stream);
    with_columns(X, [&]<class I>(const SparseMatrix<T, I>& matrix) {
        const Kernel<Scatter<T, I>> kernel = &sparse_scatter<T, I>;
        launch(kernel, {blocks_of(kernel, X.shares(), hot_bytes, device), hot_bytes}, stream,
               Scatter<T, I>{matrix, of.weight, of.z, X.shares(), sums.columns, sums.n_hot, sums.of_slots, sums.high,
                             sums.low, of.totals});
    });
    const Kernel<Settle<T>> kernel = &sparse_settle<T>;
    launch(kernel, {blocks_for(X.n_columns)}, stream,
           Settle<T>{X.n_columns, sums.columns, sums.high, sums.low, of.totals});
}

#define STEEPEST_INSTANTIATE(T)                                                                               \
    template SparseFaults check_sparse(const SparseView<T>&, Stream);                                         \
    template void describe_columns(const SparseView<T>&, const T*, const ColumnSums&, const Device&, Stream); \
    template void multiply(const SparseView<T>&, const T*, double*, double*, const Device&, Stream);          \
    template void make_slopes(const SparseView<T>&, const SlopesOf<T>&, const ColumnSums&, Stream);           \
    template void add_rows(const SparseView<T>&, const SlopesOf<T>&, const ColumnSums&, const Device&, Stream);
STEEPEST_INSTANTIATE(float)
STEEPEST_INSTANTIATE(double)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
