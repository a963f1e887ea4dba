"""`Units`: the units of a fit. They bring columns, targets and weights near 1; parameters are converted back.

All factors are powers of two, so no bit is lost. With an intercept, targets of least squares are centred too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import blocks_of
from ..arrays.table import Table
from ..descent.result import Result
from ..descent.stopping import Progress
from ..objectives.columns import LITTLE, Columns, Exponents, exponents_of, may_be_extreme
from ..objectives.scaling import column_statistics
from .features import in_units, without_absent
from .rows import Parameters, Rows

__all__ = ["Units"]

Array = NDArray[Any]
Vector = NDArray[np.float64]
_MOST_L1 = 1e300
_TINY = 1e-30  # sums of squares lose digits for sizes below this, and above its inverse
_MODERATE = 12  # largest exponent of targets that may stay in their units
_LOOKED_AT = 4096  # number of targets in the sample that is looked at
_NEAR = 4.0  # targets may stay uncentred if their mean is at most this many deviations from zero
_LARGEST_FACTOR = 1000  # largest exponent of a factor that does not overflow
_HEAVY = 16  # weights whose exponent exceeds this are brought near 1
_SQUARED = ("loss", "validation_loss")  # columns of a history in squared units of the target


@dataclass(frozen=True)
class Units:
    """The units of a fit, and the conversion to and from them.

    Attributes
    ----------
    columns : array of shape (n_features,) of int or None
        Column j is multiplied by 2^-columns[j]. None leaves X unchanged.
    centre, target : float, int
        Targets become (y - centre) / 2^target.
    dtype : dtype
        The dtype of the fit.
    given : dtype
        The dtype of the rows from the user.
    """

    columns: Exponents | None
    centre: float
    target: int
    dtype: np.dtype[Any]
    given: np.dtype[Any]

    @classmethod
    def of_fit(
        cls,
        rows: Rows,
        *,
        rescales: bool,
        exact: bool,
        centres: bool,
        has_target_units: bool,
        keeps: bool,
        solves: bool = False,
    ) -> Units:
        """Choose the units of a fit.

        Parameters
        ----------
        rows : Rows
            The rows in the original units.
        rescales : bool
            Whether columns may be rescaled, because no penalty or rate is in their units.
        exact : bool
            Whether to convert small data to float64.
        centres : bool
            Whether to subtract the weighted mean from the targets.
        has_target_units : bool
            Whether targets are quantities rather than classes.
        keeps : bool
            Whether targets of large data may stay unchanged if their mean and deviation are moderate.
        solves : bool
            Whether little data are solved by QR. Their targets stay uncentred if their mean is moderate.
        """
        small = rows.X.size <= LITTLE
        columns = None
        if rescales and not isinstance(rows.X, Table) and (small or may_be_extreme(rows.X)):
            columns = exponents_of(rows.X, rows.sample_weight)
        centre, target = _target_units(rows, centres, keeps, solves) if has_target_units else (0.0, 0)
        dtype = np.dtype(np.float64) if exact and small else rows.X.dtype
        return cls(columns, centre, target, dtype, rows.X.dtype)

    @classmethod
    def of_stream(cls, targets: Columns, dtype: np.dtype[Any], centres: bool) -> Units:
        """Choose the units of targets by the mean and the deviation of all targets so far."""
        mean, deviation = float(targets.mean[0]), float(targets.deviation[0])
        centre = mean if centres else 0.0
        return cls(None, centre, int(np.frexp(np.hypot(deviation, mean - centre) or mean)[1]), dtype, dtype)

    def rows(self, rows: Rows, keeps_weights: bool = False) -> Rows:
        """Return the rows in these units. Arrays that need no change are not copied.

        Huge and tiny weights are brought near 1, except with ``keeps_weights``.
        """
        X = rows.X.astype(self.dtype, copy=False)
        with np.errstate(over="ignore", under="ignore"):
            if self.columns is not None and self.columns.any():
                X = in_units(X, self.columns, self.dtype)
        if rows.sample_weight is not None and self.columns is not None:
            X = without_absent(X, rows.sample_weight)
        y = self._targets(rows).astype(self.dtype, copy=False)
        offset = None if rows.offset is None else rows.offset.astype(self.dtype, copy=False)
        if keeps_weights:
            return Rows(X, y, rows.sample_weight, rows.loss_weight, offset)
        sample_weight, loss_weight = (_near_one(each, self.dtype) for each in (rows.sample_weight, rows.loss_weight))
        return Rows(X, y, sample_weight, loss_weight, offset)

    def of_target(self, rows: Rows, centres: bool) -> Units:
        """Return the same units of X with those of the targets of other rows, for `QuasiNewton` or a closed form."""
        centre, target = _target_units(rows, centres, keeps=True)
        return dataclasses.replace(self, centre=centre, target=target)

    def targets_of(self, rows: Rows) -> Array:
        """Return the targets of rows in these units."""
        return np.ascontiguousarray(self._targets(rows), self.dtype)

    def _targets(self, rows: Rows) -> Array:
        if self.centre == 0.0 and self.target == 0:
            return rows.y
        y = np.empty(len(rows.y), self.dtype)
        counts = rows.loss_weight
        moderate = counts is None and abs(self.target) < _LARGEST_FACTOR and rows.y.size > LITTLE
        buffer, factor = np.empty(min(rows.y.size, LITTLE)), float(np.ldexp(1.0, -self.target)) if moderate else 1.0
        for start, part in blocks_of(rows.y):
            if moderate:
                np.subtract(part, self.centre, out=buffer[: len(part)], dtype=np.float64)
                np.multiply(buffer[: len(part)], factor, out=y[start : start + len(part)], casting="same_kind")
                continue
            exact = part.astype(np.float64)
            if counts is not None:
                exact = np.where(counts[start : start + len(part)] > 0, exact, self.centre)
            half = self.target // 2  # in two steps: 2^-target itself may overflow
            y[start : start + len(part)] = np.ldexp(_difference(exact, self.centre, half), half - self.target)
        return y

    def to_fit(self, start: Parameters) -> Parameters:
        """Convert parameters from the original units to those of the fit."""
        coefficients = start.coefficients if self.columns is None else np.ldexp(start.coefficients, self.columns)
        return Parameters(np.ldexp(coefficients, -self.target), np.ldexp(start.intercepts - self.centre, -self.target))

    def to_original(self, found: Parameters) -> Parameters:
        """Convert parameters from the units of the fit to the original ones."""
        shifts = self.target if self.columns is None else self.target - self.columns
        with np.errstate(over="ignore", under="ignore"):
            return Parameters(
                np.ldexp(found.coefficients, shifts), np.ldexp(found.intercepts, self.target) + self.centre
            )

    def statistics(self, columns: Columns) -> Columns:
        """Convert statistics of columns from the units of the fit to the original ones."""
        if self.columns is None:
            return columns
        with np.errstate(over="ignore", under="ignore"):
            mean, deviation = np.ldexp(columns.mean, self.columns), np.ldexp(columns.deviation, self.columns)
        return Columns(columns.weight, mean, deviation)

    def targets(self, weight: float) -> Columns:
        """Return approximate statistics of the targets, to which `partial_fit` adds those of later rows."""
        with np.errstate(over="ignore", under="ignore"):
            return Columns(weight, np.array([self.centre]), np.ldexp(np.array([math.sqrt(0.5)]), self.target))

    def penalty(self, alpha: float, l1_ratio: float) -> tuple[float, float]:
        """Return alpha and l1_ratio of the same penalty in these units.

        Targets times c give coefficients times c: the L1 norm becomes c times, the loss and the L2 term c^2 times.
        """
        if alpha * l1_ratio == 0.0 or self.target == 0:
            return alpha, l1_ratio
        with np.errstate(over="ignore", under="ignore"):
            l1 = min(float(np.ldexp(alpha * l1_ratio, -self.target)), _MOST_L1)
        total = l1 + alpha * (1.0 - l1_ratio)
        return total, l1 / total if total else 0.0

    def squared(self, loss: float) -> float:
        """Convert a loss, which is in squared units of the target, to the original units."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(loss, 2 * self.target))

    def error(self, error: float, dtype: np.dtype[Any]) -> float:
        """Take an error, in units of the target, to those of the fit; within what a dtype holds."""
        limits = np.finfo(dtype)
        with np.errstate(over="ignore", under="ignore"):
            return float(np.clip(np.ldexp(error, -self.target), float(limits.tiny), float(limits.max)))

    def restore(self, result: Result) -> None:
        """Convert the value, losses and gradient norms of a result to the original units of the target, in place."""
        if self.target == 0:
            return
        with np.errstate(over="ignore", under="ignore"):
            for name, column in result.history.items():
                if name in _SQUARED:
                    result.history[name] = np.ldexp(column, 2 * self.target)
            result.history["gradient_norm"] = np.ldexp(result.history["gradient_norm"], self.target)
        result.value = self.squared(result.value)

    def callback(self, call: Callable[[Progress], Any]) -> Callable[[Progress], Any]:
        """Return a callback that passes `Progress` on in the original units of the target."""
        if self.target == 0:
            return call

        def told(progress: Progress) -> Any:
            validation = progress.validation_loss
            loss = self.squared(progress.loss)
            with np.errstate(over="ignore", under="ignore"):
                norm = float(np.ldexp(progress.gradient_norm, self.target))
                scaled = progress.scaled_gradient_norm
                scaled = None if scaled is None else float(np.ldexp(scaled, self.target))
            validation = None if validation is None else self.squared(validation)
            found = dataclasses.replace(progress, loss=loss, gradient_norm=norm, validation_loss=validation)
            return call(dataclasses.replace(found, scaled_gradient_norm=scaled))

        return told


def _target_units(rows: Rows, centres: bool, keeps: bool, solves: bool = False) -> tuple[float, int]:
    """Return the centre and the exponent of targets."""
    found = None
    if rows.X.size > LITTLE:
        found = _of_many_targets(rows.y, rows.loss_weight, centres, keeps)
    return _of_targets(rows.y, rows.loss_weight, centres, solves) if found is None else found


def _difference(y: NDArray[np.float64], centre: float, exponent: int) -> NDArray[np.float64]:
    """Return (y - centre) / 2^exponent without overflow of y - centre."""
    return np.asarray(np.ldexp(y, -exponent) - np.ldexp(centre, -exponent))


def _of_targets(y: Array, weight: Array | None, centres: bool, solves: bool) -> tuple[float, int]:
    """Return the weighted mean of the targets and the exponent of their deviation from it.

    The mean is 0 without ``centres``, and with ``solves`` where it is moderate: to subtract it would round the targets.
    """
    heaviest = 1.0 if weight is None else float(weight.max())

    def parts(exponent: int) -> Iterator[tuple[Vector, Vector | None]]:
        """Yield the targets of rows with a weight, times 2^-exponent, and their weights divided by the largest."""
        for at, part in blocks_of(y):
            if weight is None:
                yield np.ldexp(part.astype(np.float64), -exponent), None
                continue
            some = weight[at : at + len(part)] / heaviest
            counts = some > 0
            yield np.ldexp(part[counts].astype(np.float64), -exponent), some[counts].astype(np.float64)

    ranges = [(part.min(initial=np.inf), part.max(initial=-np.inf)) for part, _ in parts(0)]
    lowest, highest = float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))
    if lowest == highest:
        return (lowest, 0) if centres else (0.0, int(np.frexp(lowest)[1]))
    unit = int(np.frexp(max(abs(lowest), abs(highest)))[1])
    kept = list(parts(unit)) if len(y) <= LITTLE else None  # of many targets, parts are made again
    with np.errstate(under="ignore"):
        total = sum(float(len(part) if some is None else some.sum()) for part, some in kept or parts(unit))
        mean = sum(_weighted_sum(part, some) for part, some in kept or parts(unit)) / total if centres else 0.0
        squares = sum(_weighted_sum((part - mean) ** 2, some) for part, some in kept or parts(unit))
    size = math.sqrt(squares / total)
    if solves and abs(mean) <= _NEAR * size:
        mean, size = 0.0, math.hypot(mean, size)
    return float(np.ldexp(mean, unit)), unit + int(np.frexp(size)[1])


def _weighted_sum(values: Vector, weights: Vector | None) -> float:
    return float((values if weights is None else weights * values).sum())


def _of_many_targets(y: Array, weight: Array | None, centres: bool, keeps: bool) -> tuple[float, int] | None:
    """Return mean and exponent of many targets, as `_of_targets`, from one native pass. Return None for extreme ones.

    With ``keeps``, targets may stay unchanged, which is (0, 0). A sample of them tells if so, and saves the pass.
    """
    some = y[:: max(1, len(y) // _LOOKED_AT)].astype(np.float64)
    if keeps and weight is None and _may_stay(float(some.mean()), float(some.std()), centres):
        return 0.0, 0
    mean, deviation = (float(each[0]) for each in column_statistics(y[:, None], weight))
    size = np.hypot(deviation, 0.0 if centres else mean)
    if not (_TINY < size < 1 / _TINY and abs(mean) < 1 / _TINY):
        return None
    if keeps and _may_stay(mean, deviation, centres):
        return 0.0, 0
    return (mean if centres else 0.0), int(np.frexp(size)[1])


def _may_stay(mean: float, deviation: float, centres: bool) -> bool:
    size = deviation if centres else float(np.hypot(deviation, mean))
    moderate = 2.0**-_MODERATE < size < 2.0**_MODERATE
    return moderate and (not centres or abs(mean) <= _NEAR * deviation)


def _near_one(weight: Array | None, dtype: np.dtype[Any]) -> Array | None:
    """Return the weights in a dtype. If the largest is huge or tiny, scale all so that it is near 1."""
    if weight is None:
        return None
    exponent = int(np.frexp(weight.max())[1])
    if abs(exponent) > _HEAVY:
        return np.ldexp(weight.astype(np.float64), -exponent).astype(dtype)
    return weight.astype(dtype, copy=False)
