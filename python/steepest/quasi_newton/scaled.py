"""The norm of a gradient in coordinates in which the columns of sparse rows weigh the same, however rare they are."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import dot, norm_of
from ..objectives.conditioned import conditioned
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.rounding import amplified_rounding, rounding_of_slopes
from .line_search import NOISE, NOTHING
from .proximal import penalised, pseudo_gradient
from .sample import column_squares

__all__ = ["ScaledNorm", "is_judged_scaled"]

_ROWS = 4096  # that tell the diagonal where no column is rare


def is_judged_scaled(objective: DataObjective) -> bool:
    """Return whether runs of QuasiNewton have a scaled norm: whether rows are sparse, so that columns may be rare."""
    sparse = objective.data.n_elements < objective.n_samples * objective.n_features
    return sparse and objective.supports(Capability.COLUMN_STATISTICS)


class ScaledNorm:
    """The norm of D^(-1/2) g, with the gradient g and the diagonal D of the Hessian at zeros, penalty included.

    Half its square is the fall that Newton's method predicts where no two columns are correlated. A column in few rows
    has a small gradient and a small curvature, so it counts by what its parameter has yet to lower the objective.
    """

    def __init__(self, objective: DataObjective, positive: NDArray[np.bool_] | None = None) -> None:
        self._objective, self._positive = objective, positive
        self._roots = np.sqrt(column_squares(objective, _ROWS, 0))
        kinks = objective.penalty.l1 > 0.0 or positive is not None
        self._l1 = objective.penalty.l1 * penalised(objective) if kinks else None
        self._scratch = np.empty_like(self._roots)

    @classmethod
    def in_coordinates_of_runs(cls, objective: DataObjective) -> Self:
        """Return the norm in the coordinates in which QuasiNewton minimises the objective."""
        return cls(conditioned(objective)[0])

    def of(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        """Return the norm at w; with an L1 penalty, that of the smallest subgradient."""
        given = gradient
        if self._l1 is not None:
            given = pseudo_gradient(gradient.astype(np.float64), w.astype(np.float64), self._l1, self._positive)
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.divide(given, self._roots, out=self._scratch)
            square = dot(scaled, scaled)
        return math.sqrt(square) if 0.0 < square < math.inf else norm_of(scaled)

    def at_zeros(self) -> float:
        """Return the norm at zeros."""
        zeros = np.zeros(self._objective.n_parameters, self._objective.dtype)
        return self.of(zeros, self._objective.native.value_and_gradient(zeros)[1])

    def rounding(self, share: float) -> float:
        """Return about the norm that rounding leaves at a minimum.

        The slopes of all rows may be rounded the same way, which adds up to their rounding times the mean of a column.
        Around it, roundings of opposite signs leave a share of 1 / sqrt(n). `rounding_of_slopes` says what `share` is.
        """
        objective = self._objective
        mean, deviation = objective.column_statistics()
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = np.abs(mean) + np.hypot(mean, deviation) / math.sqrt(objective.n_samples)
            sizes = np.append(sizes, np.ones(int(objective.intercept)))
            found = norm_of(sizes / self._roots[: len(sizes)]) * rounding_of_slopes(objective, share)
            found *= max(1.0, self._eps * amplified_rounding(objective) / objective.given_eps)
        return found if math.isfinite(found) else 0.0

    def untried(self, value: float) -> float:
        """Return the norm at which a step predicts so small a fall of an objective of this value that none is tried."""
        objective = self._objective
        size = objective.size_of_losses if objective.supports(Capability.TARGETS) else 0.0
        rounding = self._eps * amplified_rounding(objective) * NOISE * max(abs(value), size)
        return math.sqrt(2.0 * NOTHING * rounding)

    @property
    def _eps(self) -> float:
        return float(np.finfo(self._objective.dtype).eps)
