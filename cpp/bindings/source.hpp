// A native source together with the arrays that it reads. Each kind of source has a file here, with a function that
// makes one of what Python has.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpp/bindings/checks.hpp"
#include "cpp/engine/source.hpp"

namespace steepest {

template <class T>
struct BoundSource {
    std::vector<py::object> kept;  // what the native source reads
    std::unique_ptr<const Source<T>> native;
};

template <class T>
using SharedSource = std::shared_ptr<BoundSource<T>>;

template <class T>
SharedSource<T> shared_source(std::unique_ptr<const Source<T>> native, std::vector<py::object> kept) {
    return std::make_shared<BoundSource<T>>(BoundSource<T>{std::move(kept), std::move(native)});
}

Capability capability_of(const std::string& name);

void bind_sources(py::module_& m);
void bind_dense_source(py::module_& m);
void bind_file_source(py::module_& m);
void bind_grouped_source(py::module_& m);
void bind_parts_source(py::module_& m);
void bind_selected_source(py::module_& m);
void bind_sparse_source(py::module_& m);
void bind_standardised_source(py::module_& m);

}  // namespace steepest
