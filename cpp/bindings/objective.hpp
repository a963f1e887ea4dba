// A native objective together with the arrays that it reads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cpp/bindings/checks.hpp"
#include "cpp/engine/objective.hpp"

namespace steepest {

template <class T>
struct BoundObjective {
    py::array X;
    py::array_t<T> y;
    py::object weight;
    std::unique_ptr<const Source<T>> data, standardised;  // the second over the first, where columns are standardised
    Objective<T> native;

    BoundObjective(const std::string& loss, py::array X, py::array_t<T> y, py::object weight, double weight_sum,
                   bool intercept, double l1, double l2, const py::object& scaling, std::size_t n_scores,
                   const py::dict& loss_parameters);

    bool supports(const std::string& capability) const;
    double value(const py::handle& w) const;
    py::tuple value_and_gradient(const py::handle& w) const;
    py::tuple sums(const py::handle& w) const;
    py::tuple finish(const py::tuple& sums, const py::handle& w) const;
    py::array_t<T> hessian_product(const py::handle& w, const py::handle& v) const;
    py::array_t<T> hessian(const py::handle& w) const;
    py::tuple value_gradient_and_hessian(const py::handle& w) const;
    double gradient_norm(const py::handle& w, const py::handle& gradient) const;
    py::tuple column_statistics() const;

  private:
    const T* parameters(const py::handle& array, const char* name) const {
        return checked_vector<T>(array, name, native.n_parameters());
    }
    void standardise(const std::pair<py::object, py::object>& scaling);
};

void bind_objectives(py::module_& m);

}  // namespace steepest
