// How a pass over rows is cut into chunks, by the data's shape alone, and their sums added.
#pragma once

#include <algorithm>
#include <vector>

#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/threads.hpp"
#include "cpp/math/matrix.hpp"

namespace steepest {

constexpr std::size_t chunk_elements = 32768;  // below two of these one thread is faster than two
constexpr std::size_t indexed_elements = 12288;  // the same for rows taken here and there, which wait for memory
constexpr std::size_t large_chunk = std::size_t(1) << 18;  // more than 8 chunks are of this many elements at least
constexpr std::size_t max_chunks = 256;
constexpr std::size_t column_rows = 2048;  // of a chunk of a column-major X, whose short segments memory gives slowly
constexpr std::size_t cached_rows = 256;  // the same of an X of so few bytes that the caches hold it
constexpr std::size_t cached_columns_bytes = std::size_t(6) << 20;

// How many chunks the rows of a pass are cut into, at most `most`, by the shape alone. `partial_bytes` is what a
// chunk's result takes: all of them stay under a hundredth of the data, unless that leaves fewer than `least`.
inline std::size_t count_chunks(std::size_t most, std::size_t work, std::size_t data_bytes, std::size_t partial_bytes,
                                std::size_t least, std::size_t chunk_work = chunk_elements) {
    const std::size_t enough = std::clamp<std::size_t>(work / large_chunk, 8, max_chunks);
    const std::size_t by_work = std::min({work / chunk_work, enough, most});
    const std::size_t by_memory = std::max<std::size_t>(data_bytes / 100, std::size_t(1) << 20) / partial_bytes;
    return std::max<std::size_t>(std::min(by_work, std::max(by_memory, least)), 1);
}

template <class S>
std::size_t most_chunks(const Rows<S>& rows) {
    if (rows.X.order != Order::column_major || rows.index) return rows.count;
    const bool cached = rows.X.n_rows * rows.X.n_columns * sizeof(S) <= cached_columns_bytes;
    const std::size_t few = std::min<std::size_t>(rows.count / 64, cached ? 2 : 8);
    if (cached) return std::max((rows.count + cached_rows / 2) / cached_rows, few);
    return std::max(rows.count / column_rows, few) + 1;
}

template <class S>
Rows<S> chunk_of(Rows<S> rows, std::size_t chunk, std::size_t n_chunks) {
    const std::size_t first = rows.count * chunk / n_chunks, last = rows.count * (chunk + 1) / n_chunks;
    rows.ahead += rows.count - last;
    rows.count = last - first;
    if (rows.index) rows.index += first;
    rows.begin += first;
    return rows;
}

// The sums of the chunks, added in their order to those of the first: `stride` numbers of each.
inline void add_partials(double* partial, std::size_t n_chunks, std::size_t stride, int n_threads) {
    constexpr std::size_t columns = 2048;
    Interrupt never(nullptr);
    for_each_task((stride + columns - 1) / columns, n_threads, never, [&](std::size_t task, int) {
        const std::size_t first = task * columns, last = std::min(first + columns, stride);
        statistics().add_partials(partial, n_chunks, stride, first, last);
    });
}

}  // namespace steepest
