"""Steps where an objective has kinks or bounds at 0: orthant-wise directions and the smallest subgradient."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.penalty_weight import factors_of

__all__ = ["Kinks", "orthant_direction", "penalised", "pseudo_gradient"]

Vector: TypeAlias = NDArray[np.float64]


class Kinks(NamedTuple):
    """Where an objective is not smooth: at parameters of 0.

    Attributes
    ----------
    l1 : float
        Factor of the L1 norm.
    penalised : array of shape (p,)
        The factor of each parameter in the norm; 0 for one that is not in it. Without kinks it is empty.
    positive : array of bool, shape (p,), or None
        Whether a parameter must be at least 0. None: no parameter must.
    """

    l1: float
    penalised: Vector
    positive: NDArray[np.bool_] | None = None

    @classmethod
    def of_objective(cls, objective: DataObjective, positive: NDArray[np.bool_] | None) -> Kinks:
        """Return those of an objective. If there are none, no factor is made."""
        l1 = objective.penalty.l1
        return cls(l1, penalised(objective) if l1 > 0.0 or positive is not None else np.empty(0), positive)

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return self.l1 > 0.0 or self.positive is not None

    def slopes(self) -> Vector:
        """Return the slope of the penalty of each parameter on both sides of 0."""
        return self.l1 * self.penalised

    def of(self, some: NDArray[Any]) -> Kinks:
        """Return those of some parameters."""
        return Kinks(self.l1, self.penalised[some], None if self.positive is None else self.positive[some])


def _shrunk(v: Vector, threshold: Vector) -> Vector:
    """Move each element towards 0 by its threshold, but not past 0."""
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0))


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
