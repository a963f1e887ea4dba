"""The names of columns. scikit-learn checks those of pandas; this file checks those of other data frames.

Versions of scikit-learn differ in the data frames whose columns they can name. Versions of the data frames differ too.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import may_be_finite
from ..arrays.table import Table
from ..extras import require
from ..objectives.parts import Parts
from ..streams.stream import Stream
from ..warnings import levels_outside
from .frames import validated_table

__all__ = ["check_names", "validated", "validated_weight"]

_PLAIN = (np.dtype(np.float64), np.dtype(np.float32))
_validation = require("sklearn.utils.validation", "sklearn")


def validated(model: Any, X: Any, *y: Any, reset: bool, **options: Any) -> Any:
    """Return the result of scikit-learn's validate_data, and set or check feature_names_in_."""
    if isinstance(X, Parts | Stream):
        raise TypeError("X must be an array, a sparse matrix or a data frame here, got data in parts")
    if isinstance(X, Table):
        return validated_table(model, X, *y, reset=reset, **options)
    if _are_plain(model, X, y[0], reset) if y else _is_plain(model, X, reset) and _is_finite(X):
        if reset:
            model.n_features_in_ = X.shape[1]
        return (X, *y) if y else X
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


def _are_plain(model: Any, X: Any, y: Any, reset: bool = False) -> bool:
    """Return whether scikit-learn's checks, which take as long as hundreds of steps, would find and change nothing.

    If they would find anything, they have to say so. The numbers of X, which `checked` looks at, are not read.
    """
    if type(y) is not np.ndarray or not _is_plain(model, X, reset):
        return False
    if y.shape != X.shape[:1] or y.dtype.kind not in "fiubUS" or not y.dtype.isnative:
        return False
    return y.dtype.kind != "f" or bool(np.isfinite(y).all())


def _is_plain(model: Any, X: Any, reset: bool) -> bool:
    """Return whether the checks of X, but for those of its numbers, would find and change nothing."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in _PLAIN or not X.dtype.isnative or not X.size:
        return False
    if hasattr(model, "feature_names_in_"):
        return False
    return reset or X.shape[1] == getattr(model, "n_features_in_", None)


def _is_finite(X: NDArray[Any]) -> bool:
    """Return whether all numbers of an array are finite. It may return False where one is only very large."""
    return X.flags.forc and X.flags.aligned and may_be_finite(X)


def validated_weight(sample_weight: Any, X: Any) -> NDArray[Any]:
    """Return the result of scikit-learn's check of weights, in the dtype of X."""
    plain = type(sample_weight) is np.ndarray and sample_weight.dtype == X.dtype and sample_weight.shape == X.shape[:1]
    if plain and sample_weight.flags.c_contiguous and _is_finite(sample_weight) and sample_weight.any():
        found: NDArray[Any] = sample_weight  # in which it would find and change nothing
    else:
        found = _validation._check_sample_weight(sample_weight, X, dtype=X.dtype)
    return found


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
