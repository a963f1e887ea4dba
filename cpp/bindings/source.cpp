#include "cpp/bindings/source.hpp"

#include "cpp/bindings/gil.hpp"

namespace steepest {

Capability capability_of(const std::string& name) {
    std::string names;
    for (std::size_t i = 0; i < std::size(capability_names); ++i) {
        if (name == capability_names[i]) return Capability(i);
        if (!names.empty()) names += ", ";
        names += capability_names[i];
    }
    throw py::value_error("capability must be one of " + names + ", got '" + name + "'");
}

namespace {

template <class T>
py::tuple column_statistics(const BoundSource<T>& source) {
    const auto d = py::ssize_t(source.native->n_columns);
    py::array_t<double> mean(d), deviation(d);
    double *m = mean.mutable_data(), *s = deviation.mutable_data();
    without_gil([&](Interrupt& interrupt) { source.native->column_statistics(m, s, interrupt); });
    return py::make_tuple(mean, deviation);
}

template <class T>
void bind_source(py::module_& m, const char* name) {
    using Bound = BoundSource<T>;
    py::class_<Bound, SharedSource<T>>(m, name)
        .def(
            "supports",
            [](const Bound& source, const std::string& name) { return source.native->supports(capability_of(name)); },
            py::arg("capability"))
        .def_property_readonly("n_rows", [](const Bound& source) { return source.native->n_rows; })
        .def_property_readonly("n_columns", [](const Bound& source) { return source.native->n_columns; })
        .def_property_readonly("n_elements", [](const Bound& source) { return source.native->n_elements(); })
        .def("column_statistics", &column_statistics<T>);
}

}  // namespace

void bind_sources(py::module_& m) {
    bind_source<float>(m, "Source32");
    bind_source<double>(m, "Source64");
    py::tuple names{std::size(capability_names)};
    for (std::size_t i = 0; i < std::size(capability_names); ++i) names[i] = capability_names[i];
    m.attr("capabilities") = names;
    bind_dense_source(m);
    bind_file_source(m);
    bind_grouped_source(m);
    bind_parts_source(m);
    bind_selected_source(m);
    bind_sparse_source(m);
    bind_standardised_source(m);
}

}  // namespace steepest
