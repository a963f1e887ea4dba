// The Python face of statistics of columns and of copies of rows.
#include "cuda/launch/columns.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "cpp/bindings/checks.hpp"
#include "cpp/bindings/gil.hpp"
#include "cuda/bindings/addresses.hpp"

namespace steepest::cuda {
namespace {

using RowNumbers = py::array_t<std::int64_t, py::array::c_style>;
using Doubles = py::array_t<double, py::array::c_style>;

struct BoundRows {
    Rows rows;
    int device;
    Stream stream;

    BoundRows(Address X, std::size_t n_rows, std::size_t n_columns, bool row_major, int device_, Address stream_)
        : rows{pointer<const void>(X), n_rows, n_columns, row_major}, device(device_), stream(stream_of(stream_)) {}

    Doubles statistics(const std::string& storage, Address weight, const py::object& unit,
                       const RowNumbers& some) const {
        Doubles found({py::ssize_t(3), py::ssize_t(rows.n_columns)});
        const Doubles units = unit.is_none() ? Doubles() : unit.cast<Doubles>();
        const double* of_columns = unit.is_none() ? nullptr : units.data();
        double* out = found.mutable_data();
        const std::int64_t* first = some.data();
        const auto n_some = std::size_t(some.size());
#define STEEPEST_CASE(S, name)                                                                                      \
    if (storage == name) {                                                                                          \
        const GilReleased released;                                                                                 \
        const OnDevice here(device);                                                                                \
        column_statistics<S>(rows, pointer<const ArithmeticOf<S>>(weight), of_columns, first, n_some, out, stream); \
        return found;                                                                                               \
    }
        STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
        throw py::value_error("storage must be " + storage_names() + ", got " + storage);
    }

    void gather(std::size_t element_bytes, const RowNumbers& index, py::array array, std::size_t piece_bytes) const {
        void* out = array.mutable_data();
        const std::int64_t* first = index.data();
        const auto count = std::size_t(index.size());
        if (std::size_t(array.nbytes()) != count * rows.n_columns * element_bytes)
            throw py::value_error("array must have room for " + std::to_string(count) + " rows");
        const GilReleased released;
        const OnDevice here(device);
        gather_rows(rows, element_bytes, first, count, out, piece_bytes, stream);
    }
};

}  // namespace

void bind_columns(py::module_& m) {
    py::class_<BoundRows>(m, "Rows")
        .def(py::init<Address, std::size_t, std::size_t, bool, int, Address>(), py::arg("X"), py::arg("n_rows"),
             py::arg("n_columns"), py::arg("row_major"), py::arg("device"), py::arg("stream"))
        .def("statistics", &BoundRows::statistics, py::arg("storage"), py::arg("weight"), py::arg("unit").none(true),
             py::arg("some"))
        .def("gather", &BoundRows::gather, py::arg("element_bytes"), py::arg("index"), py::arg("array").noconvert(),
             py::arg("piece_bytes") = gathered_bytes);
}

}  // namespace steepest::cuda
