"""The points that working sets lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .subproblem import Place

__all__ = ["Point", "Rounded", "Settled", "Solved"]

Vector: TypeAlias = NDArray[np.float64]


class Solved(NamedTuple):
    """The outcome of `WorkingSetSolver.solve`.

    Attributes
    ----------
    w : array of shape (n_parameters,)
        In the objective's dtype and order.
    value, gap : float
        The objective at w, and how far above the minimum that is, at most.
    n_passes, n_sweeps : int
        Passes over all columns, and over those of a working set.
    converged : bool
        Whether the gap is at most what was asked for.
    """

    w: NDArray[Any]
    value: float
    gap: float
    n_passes: int
    n_sweeps: int
    converged: bool


@dataclass
class Point:
    """A point at which all columns were looked at.

    Attributes
    ----------
    w : array of shape (n_scores, d)
    parameters : array of shape (n_parameters,)
        The same with the best intercepts, in the dtype of the objective.
    gradient : array of shape (n_scores, d)
        Of the loss.
    value, gap : float
    share : float
        Of the slopes, at the dual point.
    given : array of shape (n_parameters,)
        The gradient of the loss as the pass gave it.
    n_columns : int
        The columns that were not held at 0.
    """

    w: Vector
    parameters: NDArray[Any]
    gradient: Vector
    value: float
    gap: float
    share: float
    given: NDArray[Any]
    n_columns: int = 0
    settled: bool = False
    grows: bool = True


class Settled(NamedTuple):
    """The minimum over some columns, which the other columns have not judged yet."""

    columns: NDArray[np.intp]
    place: Place

    def coefficients(self, d: int) -> Vector:
        """Return the coefficients of all d columns, of shape (n_scores, d)."""
        w = np.zeros((len(self.place.v), d))
        w[:, self.columns] = self.place.v
        return w


class Rounded(NamedTuple):
    """Coefficients v of some columns, and the place of v and the parameters in the dtype of the objective."""

    columns: NDArray[np.intp]
    v: Vector
    at: Place
    flat: NDArray[Any]
