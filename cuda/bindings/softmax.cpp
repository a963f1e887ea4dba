// The Python face of the softmax loss on a device.
#include "cuda/engine/softmax.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cuda/bindings/addresses.hpp"

namespace steepest::cuda {
namespace {

struct BoundSoftmax {
    std::shared_ptr<AnySoftmax> native;

    double value(Address w) const {
        const GilReleased released;
        return native->value(pointer<void>(w));
    }
    double value_and_gradient(Address w, Address gradient) const {
        const GilReleased released;
        return native->value_and_gradient(pointer<void>(w), pointer<void>(gradient));
    }
    void hessian_product(Address w, Address v, Address product) const {
        const GilReleased released;
        native->hessian_product(pointer<void>(w), pointer<void>(v), pointer<void>(product));
    }
    const void* vector(const char* name, const py::array& array) const {
        const auto number = native->uses_double() ? py::dtype::of<double>() : py::dtype::of<float>();
        const bool contiguous = (array.flags() & py::array::c_style) != 0;
        if (!array.dtype().is(number) || !contiguous || std::size_t(array.size()) != native->n_parameters())
            throw py::value_error(std::string(name) + " must be a C-contiguous vector of the objective's dtype");
        return array.data();
    }
    py::array_t<double> add_up(const void* w, const void* v) const {
        py::array_t<double> found(py::ssize_t(native->n_sums()));
        double* out = found.mutable_data();
        const GilReleased released;
        native->sums(w, v, out);
        return found;
    }
    py::array_t<double> sums(const py::array& w) const { return add_up(vector("w", w), nullptr); }
    py::array_t<double> product_sums(const py::array& w, const py::array& v) const {
        return add_up(vector("w", w), vector("v", v));
    }
    py::tuple tile() const {  // its rows, and how many lie in shared memory
        const SoftmaxShape& shape = native->plan().shape;
        return py::make_tuple(shape.tile.rows, shape.tiles);
    }
};

struct SoftmaxArguments {
    Address X;
    std::size_t n_rows, n_columns;
    bool row_major;
    Address y, weight;
    double weight_sum;
    std::size_t n_classes;
    bool intercept;
    double l1, l2;
    int device;
    Address stream;
};

template <class S>
std::shared_ptr<AnySoftmax> softmax_objective(const SoftmaxArguments& a) {
    using T = ArithmeticOf<S>;
    const bool aligned = a.row_major && a.X % 16 == 0 && a.n_columns * sizeof(S) % 16 == 0;
    const Batch<S> rows{pointer<S>(a.X),
                        pointer<T>(a.y),
                        pointer<T>(a.weight),
                        nullptr,
                        a.n_rows,
                        a.n_columns,
                        0,
                        a.n_rows,
                        a.row_major,
                        aligned,
                        {}};
    const GilReleased released;
    return std::make_shared<SoftmaxObjective<S>>(
        SoftmaxData<S>{rows, a.weight_sum, a.n_classes, a.intercept, a.l1, a.l2, a.device, stream_of(a.stream)});
}

BoundSoftmax made(const std::string& storage, const SoftmaxArguments& arguments) {
#define STEEPEST_CASE(S, name) \
    if (storage == name) return {softmax_objective<S>(arguments)};
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
    throw py::value_error("storage must be " + storage_names() + ", got " + storage);
}

}  // namespace

void bind_softmax(py::module_& m) {
    using O = BoundSoftmax;
    py::class_<O>(m, "SoftmaxObjective_")
        .def("value", &O::value, py::arg("w"))
        .def("value_and_gradient", &O::value_and_gradient, py::arg("w"), py::arg("gradient"))
        .def("hessian_product", &O::hessian_product, py::arg("w"), py::arg("v"), py::arg("product"))
        .def("sums", &O::sums, py::arg("w"))
        .def("product_sums", &O::product_sums, py::arg("w"), py::arg("v"))
        .def_property_readonly("tile", &O::tile);
    m.def(
        "SoftmaxObjective",
        [](const std::string& storage, Address X, std::size_t n_rows, std::size_t n_columns, bool row_major, Address y,
           Address weight, double weight_sum, std::size_t n_classes, bool intercept, double l1, double l2,
           int device_number, Address stream) {
            return made(storage, {X, n_rows, n_columns, row_major, y, weight, weight_sum, n_classes, intercept, l1, l2,
                                  device_number, stream});
        },
        py::arg("storage"), py::arg("X"), py::arg("n_rows"), py::arg("n_columns"), py::arg("row_major"), py::arg("y"),
        py::arg("weight"), py::arg("weight_sum"), py::arg("n_classes"), py::arg("intercept"), py::arg("l1"),
        py::arg("l2"), py::arg("device"), py::arg("stream"));
}

}  // namespace steepest::cuda
