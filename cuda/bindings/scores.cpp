// The Python face of scores and predictions.
#include "cuda/launch/scores.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/names.hpp"
#include "cuda/bindings/addresses.hpp"
#include "cuda/kernels/storages.hpp"

namespace steepest::cuda {
namespace {

template <class A>
using Numbers = py::array_t<A, py::array::c_style>;

int storage_number(const std::string& storage) {
#define STEEPEST_CASE(S, name) \
    if (storage == name) return storage_of_##S;
    STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
    throw py::value_error("storage must be " + storage_names() + ", got " + storage);
}

template <class A>
bool scores(const std::string& storage, Address X, std::size_t n_rows, std::size_t n_columns, bool row_major,
            const Numbers<A>& W, const Numbers<A>& b, Address offset, Address out, int device, Address stream) {
    const int number = storage_number(storage);
    if (sizeof(A) < sizeof(double) && is_double(number))
        throw py::value_error("W must be float64 for float64 rows, got float32");
    if (std::size_t(W.size()) != n_columns * std::size_t(b.size()))
        throw py::value_error("W must have a row of " + std::to_string(n_columns) + " numbers for each number of b");
    const ScoreWeights<A> weights{W.data(), b.data(), std::size_t(b.size())};
    const GilReleased released;
    const OnDevice here(device);
    return row_scores<A>({pointer<const void>(X), n_rows, n_columns, row_major}, number, weights,
                         pointer<const A>(offset), pointer<A>(out), stream_of(stream));
}

template <class A>
void predictions(const std::string& kind, Address scores, std::size_t n_rows, std::size_t n_scores, Address out,
                 const py::object& places, int device, Address stream) {
    const auto made = Prediction(index_of(prediction_names, kind, "kind"));
    int* host = nullptr;
    if (made == Prediction::places) {
        if (!py::isinstance<Numbers<int>>(places) || std::size_t(places.cast<Numbers<int>>().size()) != n_rows)
            throw py::value_error("places must be an int32 array of " + std::to_string(n_rows) + " elements");
        host = places.cast<Numbers<int>>().mutable_data();  // of the same array: its dtype is the same
    }
    const GilReleased released;
    const OnDevice here(device);
    score_predictions<A>(pointer<const A>(scores), n_rows, n_scores, made, pointer<A>(out), host, stream_of(stream));
}

template <class A>
void bind(py::module_& m, const std::string& name) {
    m.def(("scores_" + name).c_str(), &scores<A>, py::arg("storage"), py::arg("X"), py::arg("n_rows"),
          py::arg("n_columns"), py::arg("row_major"), py::arg("W").noconvert(), py::arg("b").noconvert(),
          py::arg("offset"), py::arg("out"), py::arg("device"), py::arg("stream"));
    m.def(("predictions_" + name).c_str(), &predictions<A>, py::arg("kind"), py::arg("scores"), py::arg("n_rows"),
          py::arg("n_scores"), py::arg("out"), py::arg("places").none(true), py::arg("device"), py::arg("stream"));
}

}  // namespace

void bind_scores(py::module_& m) {
    bind<float>(m, "float32");
    bind<double>(m, "float64");
}

}  // namespace steepest::cuda
