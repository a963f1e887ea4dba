"""The factors of the penalty of each parameter: 0 for what is not penalised, infinity for what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import dot
from ..objectives.data import DataObjective

__all__ = ["bounded", "has_free_columns", "penalty_at", "penalty_factors", "pull"]


def penalty_factors(objective: DataObjective) -> NDArray[np.float64]:
    """Return the factor of each parameter, of shape (n_parameters,): that of its column, and 0 for intercepts."""
    own: Any = getattr(objective, "penalty_weight", None)
    columns = np.ones(objective.n_features) if own is None else np.asarray(own, np.float64)
    row = np.append(columns, np.zeros(int(objective.intercept)))
    return np.tile(row, objective.n_parameters // row.size)


def has_free_columns(objective: DataObjective) -> bool:
    """Return whether some columns are not penalised."""
    own: Any = getattr(objective, "penalty_weight", None)
    return own is not None and not np.asarray(own).all()


def bounded(objective: DataObjective) -> NDArray[np.bool_]:
    """Return which parameters must be at least 0 where the coefficients must: all but the intercepts."""
    row = np.append(np.ones(objective.n_features, bool), np.zeros(int(objective.intercept), bool))
    return np.tile(row, objective.n_parameters // row.size)


def pull(slopes: NDArray[np.float64], positive: bool) -> NDArray[np.float64]:
    """Return how strongly a loss pulls coefficients of 0 to where they may go, from its slopes."""
    return np.asarray(np.maximum(-slopes, 0.0) if positive else np.abs(slopes))


def penalty_at(objective: DataObjective, w: NDArray[Any], alpha: float, l1_ratio: float) -> float:
    """Return the penalty of parameters of shape (n_parameters,), for some strength of it."""
    used = np.flatnonzero(w)  # what is left out is 0
    factors, exact = penalty_factors(objective)[used], w[used].astype(np.float64)
    return dot(factors, alpha * (l1_ratio * np.abs(exact) + (1.0 - l1_ratio) / 2.0 * exact * exact))
