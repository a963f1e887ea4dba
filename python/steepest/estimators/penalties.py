"""`penalty_weight` of an estimator: checked, and brought to an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..objectives.penalty_weight import check_penalty_weight
from .frames import n_coefficients

__all__ = ["column_factors"]


def column_factors(model: Any) -> NDArray[np.float64] | None:
    """Return the factors of the penalties of a model's coefficients; None if all are 1.

    Raises
    ------
    TypeError, ValueError
        ``penalty_weight`` has another shape than the coefficients of a score, names a column that X has not, or holds
        what is not a number of at least 0. Or all of its numbers are infinite.
    """
    given, n = model.penalty_weight, n_coefficients(model)
    if not isinstance(given, Mapping):
        return check_penalty_weight(given, n)
    places = _places(model)
    found = np.ones(n)
    for name, factor in given.items():
        if name not in places:
            known = ", ".join(map(repr, list(places)[:5])) or "none, as X has no names"
            raise ValueError(f"penalty_weight must name columns of X ({known}), got {name!r}")
        if isinstance(factor, bool) or not isinstance(factor, int | float | np.number):
            raise TypeError(f"penalty_weight[{name!r}] must be a number of at least 0, got {describe(factor)}")
        if not factor >= 0:
            raise ValueError(f"penalty_weight[{name!r}] must be a number of at least 0, got {factor!r}")
        found[places[name]] = factor
    return check_penalty_weight(found, n)


def _places(model: Any) -> dict[Any, list[int]]:
    """Return the places of the coefficients that a name means: those of a column, or of one of its levels."""
    encoder = getattr(model, "_frame_encoder", None)
    if encoder is None:
        names = getattr(model, "_table_names", getattr(model, "feature_names_in_", None))
        return {} if names is None else {name: [j] for j, name in enumerate(names)}
    places: dict[Any, list[int]] = {name: [j] for j, name in enumerate(encoder.names)}
    at = 0
    for column in encoder.columns:
        size = 1 if column.levels is None else len(column.levels) - (encoder.baseline == "first")
        places[column.name] = list(range(at, at + size))
        at += size
    return places
