#include "cpp/bindings/source.hpp"
#include "cpp/engine/file_rows.hpp"

namespace steepest {
namespace {

// n_rows rows of `like`, an array of one row that shows their dtype and columns, at an offset of an open file, which
// `file` keeps open. Targets and weights (None: all 1) are in memory.
py::object file_source(const py::object& file, int descriptor, std::uint64_t offset, const std::string& name,
                       const py::array& like, std::size_t n_rows, const py::object& y, const py::object& weight,
                       double weight_sum) {
    check_matrix(like);
    return with_storage<py::object>(like, "like", [&](auto storage) {
        using S = typename decltype(storage)::type;
        using T = ArithmeticOf<S>;
        const T* targets = checked_vector<T>(y, "y", n_rows);
        const T* weights = weight.is_none() ? nullptr : checked_vector<T>(weight, "sample_weight", n_rows);
        return py::cast(
            shared_source<T>(std::make_unique<FileSource<S>>(FileSection{descriptor, offset, name}, n_rows,
                                                             std::size_t(like.shape(1)), targets, weights, weight_sum),
                             {file, y, weight}));
    });
}

}  // namespace

void bind_file_source(py::module_& m) {
    py::register_exception_translator([](std::exception_ptr thrown) {
        try {
            if (thrown) std::rethrow_exception(thrown);
        } catch (const FileError& error) {
            PyErr_SetString(PyExc_OSError, error.what());
        }
    });
    m.def("file_source", &file_source, py::arg("file"), py::arg("descriptor"), py::arg("offset"), py::arg("name"),
          py::arg("like").noconvert(), py::arg("n_rows"), py::arg("y"), py::arg("sample_weight").none(true),
          py::arg("weight_sum"));
}

}  // namespace steepest
