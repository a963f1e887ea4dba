"""Backtracking along a direction, in what arithmetic the objective has."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Iterate", "backtrack"]

Vector: TypeAlias = NDArray[np.float64]

_ARMIJO = 1e-4
_MOST_TRIES = 30
_NOTHING = 1e-7  # of the noise is no change worth a try
_FALL = 0.99  # of the gradient, where it alone tells


@dataclass
class Iterate:
    """A point in the objective's dtype, the whole objective and the smooth part's gradient there, and its norm."""

    w: NDArray[Any]
    value: float
    gradient: Vector
    norm: float

    @classmethod
    def at(cls, native: Any, w: NDArray[Any], value: float, gradient: NDArray[Any]) -> Iterate:
        """Make one of what a native objective found at w."""
        return cls(w, float(value), np.asarray(gradient, dtype=np.float64), float(native.gradient_norm(w, gradient)))


def backtrack(
    iterate: Iterate,
    along: Callable[[float], NDArray[Any]],
    slope: float,
    evaluate: Callable[[NDArray[Any]], Iterate],
    noise: float,
) -> Iterate | None:
    """Find a point with sufficient decrease (Armijo); None where rounding allows none.

    Parameters
    ----------
    iterate : Iterate
        Where to start.
    along : callable
        Share of the whole step, 1 first, to the point there.
    slope : float
        Predicted change of the objective over the whole step, below 0.
    evaluate : callable
        Evaluates a point.
    noise : float
        Rounding of a value.
    """
    if -slope <= _NOTHING * noise:
        return None
    share = 1.0
    for _ in range(_MOST_TRIES):
        found = evaluate(along(share))
        change = found.value - iterate.value
        if math.isfinite(change):
            if change <= _ARMIJO * share * slope:
                return found
            if abs(share * slope) <= noise:  # the values say nothing any more: let the gradient decide
                return found if change <= noise and found.norm < _FALL * iterate.norm else None
        fall = change - share * slope
        shorter = -0.5 * slope * share / fall if math.isfinite(fall) and fall > 0 else 0.1
        share *= min(max(shorter, 0.1), 0.5)
    return None
