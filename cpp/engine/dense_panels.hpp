// Rows of any kind made dense, panel by panel, for kernels that need all columns of a row side by side.
#pragma once

#include <algorithm>
#include <vector>

#include "cpp/engine/dense.hpp"
#include "cpp/engine/threads.hpp"

namespace steepest {

// Of the rows of a selection: `fill(row, x)` adds row number `row` to n_columns zeros at x.
template <class T, class Fill>
struct DensePanels {
    const Source<T>& source;
    const T *y, *weight;
    Fill fill;

    // Calls add(source of dense rows) for panels of the rows, one after the other.
    template <class Add>
    void over(const Selection& rows, Interrupt& interrupt, Add add) const {
        constexpr std::size_t panel_elements = std::size_t(1) << 22;
        const std::size_t d = source.n_columns, most = std::max<std::size_t>(panel_elements / d, 1);
        std::vector<T> x, targets, weights;
        for (std::size_t first = 0; first < rows.count; first += most) {
            const std::size_t n = std::min(most, rows.count - first);
            x.assign(n * d, T(0));
            targets.resize(n);
            weights.resize(weight ? n : 0);
            for_each_task(n, threads_in_use(), interrupt, [&](std::size_t i, int) {
                const std::size_t row = rows.index ? rows.index[first + i] : rows.begin + first + i;
                targets[i] = y[row];
                if (weight) weights[i] = weight[row];
                fill(row, x.data() + i * d);
            });
            add(DenseSource<T>({x.data(), n, d, Order::row_major}, targets.data(), weight ? weights.data() : nullptr,
                               source.weight_sum));
        }
    }

    double* sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
        Buffer<double> total;
        total.assign(pass.work == Work::value ? 1 : pass.shape().size(), 0.0);
        over(pass.rows, interrupt, [&](const DenseSource<T>& panel) {
            Pass<T> part = pass;
            part.rows = panel.all_rows();
            const double* sums = panel.sums(part, workspace, interrupt);
            for (std::size_t i = 0; i < total.size(); ++i) total[i] += sums[i];
        });
        workspace.partial.assign(total.begin(), total.end());
        return workspace.partial.data();
    }

    HessianSums hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const {
        HessianSums total{};
        over(pass.rows, interrupt, [&](const DenseSource<T>& panel) {
            Pass<T> part = pass;
            part.rows = panel.all_rows();
            HessianSums sums = panel.hessian(part, with_gradient, interrupt);
            // The sums of the panel's chunks stand first; what follows belongs to the chunks.
            if (total.values.empty()) {
                total = std::move(sums);
                return;
            }
            for (std::size_t i = 0; i < std::min(total.values.size(), sums.values.size()); ++i)
                total.values[i] += sums.values[i];
        });
        return total;
    }
};

}  // namespace steepest
