// The Python face of the CUDA kernels: release the GIL, call. Arrays come as addresses and sizes; what they are was
// checked in Python (device_checks.py). Only this folder knows pybind11.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/names.hpp"
#include "cuda/bindings/addresses.hpp"
#include "cuda/bindings/rule.hpp"
#include "cuda/engine/descent.hpp"

#if !defined(STEEPEST_CUDA_MODULE)
#define STEEPEST_CUDA_MODULE _cuda
#endif

namespace steepest::cuda {
namespace {

template <class S>
struct BoundObjective {
    std::shared_ptr<Objective<S>> native;
    using T = ArithmeticOf<S>;

    double value_and_gradient(Address w, Address gradient) const {
        const GilReleased released;
        return native->value_and_gradient(pointer<T>(w), pointer<T>(gradient));
    }
    double value(Address w) const {
        const GilReleased released;
        return native->value(pointer<T>(w));
    }
    void hessian_product(Address w, Address v, Address product) const {
        const GilReleased released;
        native->hessian_product(pointer<T>(w), pointer<T>(v), pointer<T>(product));
    }
    using Numbers = py::array_t<T, py::array::c_style>;  // on the host
    py::array_t<double> sums(const Numbers& w) const {
        py::array_t<double> found(py::ssize_t(sums_of(native->data().rows.n_columns)));
        const T* point = w.data();
        double* out = found.mutable_data();
        const GilReleased released;
        native->sums(point, out);
        return found;
    }
    py::array_t<double> product_sums(const Numbers& w, const Numbers& v) const {
        py::array_t<double> found(py::ssize_t(sums_of(native->data().rows.n_columns)));
        const T *point = w.data(), *direction = v.data();
        double* out = found.mutable_data();
        const GilReleased released;
        native->product_sums(point, direction, out);
        return found;
    }
    std::string tiling() const { return tiling_names[int(native->plan().tiling)]; }
    py::tuple ring() const {  // rows of a stage and stages, 0 where rows do not stream
        return py::make_tuple(native->plan().ring.rows, native->plan().ring.stages);
    }
};

template <class S>
struct BoundDescent {
    using T = ArithmeticOf<S>;
    std::shared_ptr<Descent<S>> native;

    py::tuple evaluate() const {
        Evaluation e;
        {
            const GilReleased released;
            e = native->evaluate();
        }
        return py::make_tuple(e.value, e.gradient_norm);
    }
    void start_epoch(const py::object& order) const {
        py::array_t<std::uint32_t, py::array::c_style> rows;
        if (!order.is_none()) rows = order.cast<py::array_t<std::uint32_t, py::array::c_style>>();
        const std::uint32_t* first = order.is_none() ? nullptr : rows.data();
        const GilReleased released;
        native->start_epoch(first);
    }
    void shuffle_epoch(std::uint64_t seed, std::uint64_t epoch) const {
        const GilReleased released;
        native->shuffle_epoch(seed, epoch);
    }
    void copy_parameters(py::array_t<T, py::array::c_style> array) const {
        T* host = array.mutable_data();
        const GilReleased released;
        native->copy_parameters(host);
    }
    py::tuple run(const py::array_t<double, py::array::c_style>& learning_rates, double seconds,
                  const py::object& path) const {
        T* p = path.is_none() ? nullptr : path.cast<py::array_t<T>>().mutable_data();
        const double* rates = learning_rates.data();
        const auto n = std::size_t(learning_rates.size());
        const RunReport r =
            without_gil([&](Interrupt& interrupt) { return native->run(rates, n, seconds, p, interrupt); });
        return py::make_tuple(r.n_steps, r.epoch_done, r.diverged);
    }
};

template <class S>
py::object make_objective(const std::string& loss, Address X, std::size_t n_rows, std::size_t n_columns, bool row_major,
                          Address y, Address weight, double weight_sum, bool intercept, double l1, double l2,
                          int device_number, Address stream, Tiling tiling, const LossParameters& parameters) {
    using T = ArithmeticOf<S>;
    const bool aligned = row_major && X % 16 == 0 && n_columns * sizeof(S) % 16 == 0;
    const Batch<S> rows{pointer<S>(X),
                        pointer<T>(y),
                        pointer<T>(weight),
                        nullptr,
                        n_rows,
                        n_columns,
                        0,
                        n_rows,
                        row_major,
                        aligned,
                        {index_of(loss_names, loss, "loss"), parameters}};
    const Data<S> data{rows, weight_sum, intercept, l1, l2, device_number, stream_of(stream), tiling};
    BoundObjective<S> bound;
    {
        const GilReleased released;
        bound.native = std::make_shared<Objective<S>>(data);
    }
    return py::cast(bound);
}

template <class... Arguments>
py::object objective(const std::string& loss, const std::string& storage, Arguments... arguments) {
#define STEEPEST_CASE(S, name) \
    if (storage == name) return make_objective<S>(loss, arguments...);
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
    throw py::value_error("storage must be " + storage_names() + ", got " + storage);
}

template <class S>
BoundDescent<S> descent(const BoundObjective<S>& objective, const BoundRule& rule, Address w, const py::tuple& states,
                        std::int64_t n_steps, std::size_t batch_size) {
    using T = ArithmeticOf<S>;
    rule.check_states(states);
    T* state[max_states] = {};
    for (std::size_t k = 0; k < states.size(); ++k) state[k] = pointer<T>(states[k].cast<Address>());
    const GilReleased released;
    return {std::make_shared<Descent<S>>(objective.native, rule.rule, rule.hyperparameters, pointer<T>(w), state,
                                         n_steps, batch_size)};
}

template <class S>
void bind_storage(py::module_& m, const std::string& storage) {
    using O = BoundObjective<S>;
    py::class_<O>(m, ("Objective_" + storage).c_str())
        .def("value", &O::value, py::arg("w"))
        .def("value_and_gradient", &O::value_and_gradient, py::arg("w"), py::arg("gradient"))
        .def("hessian_product", &O::hessian_product, py::arg("w"), py::arg("v"), py::arg("product"))
        .def("sums", &O::sums, py::arg("w"))
        .def("product_sums", &O::product_sums, py::arg("w"), py::arg("v"))
        .def_property_readonly("tiling", &O::tiling)
        .def_property_readonly("ring", &O::ring);
    using D = BoundDescent<S>;
    py::class_<D>(m, ("Descent_" + storage).c_str())
        .def("start_epoch", &D::start_epoch, py::arg("order").none(true))
        .def("shuffle_epoch", &D::shuffle_epoch, py::arg("seed"), py::arg("epoch"))
        .def("evaluate", &D::evaluate)
        .def("run", &D::run, py::arg("learning_rates"), py::arg("seconds"), py::arg("path").none(true))
        .def(
            "restore", [](const D& d) { d.native->restore(); }, py::call_guard<GilReleased>())
        .def(
            "settle", [](const D& d) { d.native->settle(); }, py::call_guard<GilReleased>())
        .def("copy_parameters", &D::copy_parameters, py::arg("array").noconvert())
        .def_property_readonly("useful_rates", [](const D& d) { return d.native->useful_rates(); })
        .def(
            "set_slice", [](const D& d, std::size_t n) { d.native->set_slice(n); }, py::arg("n"))
        .def_property_readonly("n_steps", [](const D& d) { return d.native->n_steps(); });
    m.def("Descent", &descent<S>, py::arg("objective"), py::arg("rule"), py::arg("w"), py::arg("states"),
          py::arg("n_steps"), py::arg("batch_size"));
}

}  // namespace
}  // namespace steepest::cuda

PYBIND11_MODULE(STEEPEST_CUDA_MODULE, m, py::mod_gil_not_used()) {
    using namespace steepest;
    using namespace steepest::cuda;
    py::register_exception_translator([](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const OutOfMemory& e) {
            PyErr_SetString(PyExc_MemoryError, e.what());
        }
    });
    bind_devices(m);
    bind_memory(m);
    // Local to the module: its class has a name that another build of the module, in the same process, has too.
    py::class_<BoundRule>(m, "Rule", py::module_local())
        .def(py::init<const std::string&, const py::kwargs&>(), py::arg("name"))
        .def_property_readonly("n_states", [](const BoundRule& r) { return states_of_rule[r.rule]; })
        .def("step", &BoundRule::step, py::arg("dtype"), py::arg("w"), py::arg("gradient"), py::arg("states"),
             py::arg("n"), py::arg("learning_rate"), py::arg("t"), py::arg("device"), py::arg("stream"),
             py::arg("l1") = 0.0, py::arg("n_penalised") = 0);
#define STEEPEST_BIND(S, name) bind_storage<S>(m, name);
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_BIND)
#undef STEEPEST_BIND
    m.def(
        "Objective",
        [](const std::string& loss, const std::string& storage, Address X, std::size_t n_rows, std::size_t n_columns,
           bool row_major, Address y, Address weight, double weight_sum, bool intercept, double l1, double l2,
           int device_number, Address stream, const std::string& tiling, const py::dict& loss_parameters) {
            LossParameters parameters;
            for (const auto& [key, value] : loss_parameters)
                set_loss_parameter(parameters, py::cast<std::string>(key), value);
            return objective(loss, storage, X, n_rows, n_columns, row_major, y, weight, weight_sum, intercept, l1, l2,
                             device_number, stream, Tiling(index_of(tiling_names, tiling, "tiling")), parameters);
        },
        py::arg("loss"), py::arg("storage"), py::arg("X"), py::arg("n_rows"), py::arg("n_columns"),
        py::arg("row_major"), py::arg("y"), py::arg("weight"), py::arg("weight_sum"), py::arg("intercept"),
        py::arg("l1"), py::arg("l2"), py::arg("device"), py::arg("stream"), py::arg("tiling") = "auto",
        py::arg("loss_parameters") = py::dict());
    bind_sparse(m);
    bind_columns(m);
    bind_scores(m);
    bind_softmax(m);
#if defined(STEEPEST_BIND_MORE)
    STEEPEST_BIND_MORE(m);
#endif
}
