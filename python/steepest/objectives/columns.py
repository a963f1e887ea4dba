"""Where columns lie: their mean and deviation over rows, and whether they are far from zero or of extreme units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scaling import column_statistics

__all__ = ["LITTLE", "Columns", "are_far", "exponents_of", "may_be_extreme", "may_be_far_from_zero"]

Vector = NDArray[np.float64]
Exponents = NDArray[np.int64]
LITTLE = 1 << 16  # elements of data that are copied without a thought
_LOOKED_AT = 256  # rows
_BLOCK_ELEMENTS = 1 << 18
_FAR = 30.0  # deviations
# Powers of two within which sums of products of two columns, in the dtype of X, keep all their digits.
_SAFE = {4: 24, 8: 128}


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

    def powers_of_two(self) -> Vector:
        """Return the powers of two next above the deviations, 1 for a column that never changes."""
        deviation = np.sqrt(self.variance)
        exponents = np.clip(np.frexp(np.where(deviation > 0, deviation, 0.5))[1], -1021, 1023)
        return np.asarray(np.ldexp(1.0, exponents))

    def are_far_from_zero(self) -> bool:
        """Return whether some column's mean is many deviations from zero.

        Beside an intercept such columns are nearly alike, which leaves few digits for what they differ by.
        """
        return are_far(self.mean, np.sqrt(self.variance))


def are_far(mean: Any, deviation: Any) -> bool:
    """Return whether some mean is many deviations from zero."""
    return bool((np.abs(mean) > _FAR * deviation).any())


def _some_rows(X: NDArray[Any], n: int = _LOOKED_AT) -> NDArray[Any]:
    return X[:: max(1, len(X) // n)]


def may_be_far_from_zero(X: NDArray[Any], n: int = _LOOKED_AT) -> bool:
    """Return whether `Columns.are_far_from_zero` is worth asking, by about n of the rows."""
    some = _some_rows(X, n).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = some.mean(axis=0)
        some -= mean
        deviation = np.sqrt(np.einsum("ij,ij->j", some, some) / len(some))
        return are_far(mean, deviation)


def may_be_extreme(X: NDArray[Any]) -> bool:
    """Return whether the units of some column are so large or small that sums of squares lose digits, by some rows."""
    largest = np.abs(_some_rows(X)).max(axis=0)
    _, exponents = np.frexp(largest[largest > 0])
    return bool((np.abs(exponents) > _SAFE[max(X.dtype.itemsize, 4)]).any())


def exponents_of(X: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> Exponents:
    """Return e for each column: its largest magnitude is from 2^(e - 1) to 2^e; 0 for a column of zeros.

    Rows without a weight do not count.
    """
    largest = np.zeros(X.shape[1], np.float64)
    size = max(1, _BLOCK_ELEMENTS // X.shape[1])
    for first in range(0, len(X), size):
        part = X[first : first + size]
        if sample_weight is not None:
            part = part[sample_weight[first : first + size] > 0]
        if len(part):
            np.maximum(largest, np.abs(part).max(axis=0), out=largest)
    return np.where(largest > 0, np.frexp(largest)[1], 0).astype(np.int64)
