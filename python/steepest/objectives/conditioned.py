"""Coordinates in which columns and targets have means near 0 and sizes near 1, so that sums lose no digits."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import norm_of
from .columns import LITTLE, Columns, are_far, exponents_of, may_be_extreme, may_be_far_from_zero
from .data import DataObjective
from .scaling import column_statistics

__all__ = ["Coordinates", "conditioned"]

Vector: TypeAlias = NDArray[np.float64]

_TARGETS = 4096  # number of targets in the sample that is looked at
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
    inner = copy.copy(inner)
    y = inner.arrays.y
    inner._y = (y - target).astype(y.dtype)
    inner._data = inner._native_data()
    inner._bind()
    return inner, dataclasses.replace(coordinates, target=target)


def _far_target(objective: DataObjective) -> float:
    """Return the mean of the targets, rounded to their dtype, if it is many deviations from zero. Else return 0."""
    if not (objective.is_of_residuals and objective.intercept):
        return 0.0
    _, y, weight = objective.arrays
    if not may_be_far_from_zero(y[:, None], _TARGETS):
        return 0.0
    mean, deviation = (float(each[0]) for each in column_statistics(y[:, None], weight))
    return float(y.dtype.type(mean)) if are_far(mean, deviation) and np.isfinite(mean) else 0.0


def _with_near_columns(objective: DataObjective) -> tuple[DataObjective, Coordinates | None]:
    X, _, weight = objective.arrays
    if objective.scaling is not None or X.dtype.kind not in "fiu":
        return objective, None
    inner, scale, free = objective, np.ones(objective.n_features), objective.alpha == 0.0
    if free and X.size <= LITTLE and X.dtype.itemsize >= _COPIED:
        exponents = exponents_of(X, weight)
        if exponents.any():
            inner, scale = copy.copy(objective), np.ldexp(1.0, np.clip(exponents, -1021, 1023))
            inner._X = X = np.ldexp(X, -exponents.astype(np.int32), dtype=X.dtype)
            inner._data = inner._native_data()
            inner._bind()
    elif free and may_be_extreme(X):
        scale = np.ldexp(1.0, np.clip(exponents_of(X, weight), -1021, 1023))
        return _scaled(objective, np.zeros_like(scale), scale), Coordinates(
            np.zeros_like(scale), scale, objective.intercept
        )
    if objective.intercept and may_be_far_from_zero(X):
        found = Columns.of(X, weight)
        if found.are_far_from_zero():
            deviations = found.powers_of_two() if free else np.ones_like(scale)
            coordinates = Coordinates(found.mean * scale, deviations * scale, True)
            return _scaled(inner, found.mean, deviations), coordinates
    if inner is objective:
        return objective, None
    return inner, Coordinates(np.zeros_like(scale), scale, objective.intercept)


def _scaled(objective: DataObjective, centre: Vector, scale: Vector) -> DataObjective:
    """Return the objective of standardised columns."""
    inner = copy.copy(objective)
    inner._centre, inner._scale, inner._scaling = centre, scale, (centre, scale)
    inner._bind()
    return inner
