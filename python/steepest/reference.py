"""The NumPy twin of every loss and update rule: slow, obvious, and what every kernel is held against.

Everything is computed in float64 whatever comes in, and nothing is changed in place. The formulas are those of the
recurrences in the documentation of each optimizer; ``epsilon`` stands outside the root everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]
State: TypeAlias = dict[str, Array]

__all__ = [
    "adagrad",
    "adam",
    "gradient_descent",
    "least_squares",
    "least_squares_hessian",
    "logistic",
    "logistic_hessian",
    "momentum",
    "rmsprop",
    "soft_threshold",
]


def least_squares(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
) -> tuple[float, Array]:
    """Weighted mean squared error with an elastic-net penalty, and its gradient.

    Parameters
    ----------
    X, y, w : arrays of shape (n, d), (n,) and (d,), or (d + 1,) with ``intercept``
        Rows, targets and parameters; the intercept stands last.
    sample_weight : array of shape (n,), optional
        Ones if not given; the loss is divided by their sum.
    intercept : bool
        Whether the last parameter is an intercept, which is never penalised.
    alpha, l1_ratio : float
        Penalty ``alpha * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2)``.

    Returns
    -------
    value : float
        The whole objective, L1 term included.
    gradient : float64 array of the shape of w, of the smooth part only (the loss and the L2 term)
    """
    return _objective(_LEAST_SQUARES, *_arrays(X, y, w, sample_weight), intercept, alpha, l1_ratio)


def logistic(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
) -> tuple[float, Array]:
    """Weighted mean logistic loss ``log(1 + e^z) - y z`` for y in {0, 1}, and its gradient.

    Parameters and returns are those of `least_squares`. No score overflows.
    """
    return _objective(_LOGISTIC, *_arrays(X, y, w, sample_weight), intercept, alpha, l1_ratio)


def least_squares_hessian(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
) -> Array:
    """Hessian of the smooth part of `least_squares` at w: a float64 array of shape (len(w), len(w))."""
    return _hessian(_LEAST_SQUARES, *_arrays(X, y, w, sample_weight), intercept, alpha, l1_ratio)


def logistic_hessian(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
) -> Array:
    """Hessian of the smooth part of `logistic` at w: a float64 array of shape (len(w), len(w))."""
    return _hessian(_LOGISTIC, *_arrays(X, y, w, sample_weight), intercept, alpha, l1_ratio)


def gradient_descent(
    w: ArrayLike, g: ArrayLike, state: State, t: int, learning_rate: float, *, l1: ArrayLike = 0.0
) -> tuple[Array, State]:
    """One step of plain gradient descent, ``w -= eta g``.

    Parameters
    ----------
    w, g : arrays of one shape
        Parameters and gradient.
    state : dict of arrays
        What the last step returned; ``{}`` at the start stands for zeros.
    t, learning_rate : int, float
        Number of this step (1, 2, ...) and its rate.
    l1 : float or array of the shape of w
        Strength of the L1 penalty of each parameter: its soft threshold is ``l1`` times the parameter's learning rate
        at rest, so that the penalised optimum is the fixed point of the rule.

    Returns
    -------
    w, state : float64 array, dict of float64 arrays
        After the step; the arguments are not changed.
    """
    w, g = _float64(w), _float64(g)
    return soft_threshold(w - learning_rate * g, learning_rate * _float64(l1)), {}


def momentum(
    w: ArrayLike,
    g: ArrayLike,
    state: State,
    t: int,
    learning_rate: float,
    momentum: float = 0.9,
    velocity: str = "sum",
    nesterov: bool = False,
    *,
    l1: ArrayLike = 0.0,
) -> tuple[Array, State]:
    """One step with momentum mu; see `gradient_descent` for what goes in and out.

    ``velocity`` is "sum" (``v = mu v + g; w -= eta v``), "average" (``v = mu v + (1 - mu) g; w -= eta v``) or "step"
    (``v = mu v - eta g; w += v``). ``nesterov`` goes with "sum": ``v = mu v + g; w -= eta (g + mu v)``.
    """
    w, g = _float64(w), _float64(g)
    v = state.get("velocity", np.zeros_like(w))
    if nesterov and velocity != "sum":
        raise ValueError(f'nesterov=True goes with velocity="sum", got velocity={velocity!r}')
    rate_at_rest = learning_rate if velocity == "average" else learning_rate / (1 - momentum)
    if velocity == "sum":
        v = momentum * v + g
        w = w - learning_rate * (g + momentum * v if nesterov else v)
    elif velocity == "average":
        v = momentum * v + (1 - momentum) * g
        w = w - learning_rate * v
    elif velocity == "step":
        v = momentum * v - learning_rate * g
        w = w + v
    else:
        raise ValueError(f'velocity must be "sum", "average" or "step", got {velocity!r}')
    return soft_threshold(w, rate_at_rest * _float64(l1)), {"velocity": v}


def adagrad(
    w: ArrayLike,
    g: ArrayLike,
    state: State,
    t: int,
    learning_rate: float = 1e-2,
    epsilon: float = 1e-10,
    *,
    l1: ArrayLike = 0.0,
) -> tuple[Array, State]:
    """One step of AdaGrad, ``G += g^2; w -= eta g / (sqrt(G) + eps)``; see `gradient_descent`."""
    w, g = _float64(w), _float64(g)
    G = state.get("squares", np.zeros_like(w)) + g**2
    rate = learning_rate / (np.sqrt(G) + epsilon)
    return soft_threshold(w - rate * g, rate * _float64(l1)), {"squares": G}


def rmsprop(
    w: ArrayLike,
    g: ArrayLike,
    state: State,
    t: int,
    learning_rate: float = 1e-3,
    rho: float = 0.9,
    epsilon: float = 1e-8,
    *,
    l1: ArrayLike = 0.0,
) -> tuple[Array, State]:
    """One step of RMSProp, ``G = rho G + (1 - rho) g^2; w -= eta g / (sqrt(G) + eps)``; see `gradient_descent`."""
    w, g = _float64(w), _float64(g)
    G = rho * state.get("squares", np.zeros_like(w)) + (1 - rho) * g**2
    rate = learning_rate / (np.sqrt(G) + epsilon)
    return soft_threshold(w - rate * g, rate * _float64(l1)), {"squares": G}


def adam(
    w: ArrayLike,
    g: ArrayLike,
    state: State,
    t: int,
    learning_rate: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    bias_correction: bool = True,
    weight_decay: float = 0.0,
    *,
    l1: ArrayLike = 0.0,
) -> tuple[Array, State]:
    """One step of Adam, or of AdamW where ``weight_decay > 0``; see `gradient_descent`.

    ``m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= eta mh / (sqrt(vh) + eps)`` with ``mh = m / (1 - b1^t)`` and
    ``vh = v / (1 - b2^t)``, or m and v themselves without ``bias_correction``. The decoupled decay
    ``w -= eta * weight_decay * w`` comes before the step.
    """
    w, g = _float64(w), _float64(g)
    w = w - learning_rate * weight_decay * w
    m = beta1 * state.get("mean", np.zeros_like(w)) + (1 - beta1) * g
    v = beta2 * state.get("squares", np.zeros_like(w)) + (1 - beta2) * g**2
    mh = m / (1 - beta1**t) if bias_correction else m
    vh = v / (1 - beta2**t) if bias_correction else v
    rate = learning_rate / (np.sqrt(vh) + epsilon)
    return soft_threshold(w - rate * mh, rate * _float64(l1)), {"mean": m, "squares": v}


def soft_threshold(w: ArrayLike, threshold: ArrayLike) -> Array:
    """Move each element of w towards 0 by its threshold (at least 0) but not past it: the proximal step of L1."""
    w = _float64(w)
    return _float64(np.sign(w) * np.maximum(np.abs(w) - _float64(threshold), 0.0))


class _Loss(NamedTuple):
    """A loss of the score z and the target y, with its first two derivatives in z."""

    value: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]
    curvature: Callable[[Array, Array], Array]


def _sigmoid(z: Array) -> Array:
    small = np.exp(-np.abs(z))
    return _float64(np.where(z >= 0, 1.0, small) / (1 + small))


_LEAST_SQUARES = _Loss(
    value=lambda z, y: (z - y) ** 2,
    slope=lambda z, y: 2 * (z - y),
    curvature=lambda z, y: np.full_like(z, 2.0),
)
_LOGISTIC = _Loss(
    # log(1 + e^z) - y z, written so that the loss of a well-classified row keeps its digits instead of cancelling.
    value=lambda z, y: y * np.logaddexp(0.0, -z) + (1 - y) * np.logaddexp(0.0, z),
    slope=lambda z, y: _sigmoid(z) - y,
    curvature=lambda z, y: _sigmoid(z) * _sigmoid(-z),
)


def _objective(
    loss: _Loss, X: Array, y: Array, w: Array, s: Array, intercept: bool, alpha: float, l1_ratio: float
) -> tuple[float, Array]:
    z = X @ w[: X.shape[1]] + (w[-1] if intercept else 0.0)
    r = s * loss.slope(z, y)
    gradient = np.append(X.T @ r, r.sum()) if intercept else X.T @ r
    v = w * _penalised(len(w), intercept)
    penalty = alpha * (l1_ratio * np.abs(v).sum() + (1 - l1_ratio) / 2 * (v**2).sum())
    return float((s * loss.value(z, y)).sum() / s.sum() + penalty), gradient / s.sum() + alpha * (1 - l1_ratio) * v


def _hessian(
    loss: _Loss, X: Array, y: Array, w: Array, s: Array, intercept: bool, alpha: float, l1_ratio: float
) -> Array:
    A = np.column_stack([X, np.ones(len(y))]) if intercept else X
    c = s * loss.curvature(A @ w, y)
    l2 = alpha * (1 - l1_ratio) * np.diag(_penalised(len(w), intercept))
    return _float64(A.T @ (c[:, np.newaxis] * A) / s.sum() + l2)


def _arrays(X: ArrayLike, y: ArrayLike, w: ArrayLike, s: ArrayLike | None) -> tuple[Array, Array, Array, Array]:
    y = _float64(y)
    return _float64(X), y, _float64(w), np.ones(len(y)) if s is None else _float64(s)


def _penalised(n_parameters: int, intercept: bool) -> Array:
    """Ones where the penalty acts, 0 for the intercept."""
    return _float64(np.arange(n_parameters) < n_parameters - intercept)


def _float64(array: ArrayLike) -> Array:
    return np.asarray(array, dtype=np.float64)
