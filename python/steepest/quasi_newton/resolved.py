"""Directions in which columns differ by nothing but the rounding of their numbers; steps leave them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.columns import LITTLE
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.rounding import MADE

__all__ = ["Resolved"]

Vector: TypeAlias = NDArray[np.float64]

_COARSE = 1e-10  # a unit in the last place whose square a Gram matrix of float64 resolves


@dataclass(frozen=True)
class Resolved:
    """The directions of the parameters that the columns, as they were given, tell apart.

    Attributes
    ----------
    unresolved : array of shape (n, n_directions)
        Orthonormal directions in which the numbers are noise, of the parameters of a score times `scale`.
    scale : array of shape (n,)
        Root mean squares of the columns.
    """

    unresolved: NDArray[np.float64]
    scale: Vector

    @staticmethod
    def may_be_asked(objective: DataObjective) -> bool:
        """Return whether it is little data without a penalty, in numbers of at most 32 bits."""
        free = objective.alpha == 0.0 and objective.given_eps > _COARSE
        little = objective.n_samples * objective.n_features <= LITTLE
        return free and little and objective.supports(Capability.ROWS)

    @classmethod
    def of(cls, objective: DataObjective) -> Resolved | None:
        """Return them; None where every direction is one of them.

        Along an eigenvector v of the columns' correlations, the mean square of the columns is the eigenvalue. Rounding
        alone makes it the sum of the squares of v_j times the rounding of column j, of which the numbers as they were
        given decide, not their distance from a centre.
        """
        weight, present = objective.weights, slice(None)
        if weight is not None:
            present = weight > 0
            weight = weight[present].astype(np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            rows, raw = objective.rows(present), objective.rows(present, standardised=False)
            if objective.scaling is not None:
                raw = raw / objective.scaling[1]
            sizes = np.average(raw * raw, axis=0, weights=weight)
            if objective.intercept:
                rows, sizes = np.column_stack([rows, np.ones(len(rows))]), np.append(sizes, 0.0)
            shares = np.full(len(rows), 1.0 / len(rows)) if weight is None else weight / weight.sum()
            gram = np.einsum("i,ij,ik->jk", shares, rows, rows)  # BLAS would add in an order of its threads
            left_out = _left_out(objective)
            gram[left_out], gram[:, left_out] = 0.0, 0.0  # no direction has a part of these columns
            gram[left_out, left_out] = 1.0
            diagonal = np.diag(gram)
            if not (np.isfinite(gram).all() and np.isfinite(sizes).all() and (diagonal > 0.0).all()):
                return None
            scale = np.sqrt(diagonal)
            values, vectors = np.linalg.eigh(gram / scale / scale[:, None])
            rounding = (MADE * objective.given_eps) ** 2 * (vectors**2 * (sizes / diagonal)[:, None]).sum(axis=0)
        noise = values <= rounding
        vectors[left_out] = 0.0
        return cls(vectors[:, noise], scale) if noise.any() else None

    def gradient(self, gradient: Vector) -> Vector:
        """Return a gradient without its part along the directions of noise."""
        return self._kept(gradient, 1.0 / self.scale)

    def step(self, step: Vector) -> Vector:
        """Return a step of the parameters without that part."""
        return self._kept(step, self.scale)

    def _kept(self, vector: Vector, scale: Any) -> Vector:
        table = vector.reshape(-1, len(self.scale)) * scale
        along = np.einsum("ij,jk->ik", table, self.unresolved)
        return np.asarray(((table - np.einsum("ik,jk->ij", along, self.unresolved)) / scale).ravel())


def _left_out(objective: DataObjective) -> NDArray[np.intp]:
    """Return the columns that the objective leaves out."""
    factors = objective.penalty_weight
    return np.empty(0, np.intp) if factors is None else np.flatnonzero(np.isinf(factors))
