"""Data frames with categories: an estimator fits them as a `Table`, whose categorical columns are codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays.categorical import Baseline
from ..arrays.encoding import FrameEncoder, check_choice
from ..arrays.frames import has_categories, is_frame
from ..arrays.table import Table
from ..extras import require

__all__ = ["FrameNames", "encoded", "n_coefficients", "validated_table"]


class FrameNames:
    """Adds the names of the coefficients to an estimator. It stands before BaseEstimator among the bases."""

    n_features_in_: int

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the coefficients, in their order: an array of str, of shape (n_coefficients,).

        A categorical column of a data frame has a coefficient ``column=level`` for each level. If X had no names, they
        are "x0", "x1", and so on.

        Raises
        ------
        NotFittedError
            The model is not fitted.
        """
        require("sklearn.utils.validation", "sklearn").check_is_fitted(self, ["coef_"])
        if (encoder := _encoder_of(self)) is not None:
            return np.array(encoder.names, dtype=object)
        names = getattr(self, "_table_names", getattr(self, "feature_names_in_", None))
        found = [f"x{j}" for j in range(self.n_features_in_)] if names is None else names
        return np.array(found, dtype=object)


def _encoder_of(model: Any) -> FrameEncoder | None:
    return getattr(model, "_frame_encoder", None)


def n_coefficients(model: Any) -> int:
    """Return the number of coefficients of a score. A category has several, but is one column of X."""
    encoder = _encoder_of(model)
    return int(model.n_features_in_) if encoder is None else len(encoder.names)


def encoded(model: Any, X: Any, reset: bool) -> Any:
    """Return the table of a data frame that has categories; X itself if it is something else.

    With ``reset``, the columns and levels of X become those of the model.

    Raises
    ------
    TypeError, ValueError
        A column misses values or has levels that the fit did not see, and the model's parameters do not allow it. Or X
        is no data frame, and the model was fitted to one that had categories.
    """
    if reset:
        for name in ("_frame_encoder", "_table_names"):
            model.__dict__.pop(name, None)
        encoder = None if isinstance(X, Table) else _learned(model, X)
        if encoder is not None:
            model._frame_encoder = encoder
        elif isinstance(X, Table):
            model._table_names = X.names
    else:
        encoder = _encoder_of(model)
    if encoder is None or isinstance(X, Table):
        return X
    if not is_frame(X):
        raise TypeError(f"X must be a data frame with the columns of the fit, got {type(X).__name__}")
    unknown = model.handle_unknown
    check_choice("handle_unknown", unknown, ("error", "baseline", "zeros"))
    return Table.of_encoder(encoder, X, unknown)


def _learned(model: Any, X: Any) -> FrameEncoder | None:
    """Return the encoder of a data frame, if it has categories."""
    categorical = getattr(model, "categorical", None)
    if categorical is None:
        return None
    automatic = isinstance(categorical, str) and categorical == "auto"
    if not is_frame(X):
        if automatic:
            return None
        raise TypeError(f"X must be a data frame with categorical={categorical!r}, got {type(X).__name__}")
    if automatic and not has_categories(X):
        return None
    if not (model.drop is None or (isinstance(model.drop, str) and model.drop in ("auto", "first"))):
        raise ValueError(f"drop must be 'auto', 'first' or None, got {model.drop!r}")
    check_choice("handle_missing", model.handle_missing, ("error", "level"))
    drops = model.drop == "first" or (model.drop == "auto" and model.alpha == 0.0)
    baseline: Baseline = "first" if drops else None
    return FrameEncoder.learn(X, categorical, baseline, model.handle_missing, option="handle_missing")


def validated_table(
    model: Any, X: Table, *y: Any, reset: bool, y_numeric: bool = False, multi_output: bool = False, **_: Any
) -> Any:
    """Return a table and checked targets, as scikit-learn's validate_data does of arrays; set or check the names."""
    encoder, validation = _encoder_of(model), require("sklearn.utils.validation", "sklearn")
    if reset:
        names = None if encoder is None else [column.name for column in encoder.columns]
        model.n_features_in_ = X.shape[1] if names is None else len(names)
        model.__dict__.pop("feature_names_in_", None)
        if names is not None and all(isinstance(name, str) for name in names):
            model.feature_names_in_ = np.array(names, dtype=object)
    elif X.shape[1] != (expected := n_coefficients(model)):
        name = type(model).__name__
        raise ValueError(f"X has {X.shape[1]} features, but {name} is expecting {expected} features as input")
    X.check_finite()
    if not y:
        return X
    targets = validation._check_y(y[0], multi_output=multi_output, y_numeric=y_numeric, estimator=model)
    validation.check_consistent_length(X, targets)
    return X, targets
