#include "cpp/engine/objective.hpp"

#include <algorithm>
#include <vector>

#include "cpp/engine/threads.hpp"

namespace steepest {
namespace {

template <class T>
double* run_pass(const Objective<T>& objective, Work work, const T* w, const T* v, const Selection& rows,
                 Workspace<T>& workspace, Interrupt& interrupt) {
    const Pass<T> pass{work, objective.loss, objective.at(w), objective.at(v), rows};
    return objective.source->sums(pass, workspace, interrupt);
}

template <class T>
double penalty_at(const Objective<T>& objective, const T* w) {
    if (objective.factors) return penalty(objective.l1, objective.l2, objective.factors, w, objective.layout());
    return penalty(objective.l1, objective.l2, w, objective.layout());
}

// gradient = scale * sums + l2 * w, of one score, its intercept's last.
template <class T>
void write_score(const Objective<T>& objective, const double* sums, double scale, const T* w, T* gradient) {
    constexpr std::size_t columns = 65536;  // of a task
    const std::size_t d = objective.n_columns();
    Interrupt never(nullptr);
    for_each_task((d + columns - 1) / columns, d < 2 * columns ? 1 : threads_in_use(), never, [&](std::size_t t, int) {
        const std::size_t last = std::min((t + 1) * columns, d);
        for (std::size_t j = t * columns; j < last && !objective.factors; ++j)
            gradient[j] = T(scale * sums[j] + objective.l2 * double(w[j]));
        for (std::size_t j = t * columns; j < last && objective.factors; ++j) {
            const double l2 = objective.l2 * factor_of(objective.factors, j);
            gradient[j] = objective.leaves_out(j) ? T(0) : T(scale * sums[j] + l2 * double(w[j]));
        }
    });
    if (objective.intercept) gradient[d] = T(scale * sums[d]);
}

template <class T>
void write_gradient(const Objective<T>& objective, const double* sums, double scale, const T* w, T* gradient) {
    const Layout layout = objective.layout();
    const SumsShape shape = objective.shape();
    for (std::size_t c = 0; c < shape.n_scores; ++c, w += layout.row, gradient += layout.row)
        write_score(objective, sums + shape.gradient(c), scale, w, gradient);
}

template <class T>
double finish_sums(const Objective<T>& objective, const double* sums, double weight, const T* w, T* gradient) {
    write_gradient(objective, sums, 1.0 / weight, w, gradient);
    return sums[0] / weight + penalty_at(objective, w) + objective.constant;
}

// Of a score's parameter number i.
template <class T>
bool is_left_out(const Objective<T>& objective, std::size_t i) {
    return objective.factors && i < objective.n_columns() && objective.leaves_out(i);
}

// A direction without the columns that are left out: v itself, or a copy.
template <class T>
const T* within(const Objective<T>& objective, const T* v, std::vector<T>& copy) {
    const std::size_t d = objective.n_columns(), row = objective.layout().row;
    if (!objective.factors ||
        std::none_of(objective.factors, objective.factors + d, [](double f) { return std::isinf(f); }))
        return v;
    copy.assign(v, v + objective.n_parameters());
    for (std::size_t j = 0; j < copy.size(); ++j)
        if (is_left_out(objective, j % row)) copy[j] = T(0);
    return copy.data();
}

// The sums of the Hessian's blocks, mirrored, divided and with the penalty.
template <class T>
void write_hessian(const Objective<T>& objective, const HessianSums& sums, T* result) {
    const Layout layout = objective.layout();
    const std::size_t p = layout.row;
    const double weight = objective.source->weight_sum, scale = 1.0 / weight;
    const bool several = objective.n_scores > 1;
    const double* block = sums.values.data();
    for (std::size_t a = 0; a < objective.n_scores; ++a) {
        for (std::size_t b = 0; b <= a; ++b, block += sums.block) {
            for (std::size_t i = 0; i < p; ++i) {
                for (std::size_t j = 0; j < (a == b ? i + 1 : p); ++j) {
                    const bool penalised = a == b && i == j && i < layout.penalised;
                    const double ridge = penalised ? objective.l2 * factor_of(objective.factors, i) : 0.0;
                    const double sum = block[std::max(i, j) * sums.row + std::min(i, j)];
                    const bool out = is_left_out(objective, i) || is_left_out(objective, j);
                    const T element = out ? T(0) : T((several ? sum / weight : scale * sum) + ridge);
                    result[(a * p + i) * layout.n + b * p + j] = element;
                    result[(b * p + j) * layout.n + a * p + i] = element;
                }
            }
        }
    }
}

template <class T>
Sums sums_of_pass(const Objective<T>& objective, Work work, const T* w, const T* v, const Selection& rows,
                  Interrupt& interrupt) {
    Workspace<T> workspace;
    const double* values = run_pass(objective, work, w, v, rows, workspace, interrupt);
    return {objective.source->weight_sum, objective.shape(), {values, values + objective.shape().size()}};
}

template <class T>
HessianSums hessian_pass(const Objective<T>& objective, const T* w, bool with_gradient, Interrupt& interrupt) {
    const Pass<T> pass{Work::gradient, objective.loss, objective.at(w), objective.at(w), objective.source->all_rows()};
    return objective.source->hessian(pass, with_gradient, interrupt);
}

}  // namespace

template <class T>
Sums sums(const Objective<T>& objective, const T* w, const Selection& rows, Interrupt& interrupt) {
    return sums_of_pass(objective, Work::gradient, w, w, rows, interrupt);
}

template <class T>
Sums product_sums(const Objective<T>& objective, const T* w, const T* v, Interrupt& interrupt) {
    std::vector<T> copy;
    const T* direction = within(objective, v, copy);
    return sums_of_pass(objective, Work::hessian_product, w, direction, objective.source->all_rows(), interrupt);
}

template <class T>
double finish(const Objective<T>& objective, const Sums& sums, const T* w, T* gradient) {
    return finish_sums(objective, sums.values.data(), sums.weight, w, gradient);
}

template <class T>
double value(const Objective<T>& objective, const T* w, Interrupt& interrupt) {
    Workspace<T> workspace;
    const double* sums = run_pass(objective, Work::value, w, w, objective.source->all_rows(), workspace, interrupt);
    return sums[0] / objective.source->weight_sum + penalty_at(objective, w) + objective.constant;
}

template <class T>
double value_and_gradient(const Objective<T>& objective, const T* w, T* gradient, Workspace<T>& workspace,
                          Interrupt& interrupt) {
    const double* sums = run_pass(objective, Work::gradient, w, w, objective.source->all_rows(), workspace, interrupt);
    return finish_sums(objective, sums, objective.source->weight_sum, w, gradient);
}

template <class T>
std::pair<double, double> values_and_gradients(const Objective<T>& objective, const T* w, const T* v, T* gradient_at_w,
                                               T* gradient_at_v, Workspace<T>& workspace, Interrupt& interrupt) {
    const Source<T>& source = *objective.source;
    const Pass<T> pass{Work::gradient, objective.loss, objective.at(w), objective.at(v), source.all_rows()};
    const double* sums = source.sums_at_two(pass, workspace, interrupt);
    const double at_w = finish_sums(objective, sums, source.weight_sum, w, gradient_at_w);
    return {at_w, finish_sums(objective, sums + objective.shape().size(), source.weight_sum, v, gradient_at_v)};
}

template <class T>
double batch_gradient(const Objective<T>& objective, const T* w, const Selection& rows, double inverse_mean,
                      T* gradient, Workspace<T>& workspace, Interrupt& interrupt) {
    const double* sums = run_pass(objective, Work::gradient, w, w, rows, workspace, interrupt);
    const double scale = inverse_mean / double(rows.count);
    write_gradient(objective, sums, scale, w, gradient);
    return sums[0] * scale;
}

template <class T>
void hessian_product(const Objective<T>& objective, const T* w, const T* v, T* product, Workspace<T>& workspace,
                     Interrupt& interrupt) {
    const Selection rows = objective.source->all_rows();
    std::vector<T> copy;
    const T* direction = within(objective, v, copy);
    const double* sums = run_pass(objective, Work::hessian_product, w, direction, rows, workspace, interrupt);
    write_gradient(objective, sums, 1.0 / objective.source->weight_sum, v, product);
}

template <class T>
HessianSums hessian_sums(const Objective<T>& objective, const T* w, Interrupt& interrupt) {
    return hessian_pass(objective, w, false, interrupt);
}

template <class T>
void hessian(const Objective<T>& objective, const T* w, T* result, Interrupt& interrupt) {
    write_hessian(objective, hessian_pass(objective, w, false, interrupt), result);
}

template <class T>
double value_gradient_and_hessian(const Objective<T>& objective, const T* w, T* gradient, T* result,
                                  Interrupt& interrupt) {
    const HessianSums sums = hessian_pass(objective, w, true, interrupt);
    write_hessian(objective, sums, result);
    if (!sums.gradient) {
        Workspace<T> workspace;
        return value_and_gradient(objective, w, gradient, workspace, interrupt);
    }
    const std::size_t p = objective.n_parameters();
    const double *slopes = sums.values.data() + p * sums.row, scale = 1.0 / objective.source->weight_sum;
    write_score(objective, slopes, scale, w, gradient);
    return scale * slopes[p] + penalty_at(objective, w) + objective.constant;
}

template <class T>
double gradient_norm(const Objective<T>& objective, const T* w, const T* gradient) {
    return gradient_norm(objective.l1, w, gradient, objective.layout(), objective.factors);
}

#define STEEPEST_INSTANTIATE(T)                                                                                \
    template Sums sums(const Objective<T>&, const T*, const Selection&, Interrupt&);                           \
    template double finish(const Objective<T>&, const Sums&, const T*, T*);                                    \
    template double value(const Objective<T>&, const T*, Interrupt&);                                          \
    template double value_and_gradient(const Objective<T>&, const T*, T*, Workspace<T>&, Interrupt&);          \
    template std::pair<double, double> values_and_gradients(const Objective<T>&, const T*, const T*, T*, T*,   \
                                                            Workspace<T>&, Interrupt&);                        \
    template double batch_gradient(const Objective<T>&, const T*, const Selection&, double, T*, Workspace<T>&, \
                                   Interrupt&);                                                                \
    template void hessian_product(const Objective<T>&, const T*, const T*, T*, Workspace<T>&, Interrupt&);     \
    template Sums product_sums(const Objective<T>&, const T*, const T*, Interrupt&);                           \
    template HessianSums hessian_sums(const Objective<T>&, const T*, Interrupt&);                              \
    template void hessian(const Objective<T>&, const T*, T*, Interrupt&);                                      \
    template double value_gradient_and_hessian(const Objective<T>&, const T*, T*, T*, Interrupt&);             \
    template double gradient_norm(const Objective<T>&, const T*, const T*);
STEEPEST_INSTANTIATE(float)
STEEPEST_INSTANTIATE(double)

}  // namespace steepest
