// Rows that lie elsewhere, in parts: a Python function adds up a pass over them.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cpp/bindings/gil.hpp"
#include "cpp/bindings/source.hpp"
#include "cpp/bindings/sums.hpp"

namespace steepest {
namespace {

struct PartsShape {
    std::size_t n_rows, n_columns, n_elements;
    double weight_sum;
};

// `add_up` is called with the name of a pass and the parameters, and returns its sums: (weight, loss, slopes, gradient)
// of "gradient" (w), "batch" (w, the numbers of its rows) and "hessian_product" (w, v), and (row, block, values) of
// "hessian" (w). Its exceptions go to whoever asked for the pass. The source's owner keeps it alive.
template <class T>
class PartsSource : public Source<T> {
  public:
    PartsSource(const PartsShape& shape, std::vector<Capability> capabilities, py::handle add_up)
        : Source<T>(shape.n_rows, shape.n_columns, shape.weight_sum),
          n_elements_(shape.n_elements),
          capabilities_(std::move(capabilities)),
          add_up_(add_up) {}

    bool supports(Capability capability) const override {
        return std::find(capabilities_.begin(), capabilities_.end(), capability) != capabilities_.end();
    }
    std::size_t n_elements() const override { return n_elements_; }

    double* sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt&) const override {
        if (pass.blocks) throw std::logic_error("the parts of a source standardise their rows themselves");
        const GilHeld held;
        const Sums found = sums_of(answer(pass), pass.shape());
        workspace.partial.assign(found.values.begin(), found.values.end());
        return workspace.partial.data();
    }

    HessianSums hessian(const Pass<T>& pass, bool, Interrupt&) const override {
        const GilHeld held;
        return hessian_sums_of(add_up_("hessian", parameters(pass.point)), {pass.point.n_scores, pass.point.stride});
    }

  private:
    py::object answer(const Pass<T>& pass) const {
        if (pass.work == Work::hessian_product)
            return add_up_("hessian_product", parameters(pass.point), parameters(pass.direction));
        if (!pass.rows.index) return add_up_("gradient", parameters(pass.point));
        const py::array_t<std::uint32_t> rows(py::ssize_t(pass.rows.count), pass.rows.index);
        return add_up_("batch", parameters(pass.point), rows);
    }

    // A copy, since the function may hand it to a worker that outlives the pass.
    static py::array_t<T> parameters(const Coefficients<T>& point) {
        return py::array_t<T>(py::ssize_t(point.n_scores * point.stride), point.w);
    }

    std::size_t n_elements_;
    std::vector<Capability> capabilities_;
    py::handle add_up_;
};

template <class T>
py::object source_of(const PartsShape& shape, const std::vector<Capability>& capabilities, const py::object& add_up) {
    return py::cast(shared_source<T>(std::make_unique<PartsSource<T>>(shape, capabilities, add_up), {add_up}));
}

py::object parts_source(const std::string& dtype, std::size_t n_rows, std::size_t n_columns, std::size_t n_elements,
                        double weight_sum, const std::vector<std::string>& capabilities, const py::function& add_up) {
    std::vector<Capability> found;
    for (const std::string& name : capabilities) found.push_back(capability_of(name));
    const PartsShape shape{n_rows, n_columns, n_elements, weight_sum};
    if (dtype == "float32") return source_of<float>(shape, found, add_up);
    if (dtype == "float64") return source_of<double>(shape, found, add_up);
    throw py::value_error("dtype must be float32 or float64, got " + dtype);
}

}  // namespace

void bind_parts_source(py::module_& m) {
    m.def("parts_source", &parts_source, py::arg("dtype"), py::arg("n_rows"), py::arg("n_columns"),
          py::arg("n_elements"), py::arg("weight_sum"), py::arg("capabilities"), py::arg("add_up"));
}

}  // namespace steepest
