#include "bindings.hpp"

#include "settings.hpp"

namespace py = pybind11;

void emulated::bind(py::module_& m) {
    m.def(
        "emulated_set", [](const std::string& name, const py::object& value) { set(name, std::string(py::str(value))); },
        py::arg("name"), py::arg("value"));
}
