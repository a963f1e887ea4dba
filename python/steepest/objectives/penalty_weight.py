"""Factors of the columns' penalties: 0 for a column that is not penalised, infinity for one that is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.interop import as_native

__all__ = ["check_left_out", "check_penalty_weight", "factors_of", "kept_parameters"]

Vector = NDArray[np.float64]


def check_penalty_weight(value: Any, n_features: int) -> Vector | None:
    """Return the factors of the columns' penalties, a copy in float64; None if all are 1.

    Raises
    ------
    TypeError
        The factors are not real numbers.
    ValueError
        They have another shape than (n_features,), one is negative or nan, or all of them are infinite.
    """
    if value is None:
        return None
    expected = f"penalty_weight must be an array of shape ({n_features},), with a number of at least 0 for each column"
    given = np.asarray(as_native("penalty_weight", value))
    if given.dtype.kind not in "iuf":
        raise TypeError(f"{expected}, got {describe(value)}")
    if given.shape != (n_features,):
        raise ValueError(f"{expected}, got {describe(given)}")
    found = given.astype(np.float64)
    wrong = ~(found >= 0.0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"{expected}, got {found[at]:g} at index {at}")
    if np.isinf(found).all():
        raise ValueError("penalty_weight must be finite for some column, got infinity for all, which leaves out all")
    found.flags.writeable = False
    return None if (found == 1.0).all() else found


def factors_of(objective: Any) -> Vector:
    """Return the factors of the columns' penalties, with 0 for a column that is left out."""
    factors: Vector | None = objective.penalty_weight
    return np.ones(objective.n_features) if factors is None else np.where(np.isinf(factors), 0.0, factors)


def kept_parameters(objective: Any) -> NDArray[np.intp] | None:
    """Return the parameters but those of columns that the objective leaves out; None if it leaves out none."""
    factors = getattr(objective, "penalty_weight", None)
    if factors is None or not np.isinf(factors).any():
        return None
    layout = objective.layout
    row = np.append(np.isfinite(factors), np.ones(int(layout.intercept), bool))
    return np.flatnonzero(np.tile(row, layout.n_scores))


def check_left_out(objective: Any, w: NDArray[Any], name: str = "w0") -> None:
    """Raise a ValueError if parameters, by this name, have a number for a column that the objective leaves out."""
    factors = getattr(objective, "penalty_weight", None)
    if factors is None:
        return
    table = w.reshape(objective.layout.n_scores, -1)[:, : len(factors)]
    wrong = np.isinf(factors) & (table != 0)
    if wrong.any():
        k, j = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise ValueError(
            f"{name} must be 0 in a column whose penalty_weight is infinity, got {table[k, j]:g} in column {j}"
        )
