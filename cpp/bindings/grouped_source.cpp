#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/source.hpp"
#include "cpp/engine/grouped.hpp"

namespace steepest {
namespace {

template <class T>
using Group = std::unique_ptr<ColumnGroup<T>>;

const void* checked_part(const py::array& a, const char* name, std::size_t n) {
    if (a.ndim() != 1 || !contiguous(a) || std::size_t(a.shape(0)) != n)
        throw py::value_error(std::string(name) + " must be contiguous and of shape (" + std::to_string(n) +
                              ",), got " + describe(a));
    return a.data();
}

template <class T>
Group<T> numbers_group(const py::array& X, std::size_t n_rows) {
    if (!py::isinstance<py::array_t<T>>(X) || X.ndim() != 2 || std::size_t(X.shape(0)) != n_rows)
        throw py::type_error("X: expected " + std::to_string(n_rows) + " rows of " + dtype_name<T>() + ", got " +
                             describe(X));
    return group_of_numbers(checked_matrix<T>(X));
}

// Codes, their number of levels, the first level that has a column, and the column's name.
template <class T>
Group<T> codes_group(const py::tuple& given, std::size_t n_rows) {
    const auto [codes, n_levels, first, name] =
        given.cast<std::tuple<py::array, std::size_t, std::uint32_t, std::string>>();
    checked_part(codes, "codes", n_rows);
    if (n_levels <= first || n_levels > INT32_MAX)
        throw py::value_error("X: " + name + " must have from " + std::to_string(first + 1) +
                              " to 2147483647 levels, got " + std::to_string(n_levels));
    Group<T> group;
    const auto make = [&]<class C>(C) {
        if (!py::isinstance<py::array_t<C>>(codes)) return;
        const Codes<C> view{static_cast<const C*>(codes.data()), n_rows, n_levels - first, first};
        group =
            without_gil([&](Interrupt& interrupt) { return group_of_codes<T, C>(view, n_levels, name, interrupt); });
    };
#define STEEPEST_MAKE(C, name) make(C());
    STEEPEST_FOR_EACH_CODE(STEEPEST_MAKE)
#undef STEEPEST_MAKE
    if (!group) throw py::type_error("X: codes of " + name + " must be int8, int16 or int32, got " + describe(codes));
    return group;
}

template <class V, class I>
Group<ArithmeticOf<V>> rows_group_of(const V* values, const py::array& columns, const py::array& starts,
                                     std::size_t n_columns) {
    const bool wide = py::isinstance<py::array_t<std::int64_t>>(starts);
    const SparseMatrix<V, I> X{values, static_cast<const I*>(columns.data()), starts.data(),
                               wide,   std::size_t(starts.shape(0)) - 1,      n_columns};
    const auto n_entries = std::size_t(columns.shape(0));
    return without_gil([&](Interrupt& interrupt) { return group_of_sparse_rows(X, n_entries, interrupt); });
}

// The arrays of CSR, values None where all are 1, and the number of columns.
template <class T>
Group<T> rows_group(const py::tuple& given, std::size_t n_rows) {
    const auto [values, columns, starts, n_columns] =
        given.cast<std::tuple<py::object, py::array, py::array, std::size_t>>();
    const auto n_entries = std::size_t(columns.size());
    checked_part(columns, "indices", n_entries);
    checked_part(starts, "indptr", n_rows + 1);
    const auto is_wide = [](const py::array& a, const char* name) {
        if (py::isinstance<py::array_t<std::int64_t>>(a)) return true;
        if (py::isinstance<py::array_t<std::int32_t>>(a)) return false;
        throw py::type_error(std::string(name) + " must be int32 or int64, got " + describe(a));
    };
    is_wide(starts, "indptr");
    const bool wide = is_wide(columns, "indices");
    const auto make = [&]<class V>(const V* data) -> Group<T> {
        if constexpr (std::is_same_v<ArithmeticOf<V>, T>) {
            return wide ? rows_group_of<V, std::int64_t>(data, columns, starts, n_columns)
                        : rows_group_of<V, std::int32_t>(data, columns, starts, n_columns);
        } else {
            return nullptr;
        }
    };
    Group<T> group;
    if (values.is_none()) return make(static_cast<const Ones<T>*>(nullptr));
    const py::array data = py::cast<py::array>(values);
    checked_part(data, "data", n_entries);
    with_storage<void>(data, "data", [&](auto storage) {
        using V = typename decltype(storage)::type;
        if constexpr (std::is_same_v<V, T> || std::is_same_v<V, Float16> || std::is_same_v<V, BFloat16>)
            group = make(static_cast<const V*>(data.data()));
    });
    if (!group)
        throw py::type_error(std::string("X: data of its sparse columns must be computed with as ") + dtype_name<T>() +
                             ", got " + describe(data));
    return group;
}

// `groups` is a list of ("numbers", array), ("codes", ...) and ("rows", ...), as above.
template <class T>
py::object grouped_source_of(std::size_t n_rows, const py::list& groups, const py::object& y, const py::object& weight,
                             double weight_sum) {
    const T* targets = checked_vector<T>(y, "y", n_rows);
    const T* weights = weight.is_none() ? nullptr : checked_vector<T>(weight, "sample_weight", n_rows);
    ColumnGroups<T> made;
    for (const py::handle& item : groups) {
        const auto [kind, given] = item.cast<std::pair<std::string, py::object>>();
        made.push_back(kind == "numbers" ? numbers_group<T>(given.cast<py::array>(), n_rows)
                       : kind == "codes" ? codes_group<T>(given.cast<py::tuple>(), n_rows)
                                         : rows_group<T>(given.cast<py::tuple>(), n_rows));
    }
    if (made.empty()) throw py::value_error("X must have at least one column, got none");
    return py::cast(
        shared_source<T>(std::make_unique<GroupedSource<T>>(n_rows, std::move(made), targets, weights, weight_sum),
                         {groups, y, weight}));
}

py::object grouped_source(std::size_t n_rows, const py::list& groups, const py::array& y, const py::object& weight,
                          double weight_sum) {
    if (n_rows == 0) throw py::value_error("X must have at least one row, got none");
    if (py::isinstance<py::array_t<double>>(y)) return grouped_source_of<double>(n_rows, groups, y, weight, weight_sum);
    return grouped_source_of<float>(n_rows, groups, y, weight, weight_sum);
}

}  // namespace

void bind_grouped_source(py::module_& m) {
    m.def("grouped_source", &grouped_source, py::arg("n_rows"), py::arg("groups"), py::arg("y").noconvert(),
          py::arg("sample_weight").none(true), py::arg("weight_sum"));
}

}  // namespace steepest
