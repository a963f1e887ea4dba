"""Steps with an L1 penalty: orthant-wise directions and the smallest subgradient."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective

__all__ = ["orthant_direction", "penalised", "pseudo_gradient"]

Vector: TypeAlias = NDArray[np.float64]


def _shrunk(v: Vector, threshold: Vector) -> Vector:
    """Move each element towards 0 by its threshold, but not past 0."""
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0))


def pseudo_gradient(gradient: Vector, w: Vector, l1: Vector) -> Vector:
    """Return the smallest subgradient of the smooth part plus sum l1 |w|."""
    return np.where(w == 0, _shrunk(gradient, l1), gradient + l1 * np.sign(w))


def orthant_direction(direction: Vector, pseudo: Vector) -> Vector:
    """Return the direction, with 0 in each coordinate in which it does not go down."""
    return np.where(direction * pseudo < 0, direction, 0.0)


def penalised(objective: DataObjective) -> Vector:
    """Return 1 for each coefficient and 0 for each intercept."""
    row = np.append(np.ones(objective.n_features), np.zeros(int(objective.intercept)))
    return np.tile(row, objective.n_parameters // row.size)
