// A native objective together with its source.
#pragma once

#include <mutex>
#include <string>

#include "cpp/bindings/source.hpp"
#include "cpp/engine/objective.hpp"

namespace steepest {

template <class T>
struct BoundObjective {
    SharedSource<T> source;
    std::vector<double> factors;  // of the columns' penalties; empty: all 1
    py::object row_offsets;       // of a softmax, or None
    Objective<T> native;

    BoundObjective(SharedSource<T> source, const std::string& loss, bool intercept, double l1, double l2,
                   std::size_t n_scores, const py::dict& loss_parameters, double constant,
                   const py::object& penalty_weight, const py::object& row_offsets);

    bool supports(const std::string& capability) const;
    double value(const py::handle& w) const;
    py::tuple value_and_gradient(const py::handle& w) const;
    py::tuple values_and_gradients(const py::handle& w, const py::handle& v) const;
    py::tuple sums(const py::handle& w, const py::object& rows) const;
    py::tuple finish(const py::tuple& sums, const py::handle& w) const;
    py::array_t<T> hessian_product(const py::handle& w, const py::handle& v) const;
    py::tuple product_sums(const py::handle& w, const py::handle& v) const;
    py::array_t<T> hessian(const py::handle& w) const;
    py::tuple hessian_sums(const py::handle& w) const;
    py::tuple value_gradient_and_hessian(const py::handle& w) const;
    double gradient_norm(const py::handle& w, const py::handle& gradient) const;

  private:
    // Calls pass(workspace) with memory that is kept from one pass to the next; with other memory beside another
    // thread.
    template <class Run>
    auto with_workspace(Run run) const {
        const std::unique_lock lock(busy, std::try_to_lock);
        if (lock.owns_lock()) return run(workspace);
        Workspace<T> own;
        return run(own);
    }

    mutable std::mutex busy;
    mutable Workspace<T> workspace;

    const T* parameters(const py::handle& array, const char* name) const {
        return checked_vector<T>(array, name, native.n_parameters());
    }
};

void bind_objectives(py::module_& m);

}  // namespace steepest
