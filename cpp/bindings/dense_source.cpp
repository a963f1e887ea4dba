#include "cpp/bindings/source.hpp"
#include "cpp/engine/dense.hpp"

namespace steepest {
namespace {

// X in any storage, with targets and weights (None: all 1).
py::object dense_source(const py::array& X, const py::object& y, const py::object& weight, double weight_sum) {
    return with_storage<py::object>(X, "X", [&](auto storage) {
        using S = typename decltype(storage)::type;
        using T = ArithmeticOf<S>;
        const Matrix<S> matrix = checked_matrix<S>(X);
        const T* targets = checked_vector<T>(y, "y", matrix.n_rows);
        const T* weights = weight.is_none() ? nullptr : checked_vector<T>(weight, "sample_weight", matrix.n_rows);
        return py::cast(
            shared_source<T>(std::make_unique<DenseSource<S>>(matrix, targets, weights, weight_sum), {X, y, weight}));
    });
}

}  // namespace

void bind_dense_source(py::module_& m) {
    m.def("dense_source", &dense_source, py::arg("X").noconvert(), py::arg("y"), py::arg("sample_weight").none(true),
          py::arg("weight_sum"));
}

}  // namespace steepest
