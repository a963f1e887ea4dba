"""Coordinates in which columns and targets are near zero and near 1; in the user's own, sums may lose digits."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .columns import LITTLE, Columns, are_far, exponents_of, may_be_extreme, may_be_far_from_zero
from .data import DataObjective
from .losses import LeastSquares
from .scaling import column_statistics

__all__ = ["Coordinates", "conditioned"]

Vector: TypeAlias = NDArray[np.float64]

_TARGETS = 4096  # that are looked at
_COPIED = 4  # bytes at least of the numbers that are copied: those of 16 bits have no room for other units


@dataclass(frozen=True)
class Coordinates:
    """The coordinates that the parameters of the columns (x - centre) / scale are in.

    Attributes
    ----------
    centre, scale : arrays of shape (n_features,), float64
    intercept : bool
        Whether the last parameter of a score is an intercept.
    target : float
        What is taken from the targets, and so from the intercept.
    """

    centre: Vector
    scale: Vector
    intercept: bool
    target: float = 0.0

    def to_inner(self, w: NDArray[Any]) -> NDArray[Any]:
        """Take parameters of the raw columns to these coordinates."""
        table = self._table(w)
        if self.intercept:
            table[:, -1] += np.sum(table[:, :-1] * self.centre, axis=1) - self.target
        table[:, : len(self.centre)] *= self.scale
        return table.ravel().astype(w.dtype)

    def to_raw(self, w: NDArray[Any]) -> NDArray[Any]:
        """Take parameters of these coordinates to those of the raw columns."""
        table = self._table(w)
        table[:, : len(self.centre)] /= self.scale
        if self.intercept:
            raw = table[:, :-1].astype(w.dtype).astype(np.float64)  # the intercept makes up for their rounding
            table[:, -1] += self.target - np.sum(raw * self.centre, axis=1)
        return table.ravel().astype(w.dtype)

    def norm(self, gradient: Vector) -> float:
        """Return the Euclidean norm that a gradient in these coordinates has in the units of the raw columns.

        The columns stay centred: what their distance from zero adds to a gradient says nothing of how far it is to go.
        """
        table = self._table(gradient)
        table[:, : len(self.centre)] *= self.scale
        largest = float(np.abs(table).max())
        return largest * float(np.linalg.norm(table / largest)) if 0.0 < largest < np.inf else largest

    def _table(self, w: NDArray[Any]) -> Vector:
        return w.astype(np.float64).reshape(-1, len(self.centre) + self.intercept)


def conditioned(objective: DataObjective) -> tuple[DataObjective, Coordinates | None]:
    """Return the same objective in coordinates that cost no digits; itself, and None, where its own do not.

    Columns, and targets of least squares, that are far from zero are centred where there is an intercept, which changes
    no penalty. Without a penalty, columns of huge or tiny units are multiplied by powers of two. All columns of little
    data are, in a copy.
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
    """Return the mean of targets that are many deviations from zero, as a number of their dtype; else 0."""
    if not (isinstance(objective, LeastSquares) and objective.intercept):
        return 0.0
    _, y, weight = objective.arrays
    if not may_be_far_from_zero(y[:, None], _TARGETS):
        return 0.0
    mean, deviation = (float(each[0]) for each in column_statistics(y[:, None], weight))
    return float(y.dtype.type(mean)) if are_far(mean, deviation) and np.isfinite(mean) else 0.0


def _with_near_columns(objective: DataObjective) -> tuple[DataObjective, Coordinates | None]:
    X, _, weight = objective.arrays
    if objective.scaling is not None or X.dtype.kind != "f":
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
