"""The names of columns. scikit-learn checks those of pandas; this file checks those of other data frames.

Versions of scikit-learn differ in the data frames whose columns they can name. Versions of the data frames differ too.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from ..arrays.table import Table
from ..extras import require
from ..objectives.parts import Parts
from ..streams.stream import Stream
from ..warnings import levels_outside
from .frames import validated_table

__all__ = ["check_names", "validated"]

_PLAIN = (np.dtype(np.float64), np.dtype(np.float32))
_validation = require("sklearn.utils.validation", "sklearn")


def validated(model: Any, X: Any, *y: Any, reset: bool, **options: Any) -> Any:
    """Return the result of scikit-learn's validate_data, and set or check feature_names_in_."""
    if isinstance(X, Parts | Stream):
        raise TypeError("X must be an array, a sparse matrix or a data frame here, got data in parts")
    if isinstance(X, Table):
        return validated_table(model, X, *y, reset=reset, **options)
    if not reset and len(y) == 1 and _are_plain(model, X, y[0]):
        return X, y[0]
    names = _names(X)
    if names is None:
        return _validation.validate_data(model, X, *y, reset=reset, **options)
    if not reset:
        check_names(model, names)
    # scikit-learn gets a model and an X without names, so it has none to compare.
    nameless = copy.copy(model)
    nameless.__dict__.pop("feature_names_in_", None)
    checked = _validation.validate_data(nameless, np.asarray(X), *y, reset=reset, **options)
    if reset:
        model.n_features_in_, model.feature_names_in_ = nameless.n_features_in_, np.array(names, dtype=object)
    return checked


def _are_plain(model: Any, X: Any, y: Any) -> bool:
    """Return whether scikit-learn's checks of later rows, which take as long as hundreds of steps, would find nothing.

    If they would find anything, they have to say so.
    """
    if type(X) is not np.ndarray or type(y) is not np.ndarray or hasattr(model, "feature_names_in_"):
        return False
    if X.ndim != 2 or X.dtype not in _PLAIN or y.shape != X.shape[:1] or y.dtype.kind not in "fiubUS" or not len(X):
        return False
    native = X.dtype.isnative and y.dtype.isnative
    return (
        native
        and X.shape[1] == getattr(model, "n_features_in_", None)
        and (y.dtype.kind != "f" or bool(np.isfinite(y).all()))
    )


def _names(X: Any) -> list[str] | None:
    """Return the column names of a data frame, or None if scikit-learn handles X itself."""
    if hasattr(X, "iloc") or not hasattr(X, "__array__"):
        return None
    names = getattr(X, "column_names", None)  # Arrow, whose `columns` are the data
    names = getattr(X, "columns", None) if names is None else names
    try:
        names = list(names)  # type: ignore[arg-type]
    except TypeError:
        return None
    return names if names and all(isinstance(name, str) for name in names) else None


def check_names(model: Any, names: list[str]) -> None:
    """Raise or warn, as scikit-learn does, if the names are not those of the fit."""
    if getattr(model, "feature_names_in_", None) is None:
        message = f"X has feature names, but {type(model).__name__} was fitted without feature names"
        warnings.warn(message, UserWarning, stacklevel=levels_outside())
        return
    fitted = list(model.feature_names_in_)
    if names == fitted:
        return
    message = "The feature names should match those that were passed during fit"
    unseen, missing = sorted({*names} - {*fitted}), sorted({*fitted} - {*names})
    if not unseen and not missing:
        raise ValueError(f"{message}: the same columns came in another order")
    raise ValueError(f"{message}: not seen at fit: {_some(unseen)}; missing now: {_some(missing)}")


def _some(names: list[str]) -> str:
    return (", ".join(map(repr, names[:5])) or "none") + (", ..." if len(names) > 5 else "")
