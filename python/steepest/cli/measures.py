"""How good a model is on some rows, beside one that knows the target's distribution only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..extras import require
from .columns import Array

ENOUGH_ROWS = 30  # with fewer rows, the spread of the differences is not known
Measures = dict[str, Any]


def of_classes(
    y: Array, probabilities: Array, shares: Array, names: list[str], weight: Array | None = None
) -> Measures:
    """Return the measures of a classifier.

    Parameters
    ----------
    y : array of int, shape (rows,)
        The places of the classes.
    probabilities : array of shape (rows, classes)
        The predicted probabilities.
    shares : array of shape (classes,)
        The part of each class in the training rows, which a model without columns would predict.
    names : list of str
        The names of the classes.
    weight : array of shape (rows,), optional
        The weights of the rows.
    """
    metrics = require("sklearn.metrics", "cli")
    places = np.arange(len(names))
    predicted = probabilities.argmax(axis=1)
    common = int(shares.argmax())
    options = {"sample_weight": weight}
    tiny = np.finfo(np.float64).tiny
    losses = -np.log(np.maximum(probabilities[np.arange(len(y)), y], tiny))
    base = -np.log(np.maximum(shares[y], tiny))
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        y, predicted, labels=places, zero_division=np.nan, **options
    )
    return {
        "rows": len(y),
        "base_rate": float(np.average(y == common, weights=weight)),
        "base_class": names[common],
        "accuracy": float(metrics.accuracy_score(y, predicted, **options)),
        "log_loss": float(np.average(losses, weights=weight)),
        "base_log_loss": float(np.average(base, weights=weight)),
        "auc": _auc(y, probabilities, weight),
        "precision": dict(zip(names, map(_or_none, precision), strict=True)),
        "recall": dict(zip(names, map(_or_none, recall), strict=True)),
        "confusion": metrics.confusion_matrix(y, predicted, labels=places, **options).tolist(),
        "better_than_base": _is_better(base - losses, weight),
    }


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _auc(y: Array, probabilities: Array, weight: Array | None) -> float | None:
    """Return the area under the ROC curve; for several classes, the mean over each against the others, by their size.

    It is None if a class has no row.
    """
    roc_auc_score, k = require("sklearn.metrics", "cli").roc_auc_score, probabilities.shape[1]
    present = np.bincount(y, weight, minlength=k)
    if (present == 0).any():
        return None
    each = [roc_auc_score(y == place, probabilities[:, place], sample_weight=weight) for place in range(k)]
    return float(each[1]) if k == 2 else float(np.average(each, weights=present))


def unit_of(*values: Any) -> float:
    """Return a power of 2 near the largest of numbers. In units of it, their squares neither overflow nor vanish."""
    largest = max(float(np.abs(each).max()) for each in values)
    return 2.0 ** (math.frexp(largest)[1] - 1) if 0 < largest < math.inf else 1.0


def of_numbers(y: Array, predicted: Array, mean: float, weight: Array | None = None) -> Measures:
    """Return the measures of a regression. `mean` is the mean of the training targets, the model without columns."""
    metrics = require("sklearn.metrics", "cli")
    options = {"sample_weight": weight}
    unit = unit_of(y, predicted, mean)
    y, predicted = y / unit, predicted / unit
    squares, base = (y - predicted) ** 2, (y - mean / unit) ** 2
    varies = len(y) > 1 and float(np.ptp(y)) > 0
    return {
        "rows": len(y),
        "r2": float(metrics.r2_score(y, predicted, **options)) if varies else None,
        "rmse": math.sqrt(float(np.average(squares, weights=weight))) * unit,
        "mae": float(metrics.mean_absolute_error(y, predicted, **options)) * unit,
        "base_rmse": math.sqrt(float(np.average(base, weights=weight))) * unit,
        "base_value": mean,
        "better_than_base": _is_better(base - squares, weight),
    }


def _is_better(gains: Array, weight: Array | None) -> bool:
    """Return whether the mean gain is above 0 by more than its standard error, where the rows can show that."""
    mean = float(np.average(gains, weights=weight))
    if len(gains) < ENOUGH_ROWS:
        return mean > 0
    error = math.sqrt(float(np.average((gains - mean) ** 2, weights=weight)) / len(gains))
    return mean > error


def verdict(measures: Measures, part: str) -> str:
    """Return a sentence if the model is no better than one without columns, else ""."""
    rows = f"as far as the {measures['rows']:,} {part} rows show"
    if "accuracy" not in measures:
        if measures["better_than_base"]:
            return ""
        value, rmse = measures["base_value"], measures["base_rmse"]
        return f"the model is no better than always predicting the mean, {value:.6g} (RMSE {rmse:.6g}), {rows}"
    always = f"always saying '{measures['base_class']}' (accuracy {measures['base_rate']:.3f})"
    if not measures["better_than_base"]:
        return f"the model is no better than the base rate, {always}, {rows}"
    if measures["accuracy"] <= measures["base_rate"]:
        return (
            f"the classes are no more often right than {always}; the probabilities say more (log loss "
            f"{measures['log_loss']:.3g} against {measures['base_log_loss']:.3g})"
        )
    return ""
