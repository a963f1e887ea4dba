"""An objective over the columns that have entries, where sparse rows leave most columns without any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .data import DataObjective
from .protocol import Capability

__all__ = ["UsedColumns"]

_INDEX = 4  # bytes of a new index
_FEW = 1 << 15  # columns, whose vectors take no time


@dataclass(frozen=True)
class UsedColumns:
    """The objective of the columns that have entries. Parameters of the others are 0 at its minimum, as at the start.

    Attributes
    ----------
    objective : DataObjective
        The objective over these columns. It has an index of its own for every entry.
    places : array of shape (objective.n_parameters,)
        Where its parameters are among those of all columns.
    """

    objective: DataObjective
    places: NDArray[np.intp]

    @classmethod
    def of(cls, objective: DataObjective, w: NDArray[Any], parameter_bytes: int) -> Self | None:
        """Return them where they save memory, and None elsewhere.

        Parameters
        ----------
        objective : DataObjective
            Any objective.
        w : array of shape (n_parameters,)
            Where a run begins. A parameter of a column without entries that is not 0 forbids to leave the column out.
        parameter_bytes : int
            Bytes that a run keeps for a parameter. Those of all columns that are left out must be worth the indices.
        """
        if objective.n_features < _FEW or not objective.supports(Capability.FEWER_COLUMNS):
            return None
        data: Any = objective.data
        d, k, rest = objective.n_features, objective.layout.n_scores, int(objective.intercept)
        columns = data.used_columns(d - _INDEX * data.n_elements // (parameter_bytes * k))
        if columns is None:
            return None
        places = np.append(columns, d) if rest else columns
        table, used = w.reshape(k, d + rest), np.zeros(d + rest, bool)
        used[places] = True
        if table[:, ~used].any():
            return None
        if objective.scaling is not None and objective.scaling[0][~used[:d]].any():
            return None
        return cls(objective.in_columns(columns), (np.arange(k)[:, None] * (d + rest) + places).ravel())

    def inner(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the parameters of these columns, a copy."""
        return w[self.places]

    def write(self, inner: NDArray[Any], w: NDArray[Any]) -> None:
        """Write the parameters of these columns among those of all."""
        w[self.places] = inner
