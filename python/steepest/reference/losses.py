"""The reference losses of one score per row, with their gradients and Hessians."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, elastic_net, float64, present_rows

__all__ = [
    "huber",
    "huber_hessian",
    "least_squares",
    "least_squares_hessian",
    "logistic",
    "logistic_hessian",
    "poisson",
    "poisson_hessian",
]


P = ParamSpec("P")
R = TypeVar("R")


def _with_signature_of(model: Callable[P, R]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Give a function the signature and the defaults of another one. It gets all arguments by their names."""
    signature = inspect.signature(model)

    def decorate(function: Callable[..., R]) -> Callable[P, R]:
        @functools.wraps(function)
        def called(*arguments: P.args, **options: P.kwargs) -> R:
            given = signature.bind(*arguments, **options)
            given.apply_defaults()
            return function(**given.arguments)

        called.__signature__ = signature.replace(  # type: ignore[attr-defined]
            return_annotation=inspect.signature(function).return_annotation
        )
        return called

    return decorate


def least_squares(
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
    """Weighted mean squared error with an elastic-net penalty, and its gradient.

    Parameters
    ----------
    X, y, w : arrays of shape (n, d), (n,) and (d,), or (d + 1,) with ``intercept``
        Rows, targets and parameters. The intercept is the last parameter.
    sample_weight : array of shape (n,), optional
        Weights of the rows, by default ones. The loss is divided by their sum.
    intercept : bool
        Whether the last parameter is an intercept, which is never penalised.
    alpha, l1_ratio : float
        Penalty ``alpha * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2)``.
    offset : array of shape (n,), optional
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
    >>> from steepest import reference
    >>> value, gradient = reference.least_squares([[1.0], [2.0]], [1.0, 4.0], [1.0, 0.0])
    >>> value, gradient
    (2.0, array([-4., -2.]))
    """
    return _objective(_LEAST_SQUARES, X, y, w, sample_weight, intercept, alpha, l1_ratio, offset, penalty_weight)


def least_squares_hessian(
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
    """Hessian of the smooth part of `least_squares` at w: a float64 array of shape (len(w), len(w)).

    Examples
    --------
    >>> from steepest import reference
    >>> reference.least_squares_hessian([[1.0], [3.0]], [0.0, 1.0], [0.0, 0.0])
    array([[10.,  4.],
           [ 4.,  2.]])
    """
    return _hessian(_LEAST_SQUARES, X, y, w, sample_weight, intercept, alpha, l1_ratio, offset, penalty_weight)


@_with_signature_of(least_squares)
def logistic(**given: Any) -> tuple[float, Array]:
    """Weighted mean logistic loss ``log(1 + e^z) - y z`` for y in {0, 1}, and its gradient.

    Parameters and return values are those of `least_squares`. No finite score overflows.

    Examples
    --------
    >>> from steepest import reference
    >>> value, gradient = reference.logistic([[1.0], [3.0]], [0.0, 1.0], [0.0, 0.0])
    >>> round(value, 6), gradient
    (0.693147, array([-0.5,  0. ]))
    """
    return _objective(_LOGISTIC, **given)


@_with_signature_of(least_squares_hessian)
def logistic_hessian(**given: Any) -> Array:
    """Hessian of the smooth part of `logistic` at w: a float64 array of shape (len(w), len(w)).

    Examples
    --------
    >>> from steepest import reference
    >>> reference.logistic_hessian([[1.0], [3.0]], [0.0, 1.0], [0.0, 0.0])
    array([[1.25, 0.5 ],
           [0.5 , 0.25]])
    """
    return _hessian(_LOGISTIC, **given)


def huber(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    delta: float = 1.35,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    offset: ArrayLike | None = None,
    penalty_weight: ArrayLike | None = None,
) -> tuple[float, Array]:
    """Weighted mean of Huber's loss, ``r^2`` up to delta and ``2 delta |r| - delta^2`` beyond, and its gradient.

    r is z - y. The other parameters and returns are those of `least_squares`.

    Examples
    --------
    >>> from steepest import reference
    >>> reference.huber([[1.0], [1.0]], [0.5, 9.0], [0.0], delta=1.0, intercept=False)
    (8.625, array([-1.5]))
    """
    return _objective(_huber(delta), X, y, w, sample_weight, intercept, alpha, l1_ratio, offset, penalty_weight)


def huber_hessian(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    delta: float = 1.35,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    offset: ArrayLike | None = None,
    penalty_weight: ArrayLike | None = None,
) -> Array:
    """Hessian of the smooth part of `huber` at w: a float64 array of shape (len(w), len(w)).

    Examples
    --------
    >>> from steepest import reference
    >>> reference.huber_hessian([[1.0], [1.0]], [0.5, 9.0], [0.0], delta=1.0, intercept=False)
    array([[1.]])
    """
    return _hessian(_huber(delta), X, y, w, sample_weight, intercept, alpha, l1_ratio, offset, penalty_weight)


@_with_signature_of(least_squares)
def poisson(**given: Any) -> tuple[float, Array]:
    """Weighted mean Poisson loss ``e^z - y z`` for y of at least 0, and its gradient.

    Parameters and return values are those of `least_squares`. Where e^z overflows, the value is infinite.

    Examples
    --------
    >>> from steepest import reference
    >>> reference.poisson([[1.0], [2.0]], [0.0, 3.0], [0.0, 0.0])
    (1.0, array([-1.5, -0.5]))
    """
    return _objective(_POISSON, **given)


@_with_signature_of(least_squares_hessian)
def poisson_hessian(**given: Any) -> Array:
    """Hessian of the smooth part of `poisson` at w: a float64 array of shape (len(w), len(w)).

    Examples
    --------
    >>> from steepest import reference
    >>> reference.poisson_hessian([[1.0], [2.0]], [0.0, 3.0], [0.0, 0.0])
    array([[2.5, 1.5],
           [1.5, 1. ]])
    """
    return _hessian(_POISSON, **given)


class _Loss(NamedTuple):
    """A loss of the score z and the target y, with its first two derivatives in z."""

    value: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]
    curvature: Callable[[Array, Array], Array]


def _sigmoid(z: Array) -> Array:
    small = np.exp(-np.abs(z))
    return float64(np.where(z >= 0, 1.0, small) / (1 + small))


_LEAST_SQUARES = _Loss(
    value=lambda z, y: (z - y) ** 2,
    slope=lambda z, y: 2 * (z - y),
    curvature=lambda z, y: np.full_like(z, 2.0),
)
_LOGISTIC = _Loss(
    # This equals log(1 + e^z) - y z, but does not cancel, so the loss of a well-classified row keeps its digits.
    value=lambda z, y: y * np.logaddexp(0.0, -z) + (1 - y) * np.logaddexp(0.0, z),
    slope=lambda z, y: _sigmoid(z) - y,
    curvature=lambda z, y: _sigmoid(z) * _sigmoid(-z),
)


_POISSON = _Loss(
    value=lambda z, y: np.exp(z) - y * z,
    slope=lambda z, y: np.exp(z) - y,
    curvature=lambda z, y: np.exp(z),
)


def _huber(delta: float = 1.35) -> _Loss:
    return _Loss(
        value=lambda z, y: np.where(np.abs(z - y) <= delta, (z - y) ** 2, 2 * delta * np.abs(z - y) - delta**2),
        slope=lambda z, y: 2 * np.clip(z - y, -delta, delta),
        curvature=lambda z, y: np.where(np.abs(z - y) <= delta, 2.0, 0.0),
    )


FORMULAS: dict[str, Callable[..., _Loss]] = {
    "least_squares": lambda: _LEAST_SQUARES,
    "logistic": lambda: _LOGISTIC,
    "huber": _huber,
    "poisson": lambda: _POISSON,
}
"""The formulas of a loss, by its name, of its parameters."""


def _objective(
    loss: _Loss,
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    sample_weight: ArrayLike | None,
    intercept: bool,
    alpha: float,
    l1_ratio: float,
    offset: ArrayLike | None,
    penalty_weight: ArrayLike | None,
) -> tuple[float, Array]:
    X, y, s, o = present_rows(float64(X), float64(y), sample_weight, offset)
    w = float64(w)
    z = X @ w[: X.shape[1]] + (w[-1] if intercept else 0.0) + o
    r = s * loss.slope(z, y)
    gradient = np.append(X.T @ r, r.sum()) if intercept else X.T @ r
    penalty, slope, _ = elastic_net(w, intercept, alpha, l1_ratio, penalty_weight)
    return float((s * loss.value(z, y)).sum() / s.sum() + penalty), gradient / s.sum() + slope


def _hessian(
    loss: _Loss,
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    sample_weight: ArrayLike | None,
    intercept: bool,
    alpha: float,
    l1_ratio: float,
    offset: ArrayLike | None,
    penalty_weight: ArrayLike | None,
) -> Array:
    X, y, s, o = present_rows(float64(X), float64(y), sample_weight, offset)
    w = float64(w)
    A = np.column_stack([X, np.ones(len(y))]) if intercept else X
    c = s * loss.curvature(A @ w + o, y)
    ridge = elastic_net(w, intercept, alpha, l1_ratio, penalty_weight)[2]
    return float64(A.T @ (c[:, np.newaxis] * A) / s.sum() + np.diag(ridge))
