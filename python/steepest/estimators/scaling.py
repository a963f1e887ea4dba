"""Implicit standardisation: the statistics of columns, and parameters between their units and the original ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..scaling import column_statistics, unscaled

__all__ = ["Columns", "Scaling", "may_be_far_from_zero"]

Vector = NDArray[np.float64]
_LOOKED_AT = 256  # rows
_FAR = 30.0  # deviations
_AWAY = 1e200  # what rounding leaves of a centred column that never changes must not look like one that does


@dataclass(frozen=True)
class Columns:
    """Mean and variance of columns over rows of a total weight: float64, shape (n_features,)."""

    weight: float
    mean: Vector
    variance: Vector

    @classmethod
    def of(cls, X: NDArray[Any], sample_weight: NDArray[Any] | None) -> Columns:
        """Measure them, in one pass over X."""
        mean, deviation = column_statistics(X, sample_weight)
        weight = float(len(X)) if sample_weight is None else float(sample_weight.sum(dtype=np.float64))
        return cls(weight, mean, deviation**2)

    def with_more(self, other: Columns) -> Columns:
        """Return those of both sets of rows (Chan, Golub, LeVeque 1983)."""
        weight = self.weight + other.weight
        share, apart = other.weight / weight, other.mean - self.mean
        variance = (1 - share) * self.variance + share * other.variance + share * (1 - share) * apart**2
        return Columns(weight, self.mean + share * apart, variance)

    def scaling(self, intercept: bool) -> Scaling:
        """Return what standardises the columns; without an intercept to make up for it they are not centred.

        A column that never changes is scaled away beside an intercept, and keeps its scale without one.
        """
        deviation = np.sqrt(self.variance)
        changes = deviation > 10 * np.finfo(np.float64).eps * np.abs(self.mean)
        scale = np.where(changes, deviation, _AWAY if intercept else 1.0)
        return Scaling(self.mean if intercept else np.zeros_like(self.mean), scale)

    def are_far_from_zero(self) -> bool:
        """Return whether some column's mean is many deviations from zero.

        Beside an intercept such columns are nearly alike, which leaves few digits for what they differ by.
        """
        return bool((np.abs(self.mean) > _FAR * np.sqrt(self.variance)).any())

    def centring(self) -> Scaling:
        """Return what takes the columns' means away, and nothing else."""
        return Scaling(self.mean, np.ones_like(self.mean))


def may_be_far_from_zero(X: NDArray[Any]) -> bool:
    """Return whether `Columns.are_far_from_zero` is worth asking, by some of the rows."""
    some = X[:: max(1, len(X) // _LOOKED_AT)].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((np.abs(some.mean(axis=0)) > _FAR * some.std(axis=0)).any())


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
