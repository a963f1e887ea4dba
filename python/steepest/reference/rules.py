"""The reference update rules: the recurrences in the documentation of each optimizer.

Every rule adds ``epsilon`` outside the square root.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, float64

State: TypeAlias = dict[str, Array]

__all__ = ["State", "adagrad", "adam", "gradient_descent", "lazy_adam", "momentum", "rmsprop", "soft_threshold"]


def gradient_descent(
    w: ArrayLike, g: ArrayLike, state: State, t: int, learning_rate: float, *, l1: ArrayLike = 0.0
) -> tuple[Array, State]:
    """One step of plain gradient descent, ``w -= eta g``.

    Parameters
    ----------
    w, g : arrays of one shape
        Parameters and gradient.
    state : dict of arrays
        The state that the last step returned. Before the first step it is ``{}``, which means zeros.
    t, learning_rate : int, float
        Number of this step (1, 2, ...) and its learning rate.
    l1 : float or array of the shape of w
        Strength of the L1 penalty of each parameter. The soft threshold of a parameter is ``l1`` times its learning
        rate at rest, which makes the penalised optimum the fixed point of the rule.

    Returns
    -------
    w, state : float64 array, dict of float64 arrays
        Parameters and state after the step. The arguments are not changed.

    Examples
    --------
    >>> from steepest import reference
    >>> w, state = reference.gradient_descent([1.0, -2.0], [2.0, -4.0], {}, 1, 0.25)
    >>> w, state
    (array([ 0.5, -1. ]), {})
    """
    w, g = float64(w), float64(g)
    return soft_threshold(w - learning_rate * g, learning_rate * float64(l1)), {}


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
    """One step with momentum mu. The other arguments and the return values are those of `gradient_descent`.

    ``velocity`` is "sum" (``v = mu v + g; w -= eta v``), "average" (``v = mu v + (1 - mu) g; w -= eta v``) or "step"
    (``v = mu v - eta g; w += v``). ``nesterov`` needs "sum": ``v = mu v + g; w -= eta (g + mu v)``.

    Examples
    --------
    >>> from steepest import reference
    >>> w, state = reference.momentum([1.0], [2.0], {}, 1, 0.125, momentum=0.5)
    >>> w, state
    (array([0.75]), {'velocity': array([2.])})
    >>> reference.momentum(w, [1.0], state, 2, 0.125, momentum=0.5)
    (array([0.5]), {'velocity': array([2.])})
    """
    w, g = float64(w), float64(g)
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
    return soft_threshold(w, rate_at_rest * float64(l1)), {"velocity": v}


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
    """One step of AdaGrad: ``G += g^2; w -= eta g / (sqrt(G) + eps)``.

    The other arguments and the return values are those of `gradient_descent`.

    Examples
    --------
    >>> from steepest import reference
    >>> w, state = reference.adagrad([1.0], [2.0], {}, 1, 0.1)
    >>> w.round(6), state
    (array([0.9]), {'squares': array([4.])})
    """
    w, g = float64(w), float64(g)
    G = state.get("squares", np.zeros_like(w)) + g**2
    rate = _scaled_rate(learning_rate, np.sqrt(G) + epsilon)
    return soft_threshold(w - rate * g, rate * float64(l1)), {"squares": G}


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
    """One step of RMSProp: ``G = rho G + (1 - rho) g^2; w -= eta g / (sqrt(G) + eps)``.

    The other arguments and the return values are those of `gradient_descent`.

    Examples
    --------
    >>> from steepest import reference
    >>> w, state = reference.rmsprop([1.0], [2.0], {}, 1, 0.1, rho=0.75)
    >>> w.round(6), state
    (array([0.8]), {'squares': array([1.])})
    """
    w, g = float64(w), float64(g)
    G = rho * state.get("squares", np.zeros_like(w)) + (1 - rho) * g**2
    rate = _scaled_rate(learning_rate, np.sqrt(G) + epsilon)
    return soft_threshold(w - rate * g, rate * float64(l1)), {"squares": G}


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
    """One step of Adam, or of AdamW if ``weight_decay > 0``.

    ``m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= eta mh / (sqrt(vh) + eps)`` with ``mh = m / (1 - b1^t)`` and
    ``vh = v / (1 - b2^t)``. Without ``bias_correction``, mh and vh are m and v. The decoupled decay
    ``w -= eta * weight_decay * w`` comes before the step. The other arguments and the return values are those of
    `gradient_descent`.

    Examples
    --------
    >>> from steepest import reference
    >>> w, state = reference.adam([1.0], [2.0], {}, 1, 0.1)
    >>> w.round(6), sorted(state)
    (array([0.9]), ['mean', 'squares'])
    """
    w, g = float64(w), float64(g)
    w = w - learning_rate * weight_decay * w
    m = beta1 * state.get("mean", np.zeros_like(w)) + (1 - beta1) * g
    v = beta2 * state.get("squares", np.zeros_like(w)) + (1 - beta2) * g**2
    mh = m / (1 - beta1**t) if bias_correction else m
    vh = v / (1 - beta2**t) if bias_correction else v
    rate = _scaled_rate(learning_rate, np.sqrt(vh) + epsilon)
    return soft_threshold(w - rate * mh, rate * float64(l1)), {"mean": m, "squares": v}


def lazy_adam(
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
    touched: ArrayLike = True,
) -> tuple[Array, State]:
    """One step of `adam` of the parameters that are ``touched``; the others and their state stay as they are.

    ``touched`` is a bool or an array of bools of the shape of w. The other arguments and the return values are those of
    `adam`.

    Examples
    --------
    >>> from steepest import reference
    >>> w, state = reference.lazy_adam([1.0, 1.0], [2.0, 2.0], {}, 1, 0.1, touched=[True, False])
    >>> w.round(6), state["mean"].round(6)
    (array([0.9, 1. ]), array([0.2, 0. ]))
    """
    moved, after = adam(w, g, state, t, learning_rate, beta1, beta2, epsilon, bias_correction, weight_decay, l1=l1)
    before = {name: state.get(name, np.zeros_like(moved)) for name in after}
    return (
        float64(np.where(touched, moved, float64(w))),
        {name: float64(np.where(touched, after[name], before[name])) for name in after},
    )


def _scaled_rate(learning_rate: float, below: Array) -> Array:
    """Return learning_rate / below, or 0 if ``below`` is 0 or the quotient overflows: that coordinate does not move.

    A ``below`` that is nan or infinite gives nan, because squares of gradients have overflowed.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rate = learning_rate / below
        return float64(np.where((below == 0) | np.isinf(rate), 0.0, rate) + (below - below))


def soft_threshold(w: ArrayLike, threshold: ArrayLike) -> Array:
    """Move each element of w towards 0 by its threshold, but not past 0: the proximal step of the L1 penalty.

    Parameters
    ----------
    w : array
        Parameters.
    threshold : float or array of the shape of w
        Distance to move, at least 0.

    Returns
    -------
    w : float64 array

    Examples
    --------
    >>> from steepest import reference
    >>> reference.soft_threshold([-3.0, 0.5, 2.0], 1.0)
    array([-2.,  0.,  1.])
    """
    w = float64(w)
    return float64(np.sign(w) * np.maximum(np.abs(w) - float64(threshold), 0.0))
