// The Python face of sparse rows on a device.
#include "cuda/engine/sparse.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "cuda/bindings/rule.hpp"

namespace steepest::cuda {
namespace {

template <class T>
struct BoundSparse {
    std::shared_ptr<SparseObjective<T>> native;

    double value(Address w) const {
        const GilReleased released;
        return native->value(pointer<T>(w));
    }
    double value_and_gradient(Address w, Address gradient) const {
        const GilReleased released;
        return native->value_and_gradient(pointer<T>(w), pointer<T>(gradient));
    }
    void hessian_product(Address w, Address v, Address product) const {
        const GilReleased released;
        native->hessian_product(pointer<T>(w), pointer<T>(v), pointer<T>(product));
    }
};

template <class T>
struct BoundSparseDescent {
    std::shared_ptr<SparseDescent<T>> native;

    void copy_parameters(py::array_t<T, py::array::c_style> array) const {
        T* host = array.mutable_data();
        const GilReleased released;
        native->copy_parameters(host);
    }
    static void start_epoch(const py::object& order) {
        if (!order.is_none()) throw py::value_error("order must be None: all rows are one batch");
    }
    py::tuple evaluate() const {
        Evaluation e;
        {
            const GilReleased released;
            e = native->evaluate();
        }
        return py::make_tuple(e.value, e.gradient_norm);
    }
    py::tuple run(const py::array_t<double, py::array::c_style>& learning_rates, double, const py::object& path) const {
        T* p = path.is_none() ? nullptr : path.cast<py::array_t<T>>().mutable_data();
        const double rate = learning_rates.at(0);
        RunReport r;
        {
            const GilReleased released;
            r = native->run(rate, p);
        }
        return py::make_tuple(r.n_steps, r.epoch_done, r.diverged);
    }
};

struct SparseArrays {
    Address values, columns;
    bool wide_columns;
    Address starts;
    bool wide_starts;
    std::size_t n_rows, n_columns, n_entries;

    template <class T>
    SparseView<T> view() const {
        return {pointer<const T>(values),
                pointer<const void>(columns),
                wide_columns,
                pointer<const void>(starts),
                wide_starts,
                n_rows,
                n_columns,
                n_entries};
    }
};

template <class T>
py::object sparse_objective(const SparseArrays& X, Address y, Address weight, double weight_sum, const LossChoice& loss,
                            bool intercept, double l1, double l2, int device_number, Address stream) {
    const SparseData<T> data{
        X.view<T>(), pointer<const T>(y), pointer<const T>(weight), loss, weight_sum, intercept, l1,
        l2,          device_number,       stream_of(stream)};
    BoundSparse<T> bound;
    {
        const GilReleased released;
        bound.native = std::make_shared<SparseObjective<T>>(data);
    }
    return py::cast(bound);
}

template <class T>
BoundSparseDescent<T> sparse_descent(const BoundSparse<T>& objective, const BoundRule& rule, Address w,
                                     const py::tuple& states, std::int64_t n_steps, std::size_t batch_size) {
    if (batch_size > 0) throw py::value_error("batch_size must be 0: sparse rows on a device are one batch");
    rule.check_states(states);
    T* state[max_states] = {};
    for (std::size_t k = 0; k < states.size(); ++k) state[k] = pointer<T>(states[k].cast<Address>());
    const GilReleased released;
    return {std::make_shared<SparseDescent<T>>(objective.native, rule.rule, rule.hyperparameters, pointer<T>(w), state,
                                               n_steps)};
}

template <class T>
void bind_arithmetic(py::module_& m, const std::string& dtype) {
    using O = BoundSparse<T>;
    py::class_<O>(m, ("SparseObjective_" + dtype).c_str())
        .def("value", &O::value, py::arg("w"))
        .def("value_and_gradient", &O::value_and_gradient, py::arg("w"), py::arg("gradient"))
        .def("hessian_product", &O::hessian_product, py::arg("w"), py::arg("v"), py::arg("product"));
    using D = BoundSparseDescent<T>;
    py::class_<D>(m, ("SparseDescent_" + dtype).c_str())
        .def(
            "start_epoch", [](const D&, const py::object& order) { D::start_epoch(order); },
            py::arg("order").none(true))
        .def("evaluate", &D::evaluate)
        .def("run", &D::run, py::arg("learning_rates"), py::arg("seconds"), py::arg("path").none(true))
        .def(
            "restore", [](const D& d) { d.native->restore(); }, py::call_guard<GilReleased>())
        .def("settle", [](const D&) {})  // no step is taken ahead
        .def("copy_parameters", &D::copy_parameters, py::arg("array").noconvert())
        .def_property_readonly("useful_rates", [](const D&) { return 1; })
        .def_property_readonly("n_steps", [](const D& d) { return d.native->n_steps(); });
    m.def("Descent", &sparse_descent<T>, py::arg("objective"), py::arg("rule"), py::arg("w"), py::arg("states"),
          py::arg("n_steps"), py::arg("batch_size"));
}

py::tuple check_arrays(const SparseArrays& X, int device_number, Address stream) {
    const SparseFaults found = [&] {
        const GilReleased released;
        const OnDevice here(device_number);
        return check_sparse(X.view<float>(), stream_of(stream));
    }();
    return py::make_tuple(found.row, found.entry);
}

}  // namespace

void bind_sparse(py::module_& m) {
    py::class_<SparseArrays>(m, "SparseArrays")
        .def(py::init([](Address data, Address indices, bool wide_indices, Address indptr, bool wide_indptr,
                         std::size_t n_rows, std::size_t n_columns, std::size_t n_entries) {
                 return SparseArrays{data, indices, wide_indices, indptr, wide_indptr, n_rows, n_columns, n_entries};
             }),
             py::arg("data"), py::arg("indices"), py::arg("wide_indices"), py::arg("indptr"), py::arg("wide_indptr"),
             py::arg("n_rows"), py::arg("n_columns"), py::arg("n_entries"));
    m.def("check_sparse", &check_arrays, py::arg("X"), py::arg("device"), py::arg("stream"));
    m.def(
        "SparseObjective",
        [](const std::string& dtype, const SparseArrays& X, Address y, Address weight, double weight_sum,
           const std::string& loss, const py::dict& loss_parameters, bool intercept, double l1, double l2,
           int device_number, Address stream) {
            LossParameters parameters;
            for (const auto& [key, value] : loss_parameters)
                set_loss_parameter(parameters, py::cast<std::string>(key), value);
            const LossChoice choice{index_of(loss_names, loss, "loss"), parameters};
            if (dtype != "float32" && dtype != "float64")
                throw py::value_error("dtype must be float32 or float64, got " + dtype);
            const auto make = dtype == "float32" ? &sparse_objective<float> : &sparse_objective<double>;
            return make(X, y, weight, weight_sum, choice, intercept, l1, l2, device_number, stream);
        },
        py::arg("dtype"), py::arg("X"), py::arg("y"), py::arg("weight"), py::arg("weight_sum"), py::arg("loss"),
        py::arg("loss_parameters"), py::arg("intercept"), py::arg("l1"), py::arg("l2"), py::arg("device"),
        py::arg("stream"));
    bind_arithmetic<float>(m, "float32");
    bind_arithmetic<double>(m, "float64");
}

}  // namespace steepest::cuda
