"""`Given`: the arguments of a loss of data, as a user gave them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Given"]


class Given:
    """The arguments of a `DataObjective`. Its ``__init__`` sets the attributes, and so do copies over other data."""

    _X: Any
    _y: Any
    _sample_weight: Any
    _intercept: bool
    _alpha: float
    _l1_ratio: float
    _centre: Any
    _scale: Any
    _offset: Any
    _penalty_weight: NDArray[np.float64] | None

    @property
    def X(self) -> Any:
        """The data, as given."""
        return self._X

    @property
    def y(self) -> Any:
        """The targets, as given."""
        return self._y

    @property
    def sample_weight(self) -> Any:
        """The weights of the rows, as given."""
        return self._sample_weight

    @property
    def intercept(self) -> bool:
        """Whether the last parameter is an intercept."""
        return self._intercept

    @property
    def alpha(self) -> float:
        """Strength of the penalty."""
        return self._alpha

    @property
    def l1_ratio(self) -> float:
        """Share of the L1 norm in the penalty."""
        return self._l1_ratio

    @property
    def centre(self) -> Any:
        """The numbers that are subtracted from the columns, as given."""
        return self._centre

    @property
    def scale(self) -> Any:
        """The numbers that the columns are divided by, as given."""
        return self._scale

    @property
    def offset(self) -> Any:
        """The numbers that are added to the scores of the rows, as given."""
        return self._offset

    @property
    def penalty_weight(self) -> NDArray[np.float64] | None:
        """The factors of the columns' penalties, read-only; None if all are 1."""
        return self._penalty_weight
