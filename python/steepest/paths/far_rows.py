"""The exact minimum of a loss such as Huber's over few rows, where its Hessian is 0 at too many of them for Newton."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..working_sets.proximal_point import proximal_point

__all__ = ["FarRows"]

Vector: TypeAlias = NDArray[np.float64]

_MOST = 1024  # rows and parameters


class FarRows:
    """Least squares with a shift of each row's target, under an L1 penalty of the shifts.

    Huber's loss of an error r is the least of (r - s)^2 + 2 delta abs(s) over the shifts s. The minimum over
    parameters and shifts together is the minimum of a quadratic function plus an L1 norm. Antoniadis, "Wavelet methods
    in statistics: some recent developments and their applications", Statistics Surveys 1, 2007.

    Parameters
    ----------
    objective : DataObjective
        The loss, without a penalty. `takes` says whether it is one of these.
    kept : array of bool, shape (n_parameters,)
        The parameters that are not left out.
    """

    def __init__(self, objective: DataObjective, kept: NDArray[np.bool_]) -> None:
        weight = np.ones(objective.n_samples) if objective.weights is None else objective.weights.astype(np.float64)
        present = np.flatnonzero(weight > 0.0)
        rows = objective.rows(present)
        rows = np.column_stack([rows, np.ones(len(rows))]) if objective.intercept else rows
        self._kept, self._rows = kept, rows
        self._targets = objective.targets[present].astype(np.float64)
        self._shares = weight[present] / weight[present].sum()
        self._delta = 0.5 * objective.largest_slope
        self._matrix = self._hessian()

    @staticmethod
    def takes(objective: DataObjective) -> bool:
        """Return whether a loss may be flat, and has few rows and parameters, which can be looked at."""
        few = objective.n_samples + objective.n_parameters <= _MOST
        return few and objective.may_be_flat and objective.supports(Capability.ROWS)

    def _hessian(self) -> Vector:
        """Return the second derivatives by the kept parameters and the shifts."""
        X = self._rows[:, self._kept]
        weighted = self._shares[:, None] * X
        own = np.einsum("ij,ik->jk", weighted, X)  # bits of a BLAS depend on its threads
        return 2.0 * np.block([[own, -weighted.T], [-weighted, np.diag(self._shares)]])

    def minimum(self, w: Vector, l1: Vector, l2: Vector, positive: NDArray[np.bool_] | None) -> Vector:
        """Return the parameters at the minimum of the loss plus a penalty. The search starts at w.

        The penalty of a parameter is l1 abs(w) + l2 w^2 / 2. All arrays have the shape (n_parameters,).
        """
        kept, many = self._kept, len(self._targets)
        errors = np.einsum("ij,j->i", self._rows, w) - self._targets
        shifts = np.sign(errors) * np.maximum(np.abs(errors) - self._delta, 0.0)
        slopes = 2.0 * self._shares * (errors - shifts)
        gradient = np.append((np.einsum("ij,i->j", self._rows, slopes) + l2 * w)[kept], -slopes)
        matrix = self._matrix.copy()
        at = np.arange(len(matrix) - many)
        matrix[at, at] += l2[kept]
        penalty = np.append(l1[kept], 2.0 * self._delta * self._shares)
        bounds = None if positive is None else np.append(positive[kept], np.zeros(many, bool))
        found = w.copy()
        start = np.append(w[kept], shifts)
        found[kept] = proximal_point(matrix, gradient, start, penalty, fine=True, positive=bounds)[: len(at)]
        return found

    def gradient(self, w: Vector, l2: Vector) -> Vector:
        """Return the gradient without the L1 penalty, in float64; 0 for parameters that are left out."""
        errors = np.einsum("ij,j->i", self._rows, w) - self._targets
        slopes = 2.0 * self._shares * np.clip(errors, -self._delta, self._delta)
        return np.where(self._kept, np.einsum("ij,i->j", self._rows, slopes) + l2 * w, 0.0)
