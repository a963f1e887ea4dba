// The passes of an objective with k >= 2 scores a row, to which those of objective.hpp come down.
#pragma once

#include "cpp/engine/objective.hpp"

namespace steepest::scores {

template <class S, class T>
double value(const Objective<S>&, const T* w, Interrupt&);

template <class S, class T>
double value_and_gradient(const Objective<S>&, const T* w, T* gradient, Workspace<T>&, Interrupt&);

template <class S, class T>
double batch_gradient(const Objective<S>&, const Rows<S>& batch, const T* w, T* gradient, Workspace<T>&, Interrupt&);

template <class S, class T>
const T* row_slopes(const Objective<S>&, const Rows<S>&, const T* w, T* slopes, Workspace<T>&);

template <class S, class T>
void hessian_product(const Objective<S>&, const T* w, const T* v, T* product, Interrupt&);

template <class S, class T>
void hessian(const Objective<S>&, const T* w, T* result, Interrupt&);

}  // namespace steepest::scores
