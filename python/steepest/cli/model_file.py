"""Model files: JSON that a person can read. `load_model` and `save_model` are the public functions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import steepest as st

from ..extras import require
from ..inference.coefficient_errors import StandardErrors
from .columns import INTERCEPT, Array, Column
from .encoding import TableEncoder
from .kinds import check_features
from .model import Record, is_classifier, loss_of, parts, pipeline
from .model_checks import checked, once, refuse_constant
from .numbered_file import FORMAT_OF_NUMBERED, content_of_numbered, numbered_of_content, text_of
from .saving import saving
from .tables import TableError, reading

FORMAT = 1  # of models without numbered columns
_KEPT = (
    "alpha",
    "l1_ratio",
    "fit_intercept",
    "standardize",
    "max_iter",
    "tol",
    "batch_size",
    "class_weight",
    "loss",
    "delta",
    "positive",
)


def save_model(estimator: Any, path: str | Path) -> None:
    """Write a fitted model to a file that `load_model` and the command line read.

    The file is JSON. It is written under another name and renamed, so that an error leaves an old file unchanged.

    Parameters
    ----------
    estimator : LinearRegressor, LogisticClassifier, or pipeline from `load_model`
        The fitted model.
    path : str or Path
        The file.

    Raises
    ------
    TypeError
        It is another estimator.
    ValueError
        It is not fitted, or has a number that is not finite.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> import steepest as st
    >>> model = st.LinearRegressor().fit(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     st.save_model(model, pathlib.Path(folder) / "line.json")
    ...     again = st.load_model(pathlib.Path(folder) / "line.json")
    >>> again.predict(np.array([[10.0]])).round(6)
    array([21.])
    """
    with saving(path) as file:
        file.write(text_of(content_of(estimator)).encode())


def load_model(path: str | Path) -> Any:
    """Read a model that `save_model` or ``steepest fit --model`` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    sklearn.pipeline.Pipeline
        The fitted pipeline. Its step "columns" makes numbers of the columns of a table as the fit did, and its step
        "model" is the `LinearRegressor` or `LogisticClassifier`. It predicts data frames of pandas, polars and Arrow
        that have the columns, in any order, and arrays and sparse matrices that have as many.

    Raises
    ------
    ValueError
        The file is not a model, a newer version wrote it, or its parts contradict each other.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import pandas as pd
    >>> import steepest as st
    >>> frame = pd.DataFrame({"hours": [0.0, 1.0, 2.0, 3.0]})
    >>> model = st.LogisticClassifier().fit(frame, ["no", "no", "yes", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     st.save_model(model, pathlib.Path(folder) / "passed.json")
    ...     again = st.load_model(pathlib.Path(folder) / "passed.json")
    >>> print(again.predict(pd.DataFrame({"hours": [0.5, 2.5]})))
    ['no' 'yes']
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with reading(path, "is not a model of steepest"):
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once, parse_constant=refuse_constant)
        json.dumps(content, ensure_ascii=False).encode()  # half of a character, such as \ud800, is no text
    return _model(checked(content, path, FORMAT_OF_NUMBERED))


def content_of(model: Any) -> dict[str, Any]:
    """Return the content of the file of a model."""
    encoder, estimator, record = parts(model)
    sparsified = hasattr(estimator.coef_, "toarray")
    coefficients = np.atleast_2d(np.asarray(estimator.coef_.toarray() if sparsified else estimator.coef_, np.float64))
    intercepts = np.atleast_1d(np.asarray(estimator.intercept_, np.float64))
    _check_finite(encoder, coefficients, intercepts)
    features, numbering = check_features(encoder.columns_), encoder.numbering_
    numbered = 0 if numbering is None else len(numbering.numbers)
    classes = np.asarray(estimator.classes_).tolist() if is_classifier(estimator) else None
    for label in classes or ():
        if not isinstance(label, str | bool | int | float):
            raise TypeError(f"estimator must have classes that are text, numbers or booleans, got {label!r}")
    errors, deviations = record.standard_errors, record.deviations
    errors = None if errors is None or errors.reason else errors
    named = coefficients[:, numbered:].T
    return {
        "format": FORMAT if numbering is None else FORMAT_OF_NUMBERED,
        "version": st.__version__,
        "loss": loss_of(estimator),
        "target": record.target,
        "classes": classes,
        "columns": [column.content() for column in encoder.columns_],
        "missing": encoder.missing,
        "sparse": record.sparse,
        "reading": record.reading,
        **({} if numbering is None else {"numbered": content_of_numbered(numbering, coefficients, errors, deviations)}),
        "coefficients": dict(zip(features, map(_scalar, named), strict=True)),
        "intercept": _scalar(intercepts),
        "standard_errors": None if errors is None else _errors(errors, features, numbered),
        "deviations": None
        if deviations is None
        else dict(zip(features, map(float, deviations[numbered:]), strict=True)),
        "estimator": _parameters(estimator),
        **({"has_offset": True} if getattr(estimator, "_has_offset", False) else {}),
        "settings": record.settings,
        "seed": record.seed,
        "base": np.asarray(record.base).tolist() if record.base is not None else None,
        "metrics": record.metrics,
        "data": record.data,
    }


def _scalar(values: Array) -> Any:
    return float(values[0]) if len(values) == 1 else [float(value) for value in values]


def _or_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_or_none(each) for each in value]
    return value if math.isfinite(value) else None


def _check_finite(encoder: TableEncoder, coefficients: Array, intercepts: Array) -> None:
    for values, name in ((coefficients, encoder.feature_name), (intercepts[:, None], lambda place: "the intercept")):
        finite = np.isfinite(values).all(axis=0)
        if not finite.all():
            place = int(np.argmin(finite))
            number = values[~np.isfinite(values[:, place]), place][0]
            raise TableError(f"the model cannot be saved: the coefficient of '{name(place)}' is {number}")


def _errors(errors: StandardErrors, features: list[str], numbered: int) -> dict[str, Any]:
    table = np.column_stack([errors.coefficients[:, numbered:], errors.intercepts])
    return dict(zip([*features, INTERCEPT], (_or_none(_scalar(column)) for column in table.T), strict=True))


def _parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator that a file can hold, so that the pipeline can be fitted again."""
    given = estimator.get_params()
    if hasattr(estimator, "alpha_"):  # cross-validation chose it
        given.update(alpha=estimator.alpha_, l1_ratio=estimator.l1_ratio_)
    found = {name: value for name, value in given.items() if name in _KEPT}
    found = {name: value for name, value in found.items() if isinstance(value, str | bool | int | float | type(None))}
    if not found.get("positive"):
        found.pop("positive", None)
    if given.get("penalty_weight") is not None:
        factors = require("steepest.estimators.penalties", "cli").column_factors(estimator)
        if factors is not None:
            found["penalty_weight"] = [each if math.isfinite(each) else "inf" for each in factors.tolist()]
    return found


def _model(content: dict[str, Any]) -> Any:
    estimators = require("steepest.estimators", "cli")
    classes, k = content["classes"], 1
    kind = estimators.LinearRegressor if classes is None else estimators.LogisticClassifier
    if classes is not None and len(classes) > 2:
        k = len(classes)
    parameters = {**content["estimator"], "loss": content["loss"].replace("-", "_")}
    known = kind().get_params()
    estimator = kind(**{name: value for name, value in parameters.items() if name in known})
    if estimator.penalty_weight is not None:
        estimator.penalty_weight = np.array(estimator.penalty_weight, np.float64)
    estimator._has_offset = content.get("has_offset", False)
    columns = [Column.of_content(each) for each in content["columns"]]
    # An estimator that was fitted to arrays, without a named target, took every column for numbers.
    numbers = content["settings"].get("numeric", ()) if content["target"] is not None else [c.name for c in columns]
    numbered = numbered_of_content(content.get("numbered"), k)
    encoder = TableEncoder.of_columns(columns, numbered.numbering, missing=content["missing"], numeric=tuple(numbers))
    features = [feature for column in columns for feature in column.features]
    coefficients = np.array([content["coefficients"][feature] for feature in features], np.float64).reshape(-1, k).T
    coefficients = np.hstack([numbered.coefficients, coefficients])
    intercepts = np.atleast_1d(np.array(content["intercept"], np.float64))
    estimator.coef_ = coefficients[0] if classes is None else np.ascontiguousarray(coefficients)
    estimator.intercept_ = intercepts[0] if classes is None else intercepts
    estimator.n_features_in_ = coefficients.shape[1]
    if classes is not None:
        estimator.classes_ = np.array(classes)
    errors, deviations = content["standard_errors"], content["deviations"]
    found = None
    if errors is not None:
        table = np.array([errors[name] for name in [*features, INTERCEPT]], np.float64).reshape(-1, k).T
        found = StandardErrors(np.hstack([numbered.errors, table[:, :-1]]), table[:, -1])
    record = Record(
        **{name: content[name] for name in ("target", "loss", "sparse", "reading", "settings", "seed", "metrics")},
        base=content["base"],
        data=content["data"],
        standard_errors=found,
        deviations=None
        if deviations is None
        else np.append(numbered.deviations, [deviations[feature] for feature in features]),
    )
    return pipeline(encoder, estimator, record)
