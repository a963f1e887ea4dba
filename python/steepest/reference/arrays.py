"""Helpers of the reference losses: conversion to float64, the weights of rows, the penalty."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]


def float64(array: ArrayLike) -> Array:
    """Return the array as float64, without a copy if it already is."""
    return np.asarray(array, dtype=np.float64)


def present_rows(
    X: Array, y: Array, sample_weight: ArrayLike | None, offset: ArrayLike | None
) -> tuple[Array, Array, Array, Array]:
    """Return the rows whose weight is not 0, with their targets, weights and offsets: by default ones and zeros."""
    o = np.zeros(len(y)) if offset is None else float64(offset)
    if sample_weight is None:
        return X, y, np.ones(len(y)), o
    weight = float64(sample_weight)
    present = weight != 0
    return X[present], y[present], weight[present], o[present]


def elastic_net(
    w: Array, intercept: bool, alpha: float, l1_ratio: float, penalty_weight: ArrayLike | None = None
) -> tuple[float, Array, Array]:
    """Return the penalty of w, the gradient of its L2 part, and the diagonal of the L2 part's Hessian.

    w has shape (d,) or (k, d). With ``intercept``, the last of the d parameters is not penalised. The penalty of
    parameter j is times penalty_weight[j], which is finite.
    """
    factors = np.ones(w.shape[-1] - intercept) if penalty_weight is None else float64(penalty_weight)
    penalised = np.broadcast_to(np.append(factors, np.zeros(int(intercept))), w.shape)
    l2 = alpha * (1 - l1_ratio) * penalised
    value = alpha * (l1_ratio * (penalised * np.abs(w)).sum() + (1 - l1_ratio) / 2 * (penalised * w**2).sum())
    return float(value), l2 * w, l2
