"""The NumPy twin of every constraint: the nearest point of its set."""

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
        Any point; a nan stays one.
    lower, upper : float or array of the shape of w
        Bounds, of which ``lower <= upper``; -inf and inf for none.

    Returns
    -------
    w : float64 array
    """
    return float64(np.minimum(np.maximum(float64(w), float64(lower)), float64(upper)))


def project_simplex(w: ArrayLike, total: float = 1.0) -> Array:
    """Return the point with ``w >= 0`` and the sum ``total`` that is nearest to w (Duchi et al. 2008, figure 1).

    It is ``max(w - t, 0)``, where t lowers the k largest elements to the sum ``total``: as many as all stay above 0.

    Parameters
    ----------
    w : array of shape (d,)
        Any point of finite numbers; what is nearest to others is not known, and all become nan.
    total : float
        The sum, above 0.

    Returns
    -------
    w : float64 array of shape (d,)
    """
    v = float64(w)
    if not np.isfinite(v).all():
        return np.full_like(v, np.nan)
    v = v - v.max()  # which moves the t alone, and keeps the digits of large numbers
    descending = np.sort(v)[::-1]
    threshold = (np.cumsum(descending) - total) / np.arange(1, v.size + 1)
    k = np.flatnonzero(descending > threshold)[-1]
    return float64(np.maximum(v - threshold[k], 0.0))
