"""The objective of a path in units and coordinates in which sums over its columns lose no digits."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..objectives.columns import spread_rows
from ..objectives.conditioned import Coordinates, conditioned
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.reach import magnitudes
from .null_model import NullModel, null_model

__all__ = ["Prepared"]

_NEAR = 24  # binary digits: sums over columns of such units lose none beside ones
_LEAST, _MOST = -1021, 1023  # exponents of normal numbers


class Prepared(NamedTuple):
    """An objective as a path minimises it.

    Attributes
    ----------
    objective : DataObjective
        Its columns are divided by `unit`.
    coordinates : Coordinates or None
        Those of its parameters; None for the raw ones.
    null : NullModel
        Its null model.
    unit : float
        A power of two; 1 unless the largest numbers of X are huge or tiny.
    l1_ratio : float
        The share of the L1 norm in the penalty of the given columns.
    positive : bool
        Whether the coefficients must be at least 0.
    """

    objective: DataObjective
    coordinates: Coordinates | None
    null: NullModel
    unit: float
    l1_ratio: float
    positive: bool

    @classmethod
    def of(cls, given: DataObjective, l1_ratio: float, positive: bool) -> Self:
        """Prepare an objective for a path with an l1_ratio."""
        raw = given.with_penalty(1.0, l1_ratio)
        unit = _unit(raw)
        if unit == 1.0:
            inner, coordinates = conditioned(raw)
            return cls(inner, coordinates, null_model(inner, positive), unit, l1_ratio, positive)
        scale = np.full(raw.n_features, unit)
        centre = raw.column_statistics()[0] if raw.intercept else np.zeros_like(scale)
        inner, coordinates = conditioned(raw.with_scaling(centre, scale))
        target = 0.0 if coordinates is None else coordinates.target
        found = Coordinates(centre, scale, raw.intercept, target)
        prepared = cls(inner, found, null_model(inner, positive), unit, l1_ratio, positive)
        return prepared._replace(objective=inner.with_penalty(1.0, prepared.inner_ratio))

    @property
    def inner_ratio(self) -> float:
        """The share of the L1 norm in the penalty of the columns in their unit."""
        along = self.l1_ratio * self.unit
        return 1.0 if self.l1_ratio == 1.0 else along / (along + 1.0 - self.l1_ratio)

    def inner(self, alphas: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the strengths for the columns in their unit.

        A coefficient v / unit of a raw column has the penalty alpha (r abs(v) / unit + (1 - r) / 2 (v / unit)^2).
        """
        if self.l1_ratio == 1.0:
            return np.asarray(alphas / self.unit)
        return np.asarray(alphas / self.unit * ((self.l1_ratio * self.unit + 1.0 - self.l1_ratio) / self.unit))


def _unit(objective: DataObjective) -> float:
    """Return the power of two above the largest number of X if that is huge or tiny, or else 1."""
    blocks = objective.supports(Capability.ROWS) and objective.supports(Capability.STANDARDISED_BLOCKS)
    if objective.is_conditioned or objective.scaling is not None or not blocks:
        return 1.0
    some = objective.rows(spread_rows(objective.n_samples), None, standardised=False)
    if _is_near(_exponent(magnitudes(some))):
        return 1.0
    exponent = _exponent(objective.data.largest())
    return 1.0 if _is_near(exponent) else float(np.ldexp(1.0, min(max(exponent, _LEAST), _MOST)))


def _exponent(sizes: NDArray[np.float64]) -> int:
    """Return the exponent of the largest of some numbers; 0 where that is 0 or none."""
    largest = float(sizes.max(initial=0.0))
    return int(np.frexp(largest)[1]) if np.isfinite(largest) else 0


def _is_near(exponent: int) -> bool:
    return abs(exponent) <= _NEAR
