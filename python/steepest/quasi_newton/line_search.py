"""Backtracking line search, with points in the objective's own dtype."""

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
_NOTHING = 1e-7  # times the noise: a smaller predicted change is not worth a try
_FALL = 0.99  # factor by which the gradient norm must fall where rounding hides the values


@dataclass
class Iterate:
    """A point w in the objective's dtype, with what was evaluated there.

    ``value`` belongs to the whole objective, ``gradient`` to its smooth part. ``norm`` is the gradient's norm; with an
    L1 penalty it is the norm of the smallest subgradient.
    """

    w: NDArray[Any]
    value: float
    gradient: Vector
    norm: float

    @classmethod
    def at(cls, native: Any, w: NDArray[Any], value: float, gradient: NDArray[Any]) -> Iterate:
        """Return the iterate at w, from the value and the gradient that a native objective found there."""
        return cls(w, float(value), np.asarray(gradient, dtype=np.float64), float(native.gradient_norm(w, gradient)))


def backtrack(
    iterate: Iterate,
    along: Callable[[float], NDArray[Any]],
    slope: float,
    evaluate: Callable[[NDArray[Any]], Iterate],
    noise: float,
) -> Iterate | None:
    """Return a point of sufficient decrease, or None if rounding allows none.

    Armijo, "Minimization of Functions Having Lipschitz Continuous First Partial Derivatives", Pacific Journal of
    Mathematics 16, 1966.

    Parameters
    ----------
    iterate : Iterate
        The start.
    along : callable
        Takes a fraction of the full step, first 1, and returns the point there.
    slope : float
        Predicted change of the objective over the full step, below 0.
    evaluate : callable
        Takes a point and returns the iterate there.
    noise : float
        Rounding error of a value.
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
            if abs(share * slope) <= noise:  # rounding hides the values: the gradient decides
                return found if change <= noise and found.norm < _FALL * iterate.norm else None
        fall = change - share * slope
        shorter = -0.5 * slope * share / fall if math.isfinite(fall) and fall > 0 else 0.1
        share *= min(max(shorter, 0.1), 0.5)
    return None
