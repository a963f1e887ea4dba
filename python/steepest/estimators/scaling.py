"""Implicit standardisation: the scaling of columns, and the conversion of parameters to and from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.columns import Columns
from ..objectives.scaling import LARGEST_SHIFT, unscaled

__all__ = ["Scaling", "centring", "standardising"]

Vector = NDArray[np.float64]
_AWAY = 1e200  # scale of a constant column: what rounding leaves of it when centred becomes 0


def standardising(columns: Columns, intercept: bool) -> Scaling:
    """Return the scaling to mean 0 and deviation 1. Without an intercept, columns are not centred.

    With an intercept, a constant column is scaled to 0. Without one, it is not scaled.
    """
    changes = columns.deviation > 10 * np.finfo(np.float64).eps * np.abs(columns.mean)
    scale = np.where(changes, columns.deviation, _AWAY if intercept else 1.0)
    return Scaling(columns.mean if intercept else np.zeros_like(columns.mean), scale)


def centring(columns: Columns, rescales: bool) -> Scaling:
    """Return the scaling that centres the columns. With ``rescales``, their deviations become about 1."""
    return Scaling(columns.mean, columns.powers_of_two() if rescales else np.ones_like(columns.mean))


@dataclass(frozen=True)
class Scaling:
    """The columns (x - centre) / scale. Both arrays are float64 of shape (n_features,)."""

    centre: Vector
    scale: Vector

    def loses_digits(self, dtype: np.dtype[Any]) -> bool:
        """Return whether sums over raw columns of a dtype, from which those over scaled ones are made, lose digits."""
        return not float(np.linalg.norm(self.centre / self.scale)) <= LARGEST_SHIFT[dtype.itemsize]

    def told_far(self, dtype: np.dtype[Any]) -> str:
        """Return an error's text: the column that is farthest from zero, and what to do."""
        far = np.abs(self.centre / self.scale)
        at, most = int(np.argmax(far)), LARGEST_SHIFT[dtype.itemsize]
        return (
            f"X must have columns whose means are at most {most:,.0f} deviations from zero (the norm over all columns) "
            f"if it is a sparse {dtype.name} matrix of so many columns, got {far[at]:,.0f} in column {at}; subtract "
            "the mean from such columns" + ", or convert X to float64" * (dtype.itemsize < 8)
        )

    def to_scaled(self, coefficients: Vector, intercepts: Vector) -> tuple[Vector, Vector]:
        """Convert coefficients of shape (k, n_features) and k intercepts to those of the standardised columns."""
        kept = np.where(self.scale == _AWAY, 0.0, self.scale)
        return coefficients * kept, intercepts + coefficients @ self.centre

    def to_original(self, coefficients: Vector, intercepts: Vector) -> tuple[Vector, Vector]:
        """Convert coefficients of shape (k, n_features) and k intercepts to those of the original columns."""
        found = [unscaled(w, self.centre, self.scale, b) for w, b in zip(coefficients, intercepts, strict=True)]
        return np.array([w for w, _ in found]), np.array([b for _, b in found])
