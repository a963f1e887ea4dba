"""Backtracking line search, with points in the objective's own dtype."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import dot

__all__ = ["NOISE", "NOTHING", "Iterate", "backtrack"]

Vector: TypeAlias = NDArray[np.float64]

_ARMIJO = 1e-4
_MOST_TRIES = 30
NOISE = 4.0  # units of the last place of a value
NOTHING = 1e-7  # times the noise: a smaller predicted change is not worth a try
_SLACK = 4.0  # times the noise that a value may rise by where slopes decide
_FLATTER = 0.9  # of the slope at the start: a line may rise by so much at its end
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
    by_slopes: bool = False,
) -> Iterate | None:
    """Return a point of sufficient decrease, or None if rounding allows none.

    Armijo, "Minimization of Functions Having Lipschitz Continuous First Partial Derivatives", Pacific Journal of
    Mathematics 16, 1966. By slopes: Hager, Zhang, "A New Conjugate Gradient Method with Guaranteed Descent and an
    Efficient Line Search", SIAM Journal on Optimization 16, 2005.

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
    by_slopes : bool
        Whether, where rounding hides the values, a point will do beyond which the line does not rise steeply. The
        gradient may be larger there, although the step leads to the minimum.
    """
    if -slope <= NOTHING * noise:
        return None
    share = 1.0
    for _ in range(_MOST_TRIES):
        found = evaluate(along(share))
        change = found.value - iterate.value
        if math.isfinite(change):
            if change <= _ARMIJO * share * slope:
                return found
            if abs(share * slope) <= noise:  # rounding hides the values: the gradient decides
                if change > (_SLACK if by_slopes else 1.0) * noise:
                    return None
                rise = _slope_at(iterate, found) if by_slopes else math.inf
                if found.norm < _FALL * iterate.norm or rise <= -_FLATTER * share * slope:
                    return found
                if not math.isfinite(rise):
                    return None
                share *= max(share * slope / (share * slope - rise), 0.1)
                continue
        fall = change - share * slope
        shorter = -0.5 * slope * share / fall if math.isfinite(fall) and fall > 0 else 0.1
        share *= min(max(shorter, 0.1), 0.5)
    return None


def _slope_at(iterate: Iterate, found: Iterate) -> float:
    """Return the slope, at the end, of the line from one point to another."""
    return float(dot(np.subtract(found.w, iterate.w, dtype=np.float64), found.gradient))
