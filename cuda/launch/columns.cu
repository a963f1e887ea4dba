#include <algorithm>
#include <ptx.cuh>
#include <stdexcept>
#include <string>

#include "cuda/kernels/columns.cuh"
#include "cuda/launch/columns.hpp"
#include "cuda/launch/launch.cuh"

namespace steepest::cuda {
namespace {

constexpr std::size_t moment_rows = 256;  // of a chunk, at least
constexpr std::size_t moment_blocks = 1024;
constexpr std::size_t gather_blocks = 1024;

std::size_t blocks_for(std::size_t n) { return (n + block_threads - 1) / block_threads; }

template <class E>
void gather_piece(const Rows& rows, const long long* index, std::size_t count, void* out, Stream stream) {
    const Kernel<Gather<E>> kernel = &gather_rows<E>;
    launch(kernel, {std::min(count, gather_blocks)}, stream,
           Gather<E>{static_cast<const E*>(rows.X), rows.n_rows, rows.n_columns, rows.row_major, index, count,
                     static_cast<E*>(out)});
}

}  // namespace

template <class S>
void column_statistics(const Rows& rows, const ArithmeticOf<S>* weight, const double* unit, const std::int64_t* some,
                       std::size_t n_some, double* out, Stream stream) {
    const std::size_t d = rows.n_columns;
    const std::size_t width = rows.row_major ? std::size_t(side_by_side(d).width) : std::size_t(block_warps);
    const std::size_t tiles = (d + width - 1) / width;
    const std::size_t n_chunks =
        std::clamp<std::size_t>(std::min(rows.n_rows / moment_rows, moment_blocks / tiles), 1, moment_blocks);
    Buffer chosen, units, shift, partial, found;
    chosen.reserve(n_some * sizeof(long long));
    units.reserve(d * sizeof(double));
    shift.reserve(d * sizeof(double));
    partial.reserve(n_chunks * d * sizeof(Moment));
    found.reserve(3 * d * sizeof(double));
    copy_to_device(chosen.as<void>(), some, n_some * sizeof(long long), stream);
    if (unit) copy_to_device(units.as<void>(), unit, d * sizeof(double), stream);
    const Moments<S> moments{static_cast<const S*>(rows.X),
                             weight,
                             rows.n_rows,
                             d,
                             rows.row_major,
                             unit ? units.as<double>() : nullptr,
                             chosen.as<long long>(),
                             n_some,
                             shift.as<double>(),
                             n_chunks,
                             partial.as<double>()};
    const Kernel<Moments<S>> shifts = &column_shifts<S>, sums = &column_moments<S>;
    launch(shifts, {blocks_for(d)}, stream, moments);
    launch(sums, {n_chunks * tiles, block_threads * sizeof(Moment)}, stream, moments);
    const Kernel<ColumnTotals<double>> totals = &column_totals<double>;
    launch(totals, {blocks_for(d)}, stream,
           ColumnTotals<double>{partial.as<double>(), n_chunks, d, shift.as<double>(), found.as<double>()});
    copy_to_host(out, found.as<void>(), 3 * d * sizeof(double), stream);
}

void gather_rows(const Rows& rows, std::size_t element_bytes, const std::int64_t* index, std::size_t count, void* out,
                 std::size_t piece_bytes, Stream stream) {
    const std::size_t row_bytes = rows.n_columns * element_bytes;
    const std::size_t at_once = std::clamp<std::size_t>(piece_bytes / row_bytes, 1, std::max<std::size_t>(count, 1));
    Buffer numbers, piece;
    numbers.reserve(at_once * sizeof(long long));
    piece.reserve(at_once * row_bytes);
    for (std::size_t first = 0; first < count; first += at_once) {
        const std::size_t n = std::min(at_once, count - first);
        copy_to_device(numbers.as<void>(), index + first, n * sizeof(long long), stream);
        const long long* of_piece = numbers.as<long long>();
        switch (element_bytes) {
            case 1:
                gather_piece<std::uint8_t>(rows, of_piece, n, piece.as<void>(), stream);
                break;
            case 2:
                gather_piece<std::uint16_t>(rows, of_piece, n, piece.as<void>(), stream);
                break;
            case 4:
                gather_piece<std::uint32_t>(rows, of_piece, n, piece.as<void>(), stream);
                break;
            case 8:
                gather_piece<std::uint64_t>(rows, of_piece, n, piece.as<void>(), stream);
                break;
            default:
                throw std::invalid_argument("element_bytes must be 1, 2, 4 or 8, got " + std::to_string(element_bytes));
        }
        copy_to_host(static_cast<unsigned char*>(out) + first * row_bytes, piece.as<void>(), n * row_bytes, stream);
    }
}

#define STEEPEST_INSTANTIATE(S, name)                                                                           \
    template void column_statistics<S>(const Rows&, const ArithmeticOf<S>*, const double*, const std::int64_t*, \
                                       std::size_t, double*, Stream);
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)
#undef STEEPEST_INSTANTIATE

}  // namespace steepest::cuda
