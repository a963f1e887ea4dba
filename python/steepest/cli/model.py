"""The pipeline that a model file holds: a `TableEncoder`, then an estimator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..extras import require
from ..inference.coefficient_errors import StandardErrors
from .assembly import Array, Matrix
from .columns import Column
from .encoding import TableEncoder
from .further import features_of
from .measures import Measures
from .numbered import Numbering
from .tables import NoRowsError, Table, TableError

_OF_CLASSES = "LogisticClassifier"
MOST_NAMED = 1000  # an estimator that was fitted to an array of more columns has numbered ones


@dataclass
class Record:
    """What a model file says besides the columns and the coefficients.

    Attributes
    ----------
    target : str or None
        The column that the model predicts. None if an estimator was fitted to arrays.
    loss : str
    sparse : bool
        Whether the table was a svmlight file. Its absent columns are zeros.
    reading : dict
        How the table was read, as in `ReadOptions`.
    settings : dict
        The options of the fit.
    seed : int or None
    metrics : dict of str to Measures
        The measures of each part of the rows.
    base : list of float, float or None
        What a model without columns predicts: the part of each class, or the mean.
    data : dict
        The name, the number of rows and the SHA-256 digest of the table.
    standard_errors : StandardErrors or None
    deviations : array of shape (features,) or None
        The standard deviations of the features in the training rows.
    """

    target: str | None
    loss: str
    sparse: bool = False
    reading: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    metrics: dict[str, Measures] = field(default_factory=dict)
    base: Any = None
    data: dict[str, Any] = field(default_factory=dict)
    standard_errors: StandardErrors | None = None
    deviations: Array | None = None

    @property
    def unused(self) -> list[str]:
        """The columns of the table that the fit was given and left out, the target and the weights among them."""
        names = [self.target, self.settings.get("weight"), *self.settings.get("drop", ())]
        return [name for name in names if isinstance(name, str)]


def pipeline(encoder: TableEncoder, estimator: Any, record: Record) -> Any:
    """Return the fitted scikit-learn pipeline of an encoder and an estimator. The encoder keeps the record."""
    encoder.record_ = record
    return require("sklearn.pipeline", "cli").Pipeline([("columns", encoder), ("model", estimator)])


def parts(model: Any) -> tuple[TableEncoder, Any, Record]:
    """Return the encoder, the estimator and the record of a model: a pipeline, or a bare estimator.

    Raises
    ------
    TypeError
        It is neither, or an estimator that was fitted to a data frame with categories.
    ValueError
        It is not fitted.
    """
    estimators = require("steepest.estimators", "cli")
    kinds = (estimators.LinearRegressor, estimators.LogisticClassifier)
    steps = [step for _, step in getattr(model, "steps", [])]
    if len(steps) == 2 and isinstance(steps[0], TableEncoder) and isinstance(steps[1], kinds):
        encoder, estimator = steps
    elif isinstance(model, kinds):
        encoder, estimator = None, model
    else:
        expected = "a LinearRegressor, a LogisticClassifier, or a pipeline that load_model returned"
        raise TypeError(f"estimator must be {expected}, got {type(model).__name__}")
    if not hasattr(estimator, "coef_"):
        raise ValueError("estimator must be fitted before it can be saved")
    if np.ndim(estimator.intercept_) == 1 and not is_classifier(estimator):
        k = len(estimator.intercept_)
        raise ValueError(
            f"estimator must have one target to be saved, got {k}; pickle it, or save a model of each target"
        )
    if encoder is None and len(estimator.get_feature_names_out()) != estimator.n_features_in_:
        raise TypeError("estimator must be no model that was fitted to a data frame with categories; pickle it instead")
    if encoder is None:
        encoder = _encoder_of_arrays(estimator)
    record = getattr(encoder, "record_", None)
    return encoder, estimator, Record(None, loss_of(estimator)) if record is None else record


def _encoder_of_arrays(estimator: Any) -> TableEncoder:
    """Return the encoder of an estimator that was fitted to arrays, or to a frame of numbers."""
    n, given = estimator.n_features_in_, getattr(estimator, "feature_names_in_", None)
    if given is None and n > MOST_NAMED:
        return TableEncoder.of_columns([], Numbering(0, n - 1, np.arange(n)), leaves_out=False)
    names = tuple(map(str, range(n) if given is None else given))
    columns = [Column(name, "number") for name in names]
    return TableEncoder.of_columns(columns, numeric=names, leaves_out=False)


def loss_of(estimator: Any) -> str:
    """Return the name of the loss of a fitted estimator."""
    if type(estimator).__name__ == _OF_CLASSES:
        return "logistic" if len(estimator.classes_) == 2 else "softmax"
    return str(getattr(estimator, "loss", "least_squares")).replace("_", "-")


def is_classifier(estimator: Any) -> bool:
    """Return whether an estimator predicts classes."""
    return type(estimator).__name__ == _OF_CLASSES


def predictions(model: Any, table: Table, unknown: str | None = None) -> dict[str, Array]:
    """Return the predicted columns by name, each of shape (rows,).

    A regression has the column "prediction". A classifier has "class" and, for each class, "probability_" and its name.

    If the model was fitted without the rows that have missing values, such rows get no prediction.

    Raises
    ------
    TableError
        A column is absent or holds unsuitable values, or a prediction is not finite.
    """
    encoder, estimator, record = parts(model)
    if unknown is not None:
        encoder.set_params(unknown=unknown)
    features = features_of(table, encoder, record.sparse, unused=record.unused)
    complete = ~features.incomplete() if encoder.missing == "drop" else np.ones(len(features), bool)
    X = features.taken(complete).encoded(encoder)
    columns = _predicted(estimator, X, features.frame.index.to_numpy()[complete] + 1)
    return columns if complete.all() else {name: _spread(column, complete) for name, column in columns.items()}


def _spread(column: Array, complete: Array) -> Array:
    """Return a column with the given values in the complete rows, and no value in the others."""
    numeric = column.dtype.kind == "f"
    spread: Array = np.full(len(complete), np.nan if numeric else None, column.dtype if numeric else object)
    spread[complete] = column
    return spread


def _predicted(estimator: Any, X: Matrix, rows: Array) -> dict[str, Array]:
    if not X.shape[0]:
        raise NoRowsError("no row has a value in every column, and the model was fitted with --missing drop")
    with np.errstate(over="ignore", invalid="ignore"):
        scores = np.asarray(estimator.decision_function(X) if is_classifier(estimator) else estimator.predict(X))
    finite = np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)
    if not finite.all():
        row = rows[int(np.argmin(finite))]
        raise TableError(f"the prediction of row {row} overflows: its numbers are too large")
    if not is_classifier(estimator):
        return {"prediction": scores}
    probabilities = estimator.predict_proba(X)
    columns = {"class": estimator.predict(X)}
    for place, label in enumerate(estimator.classes_):
        columns[f"probability_{label}"] = probabilities[:, place]
    return columns
