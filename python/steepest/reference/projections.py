"""The reference projections: the nearest point of each constraint's set."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, float64

__all__ = ["project_box", "project_simplex"]


def project_box(w: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Array:
    """Return the point with ``lower <= w <= upper`` that is nearest to w.

    Parameters
    ----------
    w : array
        Any point. A nan stays a nan.
    lower, upper : float or array of the shape of w
        Bounds with ``lower <= upper``. Use -inf and inf for no bound.

    Returns
    -------
    w : float64 array

    Examples
    --------
    >>> from steepest import reference
    >>> reference.project_box([-2.0, 0.5, 3.0], 0.0, 1.0)
    array([0. , 0.5, 1. ])
    """
    return float64(np.minimum(np.maximum(float64(w), float64(lower)), float64(upper)))


def project_simplex(w: ArrayLike, total: float = 1.0) -> Array:
    """Return the point with ``w >= 0`` and the sum ``total`` that is nearest to w.

    The point is ``max(w - t, 0)``. The number t lowers the k largest elements to the sum ``total``; k is the largest
    number for which all of them stay above 0. The algorithm is figure 1 of Duchi, Shalev-Shwartz, Singer, Chandra,
    "Efficient Projections onto the l1-Ball for Learning in High Dimensions", ICML 2008.

    Parameters
    ----------
    w : array of shape (d,)
        A point. If one of its numbers is not finite, no nearest point is known, and all numbers of the result are nan.
    total : float
        The sum, above 0.

    Returns
    -------
    w : float64 array of shape (d,)

    Examples
    --------
    >>> from steepest import reference
    >>> reference.project_simplex([0.75, 0.75, -1.0])
    array([0.5, 0.5, 0. ])
    """
    v = float64(w)
    if not np.isfinite(v).all():
        return np.full_like(v, np.nan)
    v = v - v.max()  # this shifts t only, and large numbers keep their digits
    descending = np.sort(v)[::-1]
    threshold = (np.cumsum(descending) - total) / np.arange(1, v.size + 1)
    k = np.flatnonzero(descending > threshold)[-1]
    return float64(np.maximum(v - threshold[k], 0.0))
