"""Values of a run that show, before the run is at its end, that the classes are separable and no minimum exists."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from ..objectives.data import DataObjective
from .separability import loss_of_a_wrong_row, separating_loss, separation

__all__ = ["SeparatingValues"]

_NEXT = 0.1  # of a value at which columns without a penalty did not separate, at which they are looked at again


class SeparatingValues:
    """Looks at the values of a run.

    Without a penalty, a value below `separating_loss` is enough. Where some columns have penalties and others have
    none, so small a value shows only that all columns together separate. Those without a penalty are then searched.

    Parameters
    ----------
    objective : DataObjective
        The objective of the run.
    bounded : bool
        Whether parameters have bounds, of which the search knows nothing.
    """

    def __init__(self, objective: DataObjective, bounded: bool = False) -> None:
        self._objective = objective
        self._below = separating_loss(objective)
        factors = objective.penalty_weight
        some = factors is not None and objective.alpha > 0.0 and bool((factors == 0.0).any()) and factors.any()
        self._searches = bool(some) and not bounded and objective.is_of_classes and objective.offset is None
        if self._searches:
            self._below = loss_of_a_wrong_row(objective)

    def shows(self, w: NDArray[Any], value: float) -> bool:
        """Return whether the value at w shows that the classes of all rows are separable."""
        if not value < self._below:
            return False
        if not self._searches or separation(self._objective, w, value) == "all":
            return True
        self._below = _NEXT * value if value > 0.0 else -math.inf
        return False
