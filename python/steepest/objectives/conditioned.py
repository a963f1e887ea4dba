"""Coordinates in which columns and targets have means near 0 and sizes near 1, so that sums lose no digits."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import STORAGES, numpy_dtype
from ..arrays.norm import norm_of
from .columns import LITTLE, Columns, are_far, exponents, may_be_extreme, may_be_far_from_zero, spread_rows
from .data import DataObjective
from .protocol import Capability
from .scaling import LARGEST_SHIFT, column_statistics

__all__ = ["Coordinates", "conditioned"]

Vector: TypeAlias = NDArray[np.float64]

_WIDE, _FEW_ROWS = 4096, 32  # columns, and the rows of so many that are looked at
_TARGETS = 4096  # number of targets in the sample that is looked at
# Bytes of the storages that NumPy computes with.
_BYTES = {name: numpy_dtype(name).itemsize for name in STORAGES if numpy_dtype(name).kind in "fiu"}
_COPIED = 4  # X is copied in other units if its numbers have at least this many bytes; narrower ones overflow


@dataclass(frozen=True)
class Coordinates:
    """The coordinates of parameters that belong to the columns (x - centre) / scale.

    Attributes
    ----------
    centre, scale : arrays of shape (n_features,), float64
    intercept : bool
        Whether the last parameter of each score is an intercept.
    target : float
        Number that is subtracted from the targets, and so from the intercept.
    """

    centre: Vector
    scale: Vector
    intercept: bool
    target: float = 0.0

    def to_inner(self, w: NDArray[Any]) -> NDArray[Any]:
        """Convert parameters of the raw columns to these coordinates."""
        table = self._table(w)
        if self.intercept:
            table[:, -1] += np.sum(table[:, :-1] * self.centre, axis=1) - self.target
        table[:, : len(self.centre)] *= self.scale
        return table.ravel().astype(w.dtype)

    def to_raw(self, w: NDArray[Any]) -> NDArray[Any]:
        """Convert parameters in these coordinates to parameters of the raw columns."""
        table = self._table(w)
        table[:, : len(self.centre)] /= self.scale
        if self.intercept:
            raw = table[:, :-1].astype(w.dtype).astype(np.float64)  # the intercept compensates for their rounding
            table[:, -1] += self.target - np.sum(raw * self.centre, axis=1)
        return table.ravel().astype(w.dtype)

    def norm(self, gradient: Vector) -> float:
        """Return the Euclidean norm of a gradient in the units of the raw columns.

        The columns stay centred. A mean far from zero would add to the gradient, but says nothing about the distance
        to the minimum.
        """
        table = self._table(gradient)
        table[:, : len(self.centre)] *= self.scale
        return norm_of(table)

    def _table(self, w: NDArray[Any]) -> Vector:
        return w.astype(np.float64).reshape(-1, len(self.centre) + self.intercept)


def conditioned(objective: DataObjective) -> tuple[DataObjective, Coordinates | None]:
    """Return the objective in coordinates that lose no digits, and these coordinates.

    If the objective's own coordinates are good, return the objective itself and None. With an intercept, columns far
    from zero are centred, and so are targets of losses of residuals; this changes no penalty. Without a penalty,
    columns in huge or tiny units are multiplied by powers of two. Little data have all their columns multiplied so, in
    a copy.
    """
    if objective.is_conditioned:
        return objective, None
    inner, coordinates = _with_near_columns(objective)
    target = _far_target(objective)
    if target == 0.0:
        return inner, coordinates
    if coordinates is None:
        coordinates = Coordinates(np.zeros(objective.n_features), np.ones(objective.n_features), True)
    inner = inner.with_data(inner.data.shifted(target))
    return inner, dataclasses.replace(coordinates, target=target)


def _far_target(objective: DataObjective) -> float:
    """Return the mean of the targets, rounded to their dtype, if it is many deviations from zero. Else return 0."""
    if not (objective.is_of_residuals and objective.intercept):
        return 0.0
    facts = objective.data.target_facts
    if facts is not None:
        far = are_far(facts.mean, facts.deviation) and np.isfinite(facts.mean)
        return float(objective.dtype.type(facts.mean)) if far else 0.0
    if not objective.supports(Capability.TARGETS):
        return 0.0
    y, weight = objective.targets, objective.weights
    if not may_be_far_from_zero(y[:, None], _TARGETS):
        return 0.0
    mean, deviation = (float(each[0]) for each in column_statistics(y[:, None], weight))
    return float(y.dtype.type(mean)) if are_far(mean, deviation) and np.isfinite(mean) else 0.0


def _with_near_columns(objective: DataObjective) -> tuple[DataObjective, Coordinates | None]:
    inner, scale, free = objective, np.ones(objective.n_features), objective.alpha == 0.0
    if objective.scaling is not None or not objective.supports(Capability.COLUMN_STATISTICS):
        return objective, None
    data, looks = objective.data, objective.supports(Capability.ROWS)
    if looks and data.storage not in _BYTES:
        return objective, None
    spread = spread_rows(data.n_samples) if data.n_features <= _WIDE else spread_rows(data.n_samples, _FEW_ROWS)
    some = objective.rows(spread, None, standardised=False) if looks else None
    if some is not None and free and data.n_elements <= LITTLE and _BYTES[data.storage] >= _COPIED:
        powers = exponents(data.largest())
        if powers.any():
            scale = np.ldexp(1.0, np.clip(powers, -1021, 1023))
            inner = objective.with_data(data.in_units(powers))
            some = inner.rows(spread_rows(data.n_samples), None, standardised=False)
    elif some is not None and free and may_be_extreme(some) and objective.supports(Capability.STANDARDISED_BLOCKS):
        scale = np.ldexp(1.0, np.clip(exponents(data.largest()), -1021, 1023))
        centre = np.zeros_like(scale)
        return objective.with_scaling(centre, scale), Coordinates(centre, scale, objective.intercept)
    if objective.intercept and (some is None or may_be_far_from_zero(some)):
        mean, deviation = inner.data.column_statistics()
        found = Columns(data.weight_sum, mean, deviation)
        deviations = found.powers_of_two() if free else np.ones_like(scale)
        if found.are_far_from_zero() and _can_centre(objective, found.mean, deviations):
            coordinates = Coordinates(found.mean * scale, deviations * scale, True)
            return inner.with_scaling(found.mean, deviations), coordinates
    if inner is objective:
        return objective, None
    return inner, Coordinates(np.zeros_like(scale), scale, objective.intercept)


def _can_centre(objective: DataObjective, centre: Vector, scale: Vector) -> bool:
    """Return whether the data can be centred and scaled so without losing more digits than they have."""
    if objective.supports(Capability.STANDARDISED_BLOCKS):
        return True
    largest = getattr(objective.data, "largest_unit", math.inf)
    in_range = scale.max() <= largest and scale.min() >= 1.0 / largest
    return bool(in_range and norm_of(centre / scale) <= LARGEST_SHIFT[objective.dtype.itemsize])
