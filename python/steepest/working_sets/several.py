"""Newton's model of several scores at once, as those of classes are."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .gap import ElasticNet
from .gathered import GatheredColumns, Slots
from .proximal_point import proximal_point

__all__ = ["minimum_of_scores"]

Vector: TypeAlias = NDArray[np.float64]


def minimum_of_scores(
    gathered: GatheredColumns,
    slots: Slots,
    net: ElasticNet,
    here: Any,
    gradient: Vector,
    shares: Vector,
    intercept: bool,
    fine: bool,
) -> Vector:
    """Return the minimum of the model of all scores, whose curvature is that of the probabilities of classes.

    Parameters
    ----------
    gathered, slots : GatheredColumns and array of shape (m,)
        The columns.
    net : ElasticNet
        Their penalty.
    here : Place
        Where the model is taken.
    gradient : array of shape (n_scores, m)
        Of the loss by the coefficients.
    shares : array of shape (n,)
        The weights of the rows over their sum.
    intercept : bool
        Whether each score has an intercept.
    fine : bool
        As for `proximal_point`.
    """
    k, m = here.v.shape
    size = m + intercept
    # The slopes are the probabilities, less 1 for the class of the row.
    p = np.where(here.terms.slopes < 0.0, 1.0 + here.terms.slopes, here.terms.slopes)
    matrix = np.empty((k, size, k, size))
    for a in range(k):
        for b in range(a + 1):
            h = shares * p[a] * ((a == b) - p[b])
            block = np.empty((size, size))
            block[:m, :m] = gathered.products(slots, h)
            if intercept:
                block[m, :m] = block[:m, m] = gathered.dots(slots, h)
                block[m, m] = h.sum()
            matrix[a, :, b], matrix[b, :, a] = block, block.T
    flat = matrix.reshape(k * size, k * size)
    w, slope = np.zeros((k, size)), np.zeros((k, size))
    w[:, :m], slope[:, :m] = here.v, gradient + net.l2 * here.v
    l1, l2 = np.zeros((k, size)), np.zeros((k, size))
    l1[:, :m], l2[:, :m] = net.l1, net.l2
    diagonal = np.diag(flat) + l2.reshape(-1)
    alive = diagonal > 0.0
    flat.flat[:: len(flat) + 1] = np.where(alive, diagonal, 1.0)
    slope, l1 = np.where(alive, slope.reshape(-1), 0.0), np.where(alive, l1.reshape(-1), 0.0)
    bounded = np.zeros((k, size), bool)
    bounded[:, :m] = net.lower == 0.0
    positive = bounded.reshape(-1) if bounded.any() else None
    found = proximal_point(flat, slope, w.reshape(-1), l1, fine=fine, positive=positive)
    return np.ascontiguousarray(found.reshape(k, size)[:, :m])
