"""The reference softmax loss, with its gradient and its Hessian."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, elastic_net, float64, present_rows

__all__ = ["softmax", "softmax_hessian"]


def softmax(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    offset: ArrayLike | None = None,
    penalty_weight: ArrayLike | None = None,
) -> tuple[float, Array]:
    """Weighted mean cross-entropy ``log(sum_c e^z_c) - z_y`` of k scores per row, and its gradient.

    Parameters
    ----------
    X, y, w : arrays of shape (n, d), (n,) and (k, d), or (k, d + 1) with ``intercept``
        Rows, labels 0 ... k - 1, and a row of parameters for each class. The intercept is the last parameter of a row.
    sample_weight : array of shape (n,), optional
        Weights of the rows, by default ones. The loss is divided by their sum.
    intercept : bool
        Whether each class has an intercept, which is never penalised.
    alpha, l1_ratio : float
        Penalty ``alpha * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2)``.
    offset : array of shape (n, k), optional
        Numbers that are added to the scores.
    penalty_weight : array of shape (d,), optional
        Finite factors of the penalty of each column, by default ones.

    Returns
    -------
    value : float
        The whole objective, L1 term included.
    gradient : float64 array of the shape of w
        The gradient of the smooth part only: the loss and the L2 term.

    Examples
    --------
    >>> import numpy as np
    >>> from steepest import reference
    >>> value, gradient = reference.softmax([[1.0], [3.0]], [0.0, 1.0], np.zeros((2, 2)))
    >>> round(value, 6)
    0.693147
    >>> gradient
    array([[ 0.5,  0. ],
           [-0.5,  0. ]])
    """
    A, y, w, s, o = _arrays(X, y, w, sample_weight, offset, intercept)
    z = A @ w.T + o
    labels = y[:, np.newaxis] == np.arange(len(w))
    # log(sum_c e^(z_c - z_y)). The label itself adds 1 to the sum, so log1p keeps the digits of a well-classified row.
    above = z - z[labels][:, np.newaxis]
    largest = above.max(axis=1)
    others = np.where(labels, 0.0, np.exp(above - largest[:, np.newaxis])).sum(axis=1)
    small = np.log1p(np.where(largest == 0, others, 0.0))
    values = np.where(largest == 0, small, largest + np.log(np.exp(-largest) + others))
    slopes = probabilities(z)
    slopes[labels] = -np.where(labels, 0.0, slopes).sum(axis=1)
    penalty, slope, _ = elastic_net(w, intercept, alpha, l1_ratio, penalty_weight)
    gradient = (s[:, np.newaxis] * slopes).T @ A / s.sum() + slope
    return float((s * values).sum() / s.sum() + penalty), float64(gradient)


def softmax_hessian(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    offset: ArrayLike | None = None,
    penalty_weight: ArrayLike | None = None,
) -> Array:
    """Hessian of the smooth part of `softmax` at w: a float64 array of shape (w.size, w.size).

    Its rows and columns follow ``w.ravel()``: all parameters of class 0, then those of class 1, and so on.

    Examples
    --------
    >>> import numpy as np
    >>> from steepest import reference
    >>> reference.softmax_hessian([[1.0], [3.0]], [0.0, 1.0], np.zeros((2, 1)), intercept=False)
    array([[ 1.25, -1.25],
           [-1.25,  1.25]])
    """
    A, _, w, s, o = _arrays(X, y, w, sample_weight, offset, intercept)
    p = probabilities(A @ w.T + o)
    curvature = p[:, :, np.newaxis] * (np.eye(len(w)) - p[:, np.newaxis, :]) * (s / s.sum())[:, np.newaxis, np.newaxis]
    blocks = np.einsum("iab,ij,ik->ajbk", curvature, A, A, optimize=True)
    ridge = elastic_net(w, intercept, alpha, l1_ratio, penalty_weight)[2]
    return float64(blocks.reshape(w.size, w.size) + np.diag(ridge.ravel()))


def probabilities(z: Array) -> Array:
    """Return the probabilities of the classes, of shape (n, k), from scores of the same shape."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return float64(e / e.sum(axis=1, keepdims=True))


def _arrays(
    X: ArrayLike, y: ArrayLike, w: ArrayLike, s: ArrayLike | None, offset: ArrayLike | None, intercept: bool
) -> tuple[Array, Array, Array, Array, Array]:
    A, y, s, o = present_rows(float64(X), float64(y), s, offset)
    A = np.column_stack([A, np.ones(len(y))]) if intercept else A
    return A, y, float64(w), s, o if o.ndim == 2 else o[:, np.newaxis]
