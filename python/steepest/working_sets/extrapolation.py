"""Anderson's extrapolation of the points of coordinate descent."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .gap import ElasticNet

__all__ = ["extrapolated"]

Vector: TypeAlias = NDArray[np.float64]

_RIDGE = 1e-10  # share of the largest product of two steps


def extrapolated(path: list[tuple[Vector, Vector]], h: Vector, net: ElasticNet) -> tuple[Vector, Vector]:
    """Return the limit that some points of coordinate descent suggest, or the last point if that is lower.

    Bertrand, Massias, "Anderson Acceleration of Coordinate Descent", AISTATS 2021. The slopes of the rows are linear in
    the coefficients, so those of the limit are a sum of those of the points.

    Parameters
    ----------
    path : list of pairs of arrays of shapes (m,) and (n,)
        Coefficients, and the slopes of the rows there, in order.
    h : array of shape (n,)
        The curvatures of the rows in the model.
    net : ElasticNet
        The penalty of the columns.
    """
    steps = np.stack([after[0] - before[0] for before, after in pairwise(path)])
    products = np.einsum("aj,bj->ab", steps, steps)
    largest = float(np.diag(products).max())
    if not largest > 0.0:
        return path[-1]
    found = np.linalg.solve(products + _RIDGE * largest * np.eye(len(steps)), np.ones(len(steps)))
    if not np.isfinite(found).all() or not abs(found.sum()) > 0.0:
        return path[-1]
    found /= found.sum()
    v = np.einsum("a,aj->j", found, np.stack([each[0] for each in path[1:]]))
    q = np.einsum("a,ai->i", found, np.stack([each[1] for each in path[1:]]))
    if (v < net.lower).any():
        return path[-1]
    used = h > 0.0

    def value(v: Vector, q: Vector) -> float:
        return float(np.sum(q[used] ** 2 / (2.0 * h[used]))) + net.value(v)

    last_v, last_q = path[-1]
    return (v, q) if value(v, q) < value(last_v, last_q) else (last_v, last_q)
