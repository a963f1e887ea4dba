#include "cpp/engine/entry_products.hpp"

#include "cpp/engine/threads.hpp"

namespace steepest {

void add_products(const EntryList& entries, const double* curvature, double* block) {
    constexpr std::size_t few = 1 << 14;  // entries that one thread is soon through with
    const std::size_t m = entries.n_columns, width = m + 1;
    const std::size_t n_owners = entries.count < few ? 1 : std::size_t(threads_in_use());
    Interrupt never(nullptr);
    // Columns are dealt to the threads in turn. Each thread adds to the lower triangle, in rows of its own.
    for_each_task(n_owners, int(n_owners), never, [&](std::size_t owner, int) {
        for (std::size_t first = 0, last = 0; first < entries.count; first = last) {
            const std::int64_t row = entries.rows[first];
            for (last = first; last < entries.count && entries.rows[last] == row;) ++last;
            for (std::size_t e = first; e < last; ++e) {
                const std::size_t a = std::size_t(entries.columns[e]);
                if (a % n_owners != owner) continue;
                const double value = curvature[row] * entries.values[e];
                double* of_a = block + a * width;
                for (std::size_t f = first; f < last; ++f) {
                    const std::size_t b = std::size_t(entries.columns[f]);
                    if (b <= a) of_a[b] += value * entries.values[f];
                }
                of_a[m] += value;
            }
        }
    });
    for (std::size_t a = 0; a < m; ++a) {
        for (std::size_t b = 0; b < a; ++b) block[b * width + a] = block[a * width + b];
        block[m * width + a] = block[a * width + m];
    }
}

}  // namespace steepest
