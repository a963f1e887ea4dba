"""Curvature for a loss whose own is 0 at far rows, where a Hessian may be singular and its steps too long."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective, some_of
from ..objectives.protocol import Capability

__all__ = ["Majorant"]

_LOOKED_AT = 2048  # rows
_ELEMENTS = 1 << 20  # of these, at most
_COLUMNS_OF_PARTS = 4096  # up to so many, rows of parts are made dense as those of sparse arrays are
_LEAST = 1e-30  # the part that is left of squares for a tiny delta


class Majorant:
    """Adds to the Hessian of a loss such as `Huber` a part of that of all squares.

    The parabola with the curvature slope / r, for Huber's 2 delta / abs(r), touches the loss at an error r beyond delta
    and lies above it everywhere (Huber, "Robust Statistics", 1981, section 7.8). The part is the mean of half of that
    over such rows.
    """

    def __init__(self, objective: DataObjective) -> None:
        self._objective = objective
        self._squares: tuple[int, NDArray[Any]] | None = None  # and of how many rows, where these are far away
        n = objective.n_samples
        rows = min(_LOOKED_AT, max(1, _ELEMENTS // objective.n_features))
        chosen = np.arange(n) if rows >= n else some_of(n, rows, 0)
        if not objective.supports(Capability.ROWS):
            part = objective.data.taken(chosen, objective.weight_sum * len(chosen) / n)
            objective, chosen = objective.with_data(part), np.arange(len(chosen))
        weight = objective.weights
        if weight is not None:
            chosen = chosen[weight[chosen] > 0]
        self._rows, self._targets = objective.rows(chosen), objective.targets[chosen].astype(np.float64)

    @classmethod
    def of(cls, objective: DataObjective) -> Majorant | None:
        """Return that of an objective; None for a loss that curves everywhere, or of which no rows can be looked at."""
        in_parts = objective.data.target_facts is not None and objective.n_features <= _COLUMNS_OF_PARTS
        can = objective.supports(Capability.ROWS) or (in_parts and objective.supports(Capability.SAMPLE))
        return cls(objective) if objective.may_be_flat and can else None

    def hessian(self, own: NDArray[Any], w: NDArray[Any], rows: int, seed: int) -> NDArray[Any]:
        """Return the Hessian for a metric, where that of a sample at w is its own."""
        shares = self._shares(w)
        far = shares[shares < 1.0]
        part = max(_LEAST, float(far.mean())) if far.size else 1.0
        squares = self._hessian_of_squares(len(own), own.dtype, rows, seed)
        return np.asarray(own + part * (squares - own), own.dtype)

    def _hessian_of_squares(self, p: int, dtype: np.dtype[Any], rows: int, seed: int) -> NDArray[Any]:
        if self._squares is not None and self._squares[0] == rows:
            return self._squares[1]
        objective, n = self._objective, self._objective.n_samples
        terms = objective.terms._replace(loss="least_squares", loss_parameters={})
        if rows >= n:
            squares = objective.data.bind(terms)
        else:
            chosen = some_of(n, rows, seed)
            squares = objective.data.bind_some(chosen, objective.weight_sum * len(chosen) / n, terms)
        found: NDArray[Any] = squares.hessian(np.zeros(p, dtype))
        if not objective.supports(Capability.ROWS):
            self._squares = rows, found
        return found

    def part(self, w: NDArray[Any]) -> float:
        """Return what part of the curvature of squares that of the parabolas is, on average."""
        shares = self._shares(w)
        return max(_LEAST, float(shares.mean())) if shares.size else 1.0

    def _shares(self, w: NDArray[Any]) -> NDArray[np.float64]:
        """Return slope / (2 r) of some rows, which is 1 where the loss is a square."""
        d = self._objective.n_features
        scores = np.einsum("ij,j->i", self._rows, w[:d].astype(np.float64))
        scores += float(w[d]) if self._objective.intercept else 0.0
        slopes, errors = self._objective.row_slopes(scores, self._targets), scores - self._targets
        return np.asarray(np.divide(0.5 * slopes, errors, out=np.ones_like(errors), where=errors != 0.0))
