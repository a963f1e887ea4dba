// The entries of some rows of a sparse X, as they lie in its arrays where these hold what is computed with.
#include <type_traits>

#include "cpp/engine/sparse.hpp"
#include "cpp/math/prefetch.hpp"

namespace steepest {
namespace {

constexpr std::size_t bounds_ahead = 32, rows_ahead = 16;

// Asks for the bounds of a row that comes later and, where entries are copied, for one that comes sooner. Inlined, as
// prefetch_all is.
template <bool copies, class V, class I, class T>
STEEPEST_INLINE void ask_for(const SparseMatrix<V, I>& X, const T* y, const std::uint32_t* index, std::size_t i,
                             std::size_t known) {
    if (i + bounds_ahead < known) {
        const std::size_t row = index[i + bounds_ahead], bytes = X.wide_starts ? 8 : 4;
        __builtin_prefetch(static_cast<const char*>(X.starts) + row * bytes);
        __builtin_prefetch(y + row);
    }
    if (!copies || i + rows_ahead >= known) return;
    const std::size_t row = index[i + rows_ahead], start = X.start(row), n = X.start(row + 1) - start;
    prefetch_all(X.columns + start, n);
    if constexpr (!is_ones<V>) prefetch_all(X.values + start, n);
}

}  // namespace

template <class V, class I>
void SparseSource<V, I>::entries(const Selection& selection, RowEntries<T>& out) const {
    constexpr bool columns_as_they_are = sizeof(I) == sizeof(std::uint32_t), values_as_they_are = std::is_same_v<V, T>;
    constexpr bool copies_values = !values_as_they_are && !is_ones<V>;
    constexpr bool copies = !columns_as_they_are || copies_values;
    out.distinct = facts_.distinct;
    out.rows.resize(selection.count);
    out.y.resize(selection.count);
    out.weight.resize(weight_ ? selection.count : 0);
    out.n_entries = 0;
    for (std::size_t i = 0; i < selection.count; ++i) {
        const std::size_t row = selection.index ? selection.index[i] : selection.begin + i, start = X_.start(row);
        if (selection.index) ask_for<copies>(X_, y_, selection.index, i, selection.count + selection.ahead);
        SparseRow<T>& entries = out.rows[i];
        entries = {nullptr, nullptr, X_.start(row + 1) - start};
        if constexpr (columns_as_they_are) entries.columns = reinterpret_cast<const std::uint32_t*>(X_.columns + start);
        if constexpr (values_as_they_are) entries.values = X_.values + start;
        out.y[i] = y_[row];
        if (weight_) out.weight[i] = weight_[row];
        if (weight_ && weight_[row] == T(0)) entries.count = 0;  // such a row is absent, whatever it holds
        out.n_entries += entries.count;
    }
    if constexpr (copies) {
        out.columns.resize(columns_as_they_are ? 0 : out.n_entries);
        out.values.resize(copies_values ? out.n_entries : 0);
        std::size_t at = 0;
        for (std::size_t i = 0; i < selection.count; ++i) {
            const std::size_t row = selection.index ? selection.index[i] : selection.begin + i, start = X_.start(row);
            SparseRow<T>& entries = out.rows[i];
            for (std::size_t e = 0; e < entries.count; ++e) {
                if constexpr (!columns_as_they_are) out.columns[at + e] = std::uint32_t(X_.columns[start + e]);
                if constexpr (copies_values) out.values[at + e] = X_.value(start + e);
            }
            if constexpr (!columns_as_they_are) entries.columns = out.columns.data() + at;
            if constexpr (copies_values) entries.values = out.values.data() + at;
            at += entries.count;
        }
    }
}

#define STEEPEST_INSTANTIATE(V, I) \
    template void SparseSource<V, I>::entries(const Selection&, RowEntries<ArithmeticOf<V>>&) const;
STEEPEST_FOR_EACH_SPARSE(STEEPEST_INSTANTIATE)

}  // namespace steepest
