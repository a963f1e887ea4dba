"""Location and units of the columns: mean, deviation, and whether columns lie far from zero or have extreme units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from ..arrays.table import Table
from .reach import largest_of, magnitudes
from .scaling import column_statistics

__all__ = [
    "LITTLE",
    "Columns",
    "are_far",
    "exponents",
    "exponents_of",
    "largest_of",
    "may_be_extreme",
    "may_be_far_from_zero",
    "spread_rows",
]

Vector = NDArray[np.float64]
Exponents = NDArray[np.int64]
LITTLE = 1 << 16  # elements; a copy of no more than these costs little
_LOOKED_AT = 256  # rows that a quick look takes, about
_FAR = 30.0  # deviations
# By bytes of an element: up to these powers of two, sums of products of two columns keep all their digits.
_SAFE = {4: 24, 8: 128}


@dataclass(frozen=True)
class Columns:
    """The total weight of some rows, and the mean and the deviation of their columns: float64, shape (n_features,).

    Deviations are kept, as the squares of small and of large ones are beyond float64.
    """

    weight: float
    mean: Vector
    deviation: Vector

    @classmethod
    def of(cls, X: NDArray[Any] | CSRView | Table, sample_weight: NDArray[Any] | None) -> Columns:
        """Measure the columns of X, in one pass."""
        mean, deviation = column_statistics(X, sample_weight)
        weight = float(len(X)) if sample_weight is None else float(sample_weight.sum(dtype=np.float64))
        return cls(weight, mean, deviation)

    @property
    def variance(self) -> Vector:
        """The squares of the deviations: 0 or infinite where they are beyond float64."""
        with np.errstate(over="ignore"):
            return np.square(self.deviation)

    def with_more(self, other: Columns) -> Columns:
        """Return the mean and the deviation over both sets of rows. Squares are taken in units of their own.

        Chan, Golub, LeVeque, "Algorithms for Computing the Sample Variance: Analysis and Recommendations", The American
        Statistician 37, 1983.
        """
        weight = self.weight + other.weight
        share, apart = other.weight / weight, other.mean - self.mean
        units = np.frexp(np.maximum(np.maximum(self.deviation, other.deviation), np.abs(apart)))[1]
        mine, theirs, between = (np.ldexp(each, -units) for each in (self.deviation, other.deviation, apart))
        variance = (1 - share) * mine**2 + share * theirs**2 + share * (1 - share) * between**2
        return Columns(weight, self.mean + share * apart, np.ldexp(np.sqrt(variance), units))

    def powers_of_two(self) -> Vector:
        """Return the next power of two above each deviation, and 1 for a constant column."""
        exponents = np.clip(np.frexp(np.where(self.deviation > 0, self.deviation, 0.5))[1], -1021, 1023)
        return np.asarray(np.ldexp(1.0, exponents))

    def are_far_from_zero(self) -> bool:
        """Return whether some column's mean is many deviations away from zero.

        Such a column is nearly a multiple of the intercept's column of ones. Rounding then hides their difference.
        """
        return are_far(self.mean, self.deviation)


def are_far(mean: Any, deviation: Any) -> bool:
    """Return whether some mean is many deviations from zero."""
    return bool((np.abs(mean) > _FAR * deviation).any())


def spread_rows(n_samples: int, n: int = _LOOKED_AT) -> slice:
    """Return about n rows that lie spread over all."""
    return slice(None, None, max(1, n_samples // n))


def may_be_far_from_zero(X: NDArray[Any] | CSRView, n: int = _LOOKED_AT) -> bool:
    """Return whether some column may be far from zero, by a look at n rows; `Columns` then measures all rows.

    A column with a zero in one of so few rows is not far from zero, so of a sparse X the full columns decide.
    """
    if isinstance(X, CSRView):
        some = _spread(X, min(n, _LOOKED_AT)).full_columns()
    else:
        some = X[spread_rows(len(X), n)].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = some.mean(axis=0)
        some -= mean
        deviation = np.sqrt(np.einsum("ij,ij->j", some, some) / len(some))
        return are_far(mean, deviation)


def _spread(X: CSRView, n: int = _LOOKED_AT) -> CSRView:
    return X.take(np.arange(len(X))[spread_rows(len(X), n)])


def may_be_extreme(X: NDArray[Any] | CSRView) -> bool:
    """Return whether a few rows show a column so large or small that sums of its squares would lose digits."""
    largest = _spread(X).largest() if isinstance(X, CSRView) else magnitudes(X[spread_rows(len(X))]).max(axis=0)
    _, exponents = np.frexp(largest[largest > 0])
    return bool((np.abs(exponents) > _SAFE[max(X.dtype.itemsize, 4)]).any())


def exponents_of(X: NDArray[Any] | CSRView, sample_weight: NDArray[Any] | None = None) -> Exponents:
    """Return an exponent e for each column: the largest magnitude lies between 2^(e - 1) and 2^e.

    A column of zeros has e = 0. Rows of weight 0 do not count.
    """
    return exponents(largest_of(X, sample_weight))


def exponents(largest: Vector) -> Exponents:
    """Return the exponents of the largest magnitudes of columns, 0 for 0."""
    return np.where(largest > 0, np.frexp(largest)[1], 0).astype(np.int64)
