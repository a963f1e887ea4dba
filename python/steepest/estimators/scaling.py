"""Implicit standardisation: the statistics of columns, and parameters between their units and the original ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..objectives.columns import Columns
from ..objectives.scaling import unscaled

__all__ = ["Scaling", "centring", "standardising"]

Vector = NDArray[np.float64]
_AWAY = 1e200  # what rounding leaves of a centred column that never changes must not look like one that does


def standardising(columns: Columns, intercept: bool) -> Scaling:
    """Return what standardises the columns; without an intercept to make up for it they are not centred.

    A column that never changes is scaled away beside an intercept, and keeps its scale without one.
    """
    deviation = np.sqrt(columns.variance)
    changes = deviation > 10 * np.finfo(np.float64).eps * np.abs(columns.mean)
    scale = np.where(changes, deviation, _AWAY if intercept else 1.0)
    return Scaling(columns.mean if intercept else np.zeros_like(columns.mean), scale)


def centring(columns: Columns, rescales: bool) -> Scaling:
    """Return what takes the columns' means away, and where they may be rescaled makes their deviations about 1."""
    return Scaling(columns.mean, columns.powers_of_two() if rescales else np.ones_like(columns.mean))


@dataclass(frozen=True)
class Scaling:
    """Columns (x - centre) / scale: float64, shape (n_features,)."""

    centre: Vector
    scale: Vector

    def to_scaled(self, coefficients: Vector, intercepts: Vector) -> tuple[Vector, Vector]:
        """Take coefficients of shape (k, n_features) and k intercepts to the standardised columns."""
        kept = np.where(self.scale == _AWAY, 0.0, self.scale)
        return coefficients * kept, intercepts + coefficients @ self.centre

    def to_original(self, coefficients: Vector, intercepts: Vector) -> tuple[Vector, Vector]:
        """Take coefficients of shape (k, n_features) and k intercepts of standardised columns to the original ones."""
        found = [unscaled(w, self.centre, self.scale, b) for w, b in zip(coefficients, intercepts, strict=True)]
        return np.array([w for w, _ in found]), np.array([b for _, b in found])
