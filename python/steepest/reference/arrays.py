"""Helpers of the reference losses: conversion to float64, the weights of rows, the penalty."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]


def float64(array: ArrayLike) -> Array:
    """Return the array as float64, without a copy if it already is."""
    return np.asarray(array, dtype=np.float64)


def present_rows(X: Array, y: Array, sample_weight: ArrayLike | None) -> tuple[Array, Array, Array]:
    """Return the rows whose weight is not 0, their targets and their weights. Weights that are not given are ones."""
    if sample_weight is None:
        return X, y, np.ones(len(y))
    weight = float64(sample_weight)
    present = weight != 0
    return X[present], y[present], weight[present]


def elastic_net(w: Array, intercept: bool, alpha: float, l1_ratio: float) -> tuple[float, Array, Array]:
    """Return the penalty of w, the gradient of its L2 part, and the diagonal of the L2 part's Hessian.

    w has shape (d,) or (k, d). With ``intercept``, the last of the d parameters is not penalised.
    """
    penalised = np.broadcast_to(np.arange(w.shape[-1]) < w.shape[-1] - intercept, w.shape)
    v, l2 = w * penalised, alpha * (1 - l1_ratio)
    value = alpha * (l1_ratio * np.abs(v).sum() + (1 - l1_ratio) / 2 * (v**2).sum())
    return float(value), l2 * v, l2 * penalised
