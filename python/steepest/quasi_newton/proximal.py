"""Steps with an L1 penalty: the proximal point of a quadratic model, and orthant-wise directions."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..objectives.data import DataObjective
from ..objectives.penalty_weight import factors_of

__all__ = ["Kinks", "orthant_direction", "penalised", "proximal_point", "pseudo_gradient"]

Vector: TypeAlias = NDArray[np.float64]

_SWEEPS = (10, 20, 40, 80, 160, 320, 640, 1280, 2560)  # sweeps before each try of exact steps
_FEW_SWEEPS = _SWEEPS[:4]
_SOLVES = 10  # exact steps in a try, at most
_WORTH = 6.0  # a try pays if (number of free coordinates)^2 is at most this times sweeps times p
_TOLERANCE = 1e-12
_RIDGES = 1e-14, 1e-8  # fractions of the diagonal, for linearly dependent columns


class Kinks(NamedTuple):
    """Where an objective is not smooth: at parameters of 0.

    Attributes
    ----------
    l1 : float
        Factor of the L1 norm.
    penalised : array of shape (p,)
        The factor of each parameter in the norm; 0 for one that is not in it.
    positive : array of bool, shape (p,), or None
        Whether a parameter must be at least 0. None: no parameter must.
    """

    l1: float
    penalised: Vector
    positive: NDArray[np.bool_] | None = None

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return self.l1 > 0.0 or self.positive is not None

    def slopes(self) -> Vector:
        """Return the slope of the penalty of each parameter on both sides of 0."""
        return self.l1 * self.penalised

    def of(self, some: NDArray[Any]) -> Kinks:
        """Return those of some parameters."""
        return Kinks(self.l1, self.penalised[some], None if self.positive is None else self.positive[some])


def proximal_point(
    matrix: Vector,
    gradient: Vector,
    w: Vector,
    l1: Vector,
    exact: bool = True,
    positive: NDArray[np.bool_] | None = None,
) -> Vector:
    """Return the z that minimises gradient.(z - w) + (z - w).matrix(z - w) / 2 + sum l1 |z|.

    The method is coordinate descent over the coordinates that are not 0, and now and then over all coordinates
    (Friedman, Hastie, Tibshirani, "Regularization Paths for Generalized Linear Models via Coordinate Descent", Journal
    of Statistical Software 33, 2010). In between it solves exactly for the coordinates that are not 0, as a projected
    Newton method does (Bertsekas, "Projected Newton Methods for Optimization Problems with Simple Constraints", SIAM
    Journal on Control and Optimization 20, 1982).

    Parameters
    ----------
    matrix : array of shape (p, p), float64
        Positive definite.
    gradient, w, l1 : arrays of shape (p,), float64
        l1 is at least 0.
    exact : bool
        False ends the search after a few sweeps, each with a try of exact steps, at a z that is better than w.
    positive : array of bool, shape (p,), optional
        Which coordinates of z must be at least 0, as those of w are.
    """
    z = w
    lower = None if positive is None else np.where(positive, 0.0, -np.inf)
    held = l1 > 0.0 if positive is None else (l1 > 0.0) | positive
    for sweeps in _SWEEPS if exact else _FEW_SWEEPS:
        z, settled = _core.coordinate_descent(matrix, gradient, w, l1, z, sweeps, _TOLERANCE, lower)
        if settled:
            break
        if not exact or np.count_nonzero(z) ** 2 <= _WORTH * sweeps * len(z):
            z = _exact_steps(matrix, gradient, w, l1, z, held)
    return z


def _shrunk(v: Vector, threshold: Vector) -> Vector:
    """Move each element towards 0 by its threshold, but not past 0."""
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0))


def _exact_steps(matrix: Vector, gradient: Vector, w: Vector, l1: Vector, z: Vector, held: NDArray[np.bool_]) -> Vector:
    """Minimise the model over the coordinates that are not 0. A coordinate that reaches 0 stays there.

    Held coordinates, which have a kink or a bound at 0, are set to 0 if they would change their sign: all of them if
    that lowers the model, otherwise only the first one on the way.
    """

    def model(z: Vector) -> float:
        step = z - w
        return float(step @ gradient + 0.5 * step @ (matrix @ step) + l1 @ np.abs(z))

    value = model(z)
    for _ in range(_SOLVES):
        free = (z != 0) | ~held
        slope = (gradient + matrix @ (z - w) + l1 * np.sign(z))[free]
        direction = np.zeros_like(z)
        direction[free] = -_solved(matrix[np.ix_(free, free)], slope)
        crossing = held & (z * (z + direction) < 0)
        found = np.where(crossing, 0.0, z + direction)
        lower = model(found)
        if crossing.any() and not lower < value:
            shares = np.where(crossing, z / np.where(crossing, -direction, 1.0), np.inf)
            first = int(np.argmin(shares))
            found = z + shares[first] * direction
            found[first] = 0.0
            lower = model(found)
        if not lower < value:
            break
        z, value = found, lower
    return z


def _solved(matrix: Vector, right: Vector) -> Vector:
    """Solve a linear system with the smallest ridge that makes the matrix definite."""
    for ridge in _RIDGES:
        factor = _core.Cholesky(matrix, ridge)
        if factor.definite:
            return np.asarray(factor.solve(right))
    return right / np.diag(matrix)


def pseudo_gradient(gradient: Vector, w: Vector, l1: Vector, positive: NDArray[np.bool_] | None = None) -> Vector:
    """Return the smallest subgradient of the smooth part plus sum l1 |w|.

    At a parameter of 0 that must be positive, it leaves out what would lead below 0.
    """
    found = np.where(w == 0, _shrunk(gradient, l1), gradient + l1 * np.sign(w))
    return found if positive is None else np.where(positive & (w == 0) & (found > 0), 0.0, found)


def orthant_direction(direction: Vector, pseudo: Vector) -> Vector:
    """Return the direction, with 0 in each coordinate in which it does not go down."""
    return np.where(direction * pseudo < 0, direction, 0.0)


def penalised(objective: DataObjective) -> Vector:
    """Return the factor of the penalty for each coefficient, mostly 1, and 0 for each intercept."""
    row = np.append(factors_of(objective), np.zeros(int(objective.intercept)))
    return np.tile(row, objective.n_parameters // row.size)
