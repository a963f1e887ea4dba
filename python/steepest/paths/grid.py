"""The strengths of the penalty along a path: from the smallest one at which all coefficients are 0 downwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_count, check_number, describe
from ..objectives.data import DataObjective
from ..objectives.rounding import rounding_of_columns
from .factors import has_free_columns, penalty_factors, pull
from .null_model import NullModel

__all__ = ["LEAST_L1_RATIO", "check_alphas", "is_flat", "largest_alpha", "made_alphas"]

Vector = NDArray[np.float64]
LEAST_L1_RATIO = 1e-3
"""For ridge paths no alpha makes all coefficients 0. The largest alpha is then that of this l1_ratio."""
_OF_TALL, _OF_WIDE = 1e-4, 1e-2  # smallest alpha as a share of the largest
_ROOM = 8.0  # units in the last place above the largest slope, so that rounding takes no coefficient from 0
_ROOM_OF_FREE = 1e-9  # the same where coefficients are not penalised: their best values are found by steps


def check_alphas(alphas: Any) -> Vector:
    """Return given strengths as an array, the largest first.

    Raises
    ------
    TypeError, ValueError
        They are no numbers in one dimension, there are none, or one is not finite or not above 0.
    """
    expected = "alphas must be finite numbers above 0, in one dimension"
    try:
        found = np.asarray(alphas)
    except ValueError:  # lists of different lengths
        raise TypeError(f"{expected}, got {describe(alphas)}") from None
    if found.ndim == 0:
        raise TypeError(f"{expected}, got {describe(alphas)}")
    if found.size == 0:
        raise ValueError(f"{expected}, and at least one, got none")
    if found.ndim != 1:
        raise ValueError(f"{expected}, got an array of shape {found.shape}")
    if found.dtype.kind not in "iuf":
        raise TypeError(f"{expected}, got {describe(found)}")
    exact = found.astype(np.float64)
    wrong = ~(np.isfinite(exact) & (exact > 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"{expected}, got {exact[at]:g} at index {at}")
    return np.sort(exact)[::-1]


def is_flat(objective: DataObjective, null: NullModel) -> bool:
    """Return whether the gradient by the penalised coefficients is 0 at the null model, but for rounding."""
    factors = penalty_factors(objective)
    least = np.append(rounding_of_columns(objective), np.zeros(int(objective.intercept)))
    least = np.tile(least, factors.size // least.size)
    return not bool(((factors > 0.0) & np.isfinite(factors) & (np.abs(null.gradient) > least)).any())


def largest_alpha(objective: DataObjective, null: NullModel, l1_ratio: float, positive: bool = False) -> float:
    """Return the smallest alpha at which all coefficients are 0; for little L1, that of `LEAST_L1_RATIO`.

    The coefficients are 0 if no slope of the loss at the null model exceeds the factor of the L1 norm.

    Raises
    ------
    ValueError
        The slopes are 0, but for rounding: then all coefficients are 0 at every alpha.
    """
    factors = penalty_factors(objective)
    counted = (factors > 0.0) & np.isfinite(factors)
    slopes = pull(null.gradient[counted], positive)
    if not counted.any():
        raise ValueError(
            "alphas must be given for this objective: it has no column with a finite penalty_weight above 0"
        )
    if positive and not is_flat(objective, null) and not slopes.any():
        raise ValueError(
            "alphas must be given for this objective with positive=True: its loss pulls no coefficient above 0, and "
            "all coefficients are 0 at every alpha"
        )
    has_free = has_free_columns(objective)
    if is_flat(objective, null):
        free = ", or where the columns of penalty_weight 0 fit all rows" if has_free else ""
        raise ValueError(
            f"alphas must be given for this objective: its gradient without penalised coefficients is 0 (the largest "
            f"slope is {slopes.max(initial=0.0):.3g}, which is rounding), as for constant targets or columns{free}; "
            "penalised coefficients are 0 at every alpha"
        )
    room = 1.0 + _ROOM * float(np.finfo(objective.dtype).eps)
    if has_free:
        room += _ROOM_OF_FREE
    return float((slopes / factors[counted]).max()) * room / max(l1_ratio, LEAST_L1_RATIO)


def made_alphas(
    objective: DataObjective,
    null: NullModel,
    l1_ratio: float,
    n_alphas: Any,
    smallest: Any,
    positive: bool = False,
) -> Vector:
    """Return strengths at equal ratios, from the largest down to a share ``smallest`` of it."""
    count = check_count("n_alphas", n_alphas, 1)
    share = _OF_WIDE if objective.n_samples < objective.n_features else _OF_TALL
    if smallest is not None:
        share = check_number("smallest", smallest, above=0.0, below=1.0)
    largest = largest_alpha(objective, null, l1_ratio, positive)
    return np.asarray(largest * share ** (np.arange(count) / max(count - 1, 1)))
