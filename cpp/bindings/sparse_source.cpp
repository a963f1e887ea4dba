#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/source.hpp"
#include "cpp/engine/sparse.hpp"

namespace steepest {
namespace {

// The arrays of a sparse X. `values` None: all of them are 1.
struct SparseArrays {
    py::object values;
    py::array columns, starts;
    std::size_t n_rows, n_columns;
};

template <class V>
constexpr bool is_sparse_value =
    std::is_floating_point_v<V> || std::is_same_v<V, Float16> || std::is_same_v<V, BFloat16>;

std::size_t checked_length(const py::array& a, const char* name) {
    if (a.ndim() != 1 || !(a.flags() & py::array::c_style))
        throw py::value_error(std::string(name) + " must be of one dimension and contiguous, got " + describe(a));
    return std::size_t(a.shape(0));
}

template <class V, class I>
py::object source_of(const SparseArrays& X, const V* values, const py::object& y, const py::object& weight,
                     double weight_sum) {
    using T = ArithmeticOf<V>;
    const bool wide = py::isinstance<py::array_t<std::int64_t>>(X.starts);
    const SparseMatrix<V, I> matrix{
        values, static_cast<const I*>(X.columns.data()), X.starts.data(), wide, X.n_rows, X.n_columns};
    const std::size_t n_entries = checked_length(X.columns, "indices");
    const SparseFacts facts =
        without_gil([&](Interrupt& interrupt) { return checked_facts(matrix, n_entries, interrupt); });
    const T* targets = checked_vector<T>(y, "y", X.n_rows);
    const T* weights = weight.is_none() ? nullptr : checked_vector<T>(weight, "sample_weight", X.n_rows);
    return py::cast(shared_source<T>(std::make_unique<SparseSource<V, I>>(matrix, facts, targets, weights, weight_sum),
                                     {X.values, X.columns, X.starts, y, weight}));
}

template <class I>
py::object source_of_values(const SparseArrays& X, const py::object& y, const py::object& weight, double weight_sum) {
    if (X.values.is_none()) {
        if (py::isinstance<py::array_t<double>>(y))
            return source_of<Ones<double>, I>(X, nullptr, y, weight, weight_sum);
        return source_of<Ones<float>, I>(X, nullptr, y, weight, weight_sum);
    }
    const py::array values = py::cast<py::array>(X.values);
    if (checked_length(values, "data") != checked_length(X.columns, "indices"))
        throw py::value_error("data must be as long as indices, got " + describe(values) + " and " +
                              describe(X.columns));
    return with_storage<py::object>(values, "data", [&](auto storage) {
        using V = typename decltype(storage)::type;
        if constexpr (is_sparse_value<V>) {
            return source_of<V, I>(X, static_cast<const V*>(values.data()), y, weight, weight_sum);
        } else {
            throw py::type_error("data must be float16, bfloat16, float32 or float64, got " + describe(values));
            return py::object();
        }
    });
}

py::object sparse_source(const py::object& values, const py::array& columns, const py::array& starts,
                         std::size_t n_columns, const py::object& y, const py::object& weight, double weight_sum) {
    const std::size_t n_starts = checked_length(starts, "indptr");
    if (n_starts == 0) throw py::value_error("indptr must have at least one element, got none");
    const SparseArrays X{values, columns, starts, n_starts - 1, n_columns};
    const auto is_wide = [](const py::array& a, const char* name) {
        if (py::isinstance<py::array_t<std::int64_t>>(a)) return true;
        if (py::isinstance<py::array_t<std::int32_t>>(a)) return false;
        throw py::type_error(std::string(name) + " must be int32 or int64, got " + describe(a));
    };
    is_wide(starts, "indptr");
    return is_wide(columns, "indices") ? source_of_values<std::int64_t>(X, y, weight, weight_sum)
                                       : source_of_values<std::int32_t>(X, y, weight, weight_sum);
}

}  // namespace

void bind_sparse_source(py::module_& m) {
    m.def("sparse_source", &sparse_source, py::arg("data").none(true), py::arg("indices").noconvert(),
          py::arg("indptr").noconvert(), py::arg("n_columns"), py::arg("y"), py::arg("sample_weight").none(true),
          py::arg("weight_sum"));
}

}  // namespace steepest
