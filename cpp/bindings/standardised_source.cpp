#include "cpp/bindings/source.hpp"
#include "cpp/engine/standardised.hpp"

namespace steepest {
namespace {

// The centre and the scale of the columns are copied.
template <class T>
SharedSource<T> standardised_source(const SharedSource<T>& source, const py::object& centre, const py::object& scale) {
    const std::size_t d = source->native->n_columns;
    const double* c = checked_vector<double>(centre, "centre", d);
    const double* s = checked_vector<double>(scale, "scale", d);
    return shared_source<T>(std::make_unique<StandardisedSource<T>>(*source->native, std::vector<double>(c, c + d),
                                                                    std::vector<double>(s, s + d)),
                            {py::cast(source)});
}

template <class T>
void bind(py::module_& m) {
    m.def("standardised_source", &standardised_source<T>, py::arg("source").none(false), py::arg("centre"),
          py::arg("scale"));
}

}  // namespace

void bind_standardised_source(py::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace steepest
