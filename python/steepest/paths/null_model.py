"""The null model, at which a path begins: the best intercepts, with all coefficients that are penalised at 0."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..constraints.sets import Box
from ..descent.minimize import minimize
from ..descent.stopping import GradientNorm
from ..descent.supervision import quiet
from ..objectives.data import DataObjective
from ..objectives.rounding import rounding_of_slopes
from ..optimizers.runner import StopReason
from ..quasi_newton.optimizer import QuasiNewton
from .factors import bounded, penalty_factors, pull

__all__ = ["NullModel", "null_model"]

Vector: TypeAlias = NDArray[np.float64]

_SHARE = 1e-12  # of the slopes, which the slope of the best intercept may have
_FACTOR = 4.0  # by which a penalty grows until it holds all coefficients at 0
_TRIES = 20
_EPOCHS = 1000


class NullModel(NamedTuple):
    """The best model without penalised coefficients.

    Attributes
    ----------
    w : array of shape (n_parameters,), the dtype of the objective
        The parameters: the intercepts, coefficients that are not penalised, and zeros.
    loss : float
        The mean loss.
    gradient : array of shape (n_parameters,), float64
        The gradient of the mean loss.
    n_passes : int
        The passes over the rows that it took.
    has_minimum : bool
        False where the loss was found to fall for ever as parameters without a penalty grow.
    """

    w: NDArray[Any]
    loss: float
    gradient: Vector
    n_passes: int
    has_minimum: bool = True

    @property
    def largest_slope(self) -> float:
        """The largest derivative by a parameter."""
        return float(np.abs(self.gradient).max())


def null_model(objective: DataObjective, positive: bool = False) -> NullModel:
    """Return the null model of an objective, whose coefficients must be at least 0 if `positive`, without a penalty.

    Most losses know the best constant, and one pass gives the gradient there. The others are minimised under a penalty
    that holds all coefficients at 0.
    """
    plain = objective.with_penalty(0.0, 0.0)
    w = plain.constant_model()
    found = _at(plain, w)
    free = penalty_factors(plain) == 0.0
    if not free.any():
        return found
    least = max(_SHARE * found.largest_slope, rounding_of_slopes(plain, 1e-5))
    left = found.gradient
    if positive:
        left = np.where(bounded(plain), pull(left, True), left)
    if np.abs(left[free]).max() <= least:
        return found
    return _refined(plain, found, Box(0.0, math.inf) if positive else None)


def _at(plain: DataObjective, w: NDArray[Any], passes: int = 0) -> NullModel:
    loss, gradient = plain.native.value_and_gradient(w)
    if not (np.isfinite(loss) and np.isfinite(gradient).all()):
        raise ValueError(
            "objective must have a finite value and gradient at the best intercept without coefficients, got "
            f"{loss:g} and a gradient of largest size {np.abs(gradient).max():g}; look for nan, infinity and huge "
            "numbers in X"
        )
    return NullModel(w, float(loss), gradient.astype(np.float64), passes + 1)


def _refined(plain: DataObjective, start: NullModel, constraint: Box | None) -> NullModel:
    """Minimise over what is not penalised, by a penalty so strong that no other coefficient leaves 0."""
    factors = penalty_factors(plain)
    coefficients = factors > 0.0
    alpha = _FACTOR * start.largest_slope / float(np.min(factors, where=coefficients, initial=np.inf))
    goal = GradientNorm(_SHARE * start.largest_slope)
    passes = start.n_passes
    for _ in range(_TRIES):
        with quiet():
            options: dict[str, Any] = {"stop": goal, "max_epochs": _EPOCHS, "constraint": constraint}
            result = minimize(plain.with_penalty(alpha, 1.0), start.w, QuasiNewton(), diagnose=False, **options)
        passes += result.n_epochs + 1
        w = result.w.ravel().astype(plain.dtype)
        if result.stop_reason == StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        if not w[coefficients].any():
            return _at(plain, w, passes)._replace(has_minimum=result.stop_reason != StopReason.SEPARABLE)
        alpha *= _FACTOR
    raise ValueError(f"objective must have a minimum over its intercepts, got none at a penalty of {alpha:g}")
