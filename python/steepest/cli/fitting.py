"""The fit of a problem: the estimator that the options ask for, its standard errors and its measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..extras import require
from ..inference import coefficient_errors
from ..optimizers.names import DEFAULT_RATES, OPTIMIZERS
from . import measures, precision
from .assembly import Matrix, column_moments
from .columns import Array
from .model import Record
from .problem import AUTO, FitOptions, Problem
from .tables import OptionError, ReadOptions
from .targets import Target, regressor_options

QUASI_NEWTON = "quasi-newton"
DEFAULT_BATCH_SIZE = 256
DEFAULT_EPOCHS = {True: 1000, False: 100}  # of full-batch steps, of others


@dataclass
class Fit:
    """A fitted estimator, and how it came about.

    Attributes
    ----------
    problem : Problem or PartsProblem
    estimator : LinearRegressor or LogisticClassifier
    errors : StandardErrors
    measures : dict of str to Measures
        Those of each part of the rows.
    base : array or float
        What a model without columns predicts.
    deviations : array of shape (features,), or None
        The standard deviations of the features in the training rows. None if no pass has found them.
    """

    problem: Any
    estimator: Any
    errors: coefficient_errors.StandardErrors
    measures: dict[str, measures.Measures]
    base: Any
    deviations: Array | None

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return float(self.estimator.history_["seconds"][-1])

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the lowest validation loss, if there are validation rows."""
        losses = self.estimator.history_.get("validation_loss")
        return None if losses is None else int(self.estimator.history_["epoch"][int(np.nanargmin(losses))])

    def coefficients(self) -> tuple[Array, Array]:
        """Return the coefficients, of shape (scores, features), and the intercepts."""
        return np.atleast_2d(self.estimator.coef_), np.atleast_1d(self.estimator.intercept_)

    def closing_lines(self) -> list[str]:
        """Return what only the end of the fit could tell of the rows, for a table that was read in parts."""
        lines: list[str] = self.problem.closing_lines()
        return lines

    def record(self, reading: ReadOptions) -> Record:
        """Return what a model file says of the fit, but for the data."""
        problem = self.problem
        settings = {name: value for name, value in asdict(problem.options).items() if value not in (None, ())}
        return Record(
            target=problem.target.name,
            loss=problem.target.loss,
            sparse=problem.sparse,
            reading={key: value for key, value in asdict(reading).items() if key not in ("text", "copies")},
            settings={key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()},
            seed=problem.options.random_state,
            metrics=self.measures,
            base=self.base,
            standard_errors=self.errors,
            deviations=self.deviations,
        )


def fit(
    problem: Problem, callbacks: list[Callable[[Any], Any]] | None = None, saved: dict[str, Any] | None = None
) -> Fit:
    """Fit the estimator of a problem. ``saved`` has the arguments of its fit that are about a checkpoint.

    Raises
    ------
    OptionError
        The optimizer does not take one of the given options.
    KeyboardInterrupt
        Ctrl-C ended the fit before its first pass.
    """
    options, training, validation = problem.options, problem.training, problem.validation
    estimator = estimator_of(options, problem.target, len(training.y), callbacks or [])
    shift, centre = precision.shift(problem)

    def prepared(X: Matrix) -> Matrix:
        return precision.cast(X - shift if shift.any() else X, options.dtype, problem)

    held = None if validation is None else (prepared(validation.X), validation.y - centre)
    try:
        estimator.fit(
            prepared(training.X),
            training.y - centre,
            sample_weight=training.weight,
            X_val=None if held is None else held[0],
            y_val=None if held is None else held[1],
            **(saved or {}),
        )
    except KeyboardInterrupt:
        if not hasattr(estimator, "coef_"):
            raise
    coefficients = np.asarray(estimator.coef_, np.float64)
    estimator.coef_ = coefficients
    estimator.intercept_ = np.asarray(estimator.intercept_, np.float64) - coefficients @ shift + centre
    errors = _standard_errors(problem, estimator)
    classes = problem.target.classes
    base = distribution(training.y, training.weight, None if classes is None else len(classes))
    found = {} if estimator.stop_reason_ == "diverged" else _measures(problem, estimator, base)
    if classes is not None:
        estimator.classes_ = np.array(classes)
    return Fit(problem, estimator, errors, found, base, column_moments(training.X, None)[1])


def estimator_of(options: FitOptions, target: Target, rows: int, callbacks: list[Callable[[Any], Any]]) -> Any:
    """Return the estimator, not fitted yet, that the options ask for.

    Raises
    ------
    OptionError
        It does not take one of the options.
    """
    estimators = require("steepest.estimators", "cli")
    batch_size = _batch_size(options, rows)
    seconds = options.max_seconds
    limit = [] if seconds is None else [lambda progress: progress.seconds > seconds]
    common: dict[str, Any] = {
        "optimizer": options.optimizer,
        "learning_rate": "auto" if options.learning_rate is None else options.learning_rate,
        "batch_size": batch_size,
        "l1_ratio": options.l1_ratio,
        "standardize": options.standardize,
        "max_iter": options.max_epochs or DEFAULT_EPOCHS[batch_size is None],
        "tol": "auto" if options.tol is None else options.tol,
        "early_stopping": options.patience is not None,
        "random_state": options.random_state,
        "callbacks": [*callbacks, *limit] or None,
    }
    if options.patience is not None:
        common["n_iter_no_change"] = options.patience
    if options.alpha is not None:
        common["alpha"] = options.alpha
    if target.classes is not None:
        if options.delta is not None:
            raise OptionError(f"--delta: the loss {target.loss} has none")
        return estimators.LogisticClassifier(**common)
    if options.l1_ratio and options.alpha is None:
        raise OptionError("--l1-ratio: the penalty has no strength; add --alpha")
    return estimators.LinearRegressor(**regressor_options(target.loss, options.delta), **common)


def _batch_size(options: FitOptions, n: int) -> int | None:
    name, size = options.optimizer, options.batch_size
    names = (AUTO, QUASI_NEWTON, *OPTIMIZERS)
    if name not in names:
        raise OptionError(f"--optimizer must be one of {', '.join(names)}, got '{name}'")
    by_steps = isinstance(size, int) and size < n
    if name in (AUTO, QUASI_NEWTON) and options.learning_rate is not None and not (name == AUTO and by_steps):
        raise OptionError("--learning-rate: quasi-newton has none; choose another --optimizer")
    if name == QUASI_NEWTON and by_steps:
        raise OptionError("--batch-size: quasi-newton takes all rows; choose 'all' or another --optimizer")
    if size == "auto":
        size = DEFAULT_BATCH_SIZE if name in DEFAULT_RATES else None
    return None if size is None or size >= n else size


def _standard_errors(problem: Problem, estimator: Any) -> coefficient_errors.StandardErrors:
    coefficients, intercepts = np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_)
    options, training = problem.options, problem.training
    total = float(len(training.y)) if training.weight is None else float(training.weight.sum())
    alpha = alpha_of(options, problem.target, total)
    reason = without_errors(options, alpha, estimator, problem.validation is not None)
    if reason:
        return coefficient_errors.none(coefficients.shape[0], coefficients.shape[1], reason)
    return coefficient_errors.standard_errors(
        problem.target.loss,
        training.X,
        training.y,
        training.weight,
        coefficients,
        intercepts,
        column_moments(training.X, training.weight),
        alpha,
        options.standardize,
    )


def alpha_of(options: FitOptions, target: Target, total: float) -> float:
    """Return the strength of the penalty of a fit to rows of a total weight."""
    if options.alpha is not None:
        return options.alpha
    return 0.0 if target.classes is None else 1.0 / total


def without_errors(options: FitOptions, alpha: float, estimator: Any, chooses_epoch: bool) -> str:
    """Return why a fit has no standard errors, or "" if it may have some."""
    if options.l1_ratio * alpha > 0:
        return "the penalty has an L1 part"
    if estimator.stop_reason_ not in ("GradientNorm", "precision") or chooses_epoch:
        return "the fit did not end at its minimum"
    return ""


def _measures(problem: Problem, estimator: Any, base: Any) -> dict[str, measures.Measures]:
    training, classes = problem.training, problem.target.classes
    parts = {"training": training, "validation": problem.validation, "test": problem.test}
    return {
        name: measure(estimator, part.X, part.y, part.weight, classes, base)
        for name, part in parts.items()
        if part is not None
    }


def distribution(y: Array, weight: Array | None, n_classes: int | None) -> Any:
    """Return what a model without columns predicts: the part of each class, or the mean."""
    if n_classes is None:
        unit = measures.unit_of(y)
        return float(np.average(y / unit, weights=weight)) * unit
    counts = np.bincount(y, weight, minlength=n_classes)
    return counts / counts.sum()


def measure(estimator: Any, X: Matrix, y: Array, weight: Array | None, classes: Any, base: Any) -> measures.Measures:
    """Return the measures of an estimator on some rows. `base` is the `distribution` of the training rows."""
    if classes is None:
        return measures.of_numbers(y, np.asarray(estimator.predict(X), np.float64), base, weight)
    return measures.of_classes(y, estimator.predict_proba(X), base, list(map(str, classes)), weight)
