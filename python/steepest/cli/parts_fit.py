"""The fit of a table that is read in parts, and its measures, from one more pass over the parts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays.sparse import CSRView
from ..extras import require
from ..inference import coefficient_errors
from ..inference.coefficient_errors import CoefficientErrors
from ..objectives.columns import Columns
from ..optimizers.runner import StopReason
from .columns import Array
from .fitting import Fit, alpha_of, estimator_of, measure, without_errors
from .measures import Measures
from .parts_problem import PartsProblem
from .problem import LOST_PART
from .tally import tally_of

__all__ = ["fit_parts"]


def fit_parts(
    problem: PartsProblem, callbacks: list[Callable[[Any], Any]] | None = None, saved: dict[str, Any] | None = None
) -> Fit:
    """Fit the estimator of a problem, as `fitting.fit` does one in memory.

    Raises
    ------
    OptionError
        The optimizer does not take one of the given options.
    KeyboardInterrupt
        Ctrl-C ended the fit before its first pass.
    """
    options, training = problem.options, problem.parts["training"]
    estimator = estimator_of(options, problem.target, training.known.n_samples, callbacks or [])
    X_val, y_val = _validation(problem)
    try:
        estimator.fit(training, X_val=X_val, y_val=y_val, **(saved or {}))
    except KeyboardInterrupt:
        if not hasattr(estimator, "coef_"):
            raise
    interrupted = estimator.stop_reason_ == StopReason.INTERRUPTED
    columns = training.columns if not interrupted or options.standardize else None
    if columns is not None:
        _look_at(problem, columns)
    used = slice(None) if problem.numbers is None else problem.numbers
    estimator.coef_ = np.asarray(estimator.coef_, np.float64)[..., used]
    estimator.intercept_ = np.asarray(estimator.intercept_, np.float64)
    estimator.n_features_in_ = estimator.coef_.shape[-1]
    if problem.target.classes is not None:
        estimator.classes_ = np.array(problem.target.classes)
    base = _base(problem)
    gone = interrupted or estimator.stop_reason_ == StopReason.DIVERGED
    shape = np.atleast_2d(estimator.coef_).shape
    alpha = alpha_of(options, problem.target, training.known.weight_sum)
    reason = without_errors(options, alpha, estimator, X_val is not None)
    if problem.stream.is_sparse:
        reason = reason or "the rows are sparse, and were read in parts"
    curvature = None if gone or reason else _errors(problem, estimator, columns)
    found = {} if gone else _measures(problem, estimator, base, curvature)
    errors = coefficient_errors.none(shape[0], shape[1], reason)
    if curvature is not None:
        errors = curvature.errors(alpha, options.standardize)
    deviations = None if columns is None else columns.deviation[used]
    return Fit(problem, estimator, errors, found, base, deviations)


def _errors(problem: PartsProblem, estimator: Any, columns: Any) -> CoefficientErrors:
    values = problem.parts["training"].known.targets.values
    return CoefficientErrors(
        problem.target.loss,
        np.atleast_2d(estimator.coef_),
        np.atleast_1d(estimator.intercept_),
        lambda: (columns.mean, columns.deviation),
        float(np.abs(values).max()),
    )


def _validation(problem: PartsProblem) -> tuple[Any, Any]:
    """Return the rows that choose the epoch: parts, arrays or nothing."""
    rows = problem.validation
    if rows is None:
        return problem.parts.get("validation"), None
    y = rows.y if problem.labels is None else problem.labels[rows.y]
    return rows.X.astype(problem.options.dtype), y


def _look_at(problem: PartsProblem, columns: Columns) -> None:
    """Note columns with one value. Warn of those that vary by little more than the precision of the dtype."""
    dtype, of_svmlight = problem.options.dtype, problem.numbers is not None
    names: list[str] = [] if of_svmlight else list(problem.encoder.get_feature_names_out())
    beyond = "; --dtype float64 tells small differences" if dtype == "float32" else ""
    for place, name in enumerate(names):
        mean, deviation = float(columns.mean[place]), float(columns.deviation[place])
        if deviation == 0:
            problem.found.append(f"column '{name}' has only the value {mean:g}{beyond}; --drop '{name}' leaves it out")
        elif _is_rounded(mean, deviation, dtype):
            _warn_of_digits(name, dtype)
    known = problem.parts["training"].known.targets
    if problem.target.classes is None and _is_rounded(known.mean, known.deviation, dtype):
        _warn_of_digits(problem.target.name, dtype)


def _is_rounded(mean: float, deviation: float, dtype: str) -> bool:
    return bool(np.spacing(np.abs(np.dtype(dtype).type(mean))) / 2 > LOST_PART * 4 * deviation > 0)


def _warn_of_digits(name: str, dtype: str) -> None:
    way = "take --dtype float64" if dtype == "float32" else "subtract its mean from it"
    warnings.warn(f"column '{name}' loses most of its digits in {dtype}: {way}", stacklevel=4)


def _base(problem: PartsProblem) -> Any:
    """Return what a model without columns predicts: the part of each class, or the mean."""
    known = problem.parts["training"].known.targets
    if problem.target.classes is None:
        return known.mean
    totals = np.zeros(len(problem.target.classes))
    totals[problem.places(known.values)] = known.totals
    return totals / totals.sum()


def _measures(
    problem: PartsProblem, estimator: Any, base: Any, curvature: CoefficientErrors | None
) -> dict[str, Measures]:
    """Return the measures of each set of rows, in one pass, which adds up the curvature of the training rows too.

    The problem learns how many rows each set has.
    """
    classes = problem.target.classes
    tallies = {name: tally_of(classes, base) for name in problem.chains}
    for sets in problem.rows():
        for name, data in sets.items():
            X = _matrix(data.X, problem.numbers)
            predicted = estimator.predict(X) if classes is None else estimator.predict_proba(X)
            y = problem.places(data.targets)
            tallies[name].add(y, predicted, data.weights)
            if name == "training" and curvature is not None:
                weight = None if data.weights is None else data.weights.astype(np.float64)
                curvature.add(X.astype(np.float64), y.astype(np.float64), weight)
    problem.sizes = {name: tally.rows for name, tally in tallies.items()}
    left = problem.rows_read - sum(problem.sizes.values())
    if left:
        problem.dropped["weight 0"] = left
    found = {name: tally.measures() for name, tally in tallies.items()}
    rows = problem.validation
    if rows is not None:
        problem.sizes["validation"] = len(rows.y)
        found["validation"] = measure(estimator, rows.X, rows.y, rows.weight, classes, base)
    problem.sizes = {name: problem.sizes.get(name, 0) for name in ("training", "validation", "test")}
    return {name: found[name] for name in problem.sizes if name in found}


def _matrix(X: Any, numbers: Array | None) -> Any:
    if not isinstance(X, CSRView):
        return X
    found = require("scipy.sparse", "cli").csr_array((X.widened, X.indices, X.indptr), shape=X.shape)
    return found if numbers is None else found[:, numbers]
