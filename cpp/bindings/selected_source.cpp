#include <algorithm>
#include <cstdint>

#include "cpp/bindings/source.hpp"
#include "cpp/engine/selected.hpp"

namespace steepest {
namespace {

// Keeps the source and the array of the rows' numbers.
template <class T>
SharedSource<T> selected_source(const SharedSource<T>& source, const py::array& rows, double weight_sum) {
    const Source<T>& of = *source->native;
    const auto n = std::size_t(rows.size());
    if (!py::isinstance<py::array_t<std::uint32_t>>(rows))
        throw py::type_error("rows must be a contiguous uint32 array, got " + describe(rows));
    const std::uint32_t* index = checked_vector<std::uint32_t>(rows, "rows", n);
    if (!of.supports(Capability::batches)) throw py::value_error("source must have rows by index, got one without");
    if (n == 0) throw py::value_error("rows must not be empty");
    if (std::any_of(index, index + n, [&](std::uint32_t row) { return row >= of.n_rows; }))
        throw py::value_error("rows must be numbers below " + std::to_string(of.n_rows));
    return shared_source<T>(std::make_unique<SelectedSource<T>>(of, index, n, weight_sum), {py::cast(source), rows});
}

template <class T>
void bind_selection(py::module_& m) {
    m.def("selected_source", &selected_source<T>, py::arg("source").none(false), py::arg("rows").noconvert(),
          py::arg("weight_sum"));
}

}  // namespace

void bind_selected_source(py::module_& m) {
    bind_selection<float>(m);
    bind_selection<double>(m);
}

}  // namespace steepest
