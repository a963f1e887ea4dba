#include "cpp/bindings/data.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/engine/dispatch.hpp"
#include "cpp/engine/order.hpp"
#include "cpp/engine/statistics.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

py::array_t<std::uint32_t> row_order(std::size_t n, std::uint64_t seed, std::uint64_t epoch) {
    if (n == 0 || n > max_indexed_rows)
        throw py::value_error("n: expected 1 to 4294967295 rows, got " + std::to_string(n));
    py::array_t<std::uint32_t> order{py::ssize_t(n)};
    RowOrder rows(n, true, seed);
    rows.start_epoch(epoch);
    rows.next(passes(), order.mutable_data(), n);
    return order;
}

template <class S>
double read_sum(const S* data, std::size_t n) {
    constexpr std::size_t block = 1 << 18;
    std::vector<double> sums((n + block - 1) / block);
    const auto kernel = passes().storages.of<S>().sum;
    return without_gil([&](Interrupt& interrupt) {
        for_each_task(sums.size(), threads_in_use(), interrupt, [&](std::size_t task, int) {
            sums[task] = kernel(data + task * block, std::min(block, n - task * block));
        });
        double total = 0.0;
        for (const double sum : sums) total += sum;
        return total;
    });
}

double read_sum_of_any(const py::array& array) {
    if (!(array.flags() & (py::array::c_style | py::array::f_style)))
        throw py::value_error("array: expected a contiguous array, got " + describe(array));
    return with_storage<double>(array, "array", [&](auto storage) {
        using S = typename decltype(storage)::type;
        return read_sum(static_cast<const S*>(array.data()), std::size_t(array.size()));
    });
}

py::tuple column_statistics_of_any(const py::array& X, const py::object& weight) {
    return with_storage<py::tuple>(X, "X", [&](auto storage) {
        using S = typename decltype(storage)::type;
        using T = ArithmeticOf<S>;
        const Matrix<S> matrix = checked_matrix<S>(X);
        const T* weights = weight.is_none() ? nullptr : checked_vector<T>(weight, "sample_weight", matrix.n_rows);
        py::array_t<double> mean{py::ssize_t(matrix.n_columns)}, deviation{py::ssize_t(matrix.n_columns)};
        double *m = mean.mutable_data(), *s = deviation.mutable_data();
        without_gil([&](Interrupt& interrupt) { column_statistics(matrix, weights, m, s, interrupt); });
        return py::make_tuple(mean, deviation);
    });
}

}  // namespace

void bind_data(py::module_& m) {
    py::dict storages;
#define STEEPEST_STORAGE(S, name) storages[name] = dtype_name<ArithmeticOf<S>>();
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_STORAGE)
#undef STEEPEST_STORAGE
    m.attr("storages") = storages;
    m.def("row_order", &row_order, py::arg("n"), py::arg("seed"), py::arg("epoch"));
    m.def("read_sum", &read_sum_of_any, py::arg("array"));
    m.def("column_statistics", &column_statistics_of_any, py::arg("X"), py::arg("sample_weight").none(true));
}

}  // namespace steepest
