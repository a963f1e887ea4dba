"""What the commands print, as text for people and as a dict for machines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..optimizers.runner import StopReason
from .assembly import is_sparse, nonzero_part
from .columns import INTERCEPT, Array, Column
from .encoding import TableEncoder
from .fitting import Fit
from .measures import Measures, verdict
from .model import Record, is_classifier, loss_of, parts
from .model_file import content_of
from .numbered import Numbering
from .numbered_file import KEY
from .problem import Problem
from .splitting import DEFAULT_FRACTION, ENOUGH_ROWS
from .tables import some

MOST_COEFFICIENTS = 20
MOST_CLASSES = 4  # with more classes, a table of coefficients would be too wide
WHY: dict[str, str] = {
    StopReason.GRADIENT_NORM: "the gradient is as small as --tol asks",
    StopReason.NO_IMPROVEMENT: "the validation loss has stopped falling",
    StopReason.MAX_EPOCHS: "all passes that --max-epochs allows are done",
    StopReason.CALLBACK: "the time given by --max-seconds is over",
    StopReason.INTERRUPTED: "Ctrl-C was pressed",
    StopReason.PRECISION: "the arithmetic allows no lower loss",
    StopReason.ROUNDING: "rounding hides the way down",
    StopReason.SEPARABLE: "separable classes have no minimum without a penalty",
    StopReason.DIVERGED: "the loss grew beyond all bounds",
}
# "precision" is as far as any run can get. The validation loss ends a run only if the user asked for it.
CONVERGED = (StopReason.GRADIENT_NORM, StopReason.PRECISION, StopReason.NO_IMPROVEMENT)


def rows_lines(problem: Problem) -> Iterator[str]:
    """Yield the lines on the rows and the columns of a problem."""
    used = len(problem.training.y)
    line = f"{problem.rows_read:,} rows read"
    for reason, count in problem.dropped.items():
        line += f", {count:,} left out ({reason})"
    line += f"; {used:,} used"
    chooses = f"of {problem.validation_name} choose the epoch" if problem.validation_name else "choose the epoch"
    for part, purpose in ((problem.validation, chooses), (problem.test, "held out to test the model")):
        if part is not None:
            line += f", {len(part.y):,} {purpose}"
    yield line + _how_chosen(problem)
    for name, reason in problem.encoder.left_out_.items():
        yield f"left out: column '{name}' {reason}"
    yield from problem.notes
    kinds = _kinds(problem.encoder)
    columns, features = problem.encoder.n_features_in_, problem.encoder.n_features
    made_of = f"{columns:,} column{'s' if columns > 1 else ''} ({kinds})"
    X = problem.training.X
    sparse = f", kept sparse: {100 * nonzero_part(X):.2g}% of their numbers are not 0" if is_sparse(X) else ""
    yield f"{made_of} become{'' if columns > 1 else 's'} {features:,} feature{'s' if features > 1 else ''}{sparse}"
    if sparse and problem.options.standardize:
        yield "scaled, a rare feature weighs as much as a frequent one; --no-standardize keeps their units"
    baselines = [f"{name}={level}" for column in problem.encoder.columns_ for name, level in column.baselines()]
    if baselines:
        yield f"baseline levels, which the intercept represents: {some(baselines)}"


def _how_chosen(problem: Problem) -> str:
    if problem.test is None:
        if problem.options.test_fraction is None:
            return f" (none held out to test the model: fewer than {ENOUGH_ROWS} rows; --test-fraction asks for it)"
        return " (none held out to test the model)"
    same = ", the same part of every class" if problem.target.classes is not None else ""
    fraction = problem.options.test_fraction
    part = DEFAULT_FRACTION if fraction is None else fraction
    return f" (a random {part:.3g} by --random-state {problem.options.random_state}{same})"


def _kinds(encoder: TableEncoder) -> str:
    plural = {"number": "numbers", "category": "categories", "date": "dates"}
    counts = {kind: sum(column.kind == kind for column in encoder.columns_) for kind in plural}
    counts["number"] += 0 if encoder.numbering_ is None else encoder.numbering_.width
    return ", ".join(f"{n:,} {kind if n == 1 else plural[kind]}" for kind, n in counts.items() if n)


def convergence_line(fit: Fit) -> str:
    """Return whether a fit converged, in what time and why it ended."""
    reason, passes = fit.estimator.stop_reason_, fit.estimator.n_iter_
    why = WHY.get(reason, reason)
    if reason == StopReason.SEPARABLE and fit.problem.target.classes is None:
        why = "some counts are all 0, so that their rate has no minimum above 0 without a penalty"
    effort = f"{fit.seconds:.2g} s, {passes} pass{'' if passes == 1 else 'es'}"
    if reason in CONVERGED:
        best = "" if fit.best_epoch is None else f"; pass {fit.best_epoch} has the lowest validation loss and is kept"
        return f"converged in {effort}: {why}{best}"
    history = fit.estimator.history_["gradient_norm"]
    share = float(history[-1]) / float(history[0]) if float(history[0]) > 0 else math.nan
    kept = "" if fit.best_epoch is None else f"; pass {fit.best_epoch} has the lowest validation loss and is kept"
    return f"not converged: {why} ({effort}); the gradient is {share:.2g} times the one at the start{kept}"


def coefficient_lines(model: Any, most: int | None = MOST_COEFFICIENTS) -> Iterator[str]:
    """Yield a table of the coefficients: those with the largest effect first, the effect of one standard deviation."""
    encoder, estimator, record = parts(model)
    coefficients, intercepts = np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_)
    deviations = np.ones(encoder.n_features) if record.deviations is None else record.deviations
    order = np.argsort(-np.abs(coefficients * deviations).max(axis=0), kind="stable")[:most]
    errors = record.standard_errors
    several = len(intercepts) > 1
    if several and len(intercepts) > MOST_CLASSES:
        yield f"the coefficients of {len(intercepts)} classes are in the model file"
        return
    shown = "" if len(order) == encoder.n_features else f" ({len(order)} largest effects of {encoder.n_features:,})"
    names = {j: encoder.feature_name(int(j)) for j in order}
    yield f"coefficients{shown}, in the units of the columns{_of_what(estimator)}"
    width = max(map(len, [*names.values(), INTERCEPT]))
    shown_errors = None if errors is None or errors.reason else errors
    cell = 26 if several and shown_errors else 14
    heads = ["coefficient", *["std. error"] * (shown_errors is not None)]
    if several:
        ending = " (std. error)" if shown_errors else ""
        heads = [f"{label}{ending}" for label in estimator.classes_]
    yield f"  {'':{width}}" + "".join(f"{head:>{cell}}" for head in heads)
    for j in (*order, -1):
        name, values = (INTERCEPT, intercepts) if j < 0 else (names[j], coefficients[:, j])
        found = None
        if shown_errors is not None:
            found = shown_errors.intercepts if j < 0 else shown_errors.coefficients[:, j]
        yield f"  {name:{width}}" + "".join(f"{text:>{cell}}" for text in _cells(values, found))
    if errors is not None and errors.reason:
        yield f"  without standard errors: {errors.reason}"
    elif errors is not None and np.isnan(errors.coefficients).any():
        yield "  a coefficient without a standard error is not determined, as columns depend on each other"


def _of_what(estimator: Any) -> str:
    if not is_classifier(estimator):
        return ""
    if len(estimator.classes_) == 2:
        return f"; they act on the log-odds of '{estimator.classes_[1]}' against '{estimator.classes_[0]}'"
    return "; they act on the score of each class"


def _cells(values: Array, errors: Array | None) -> list[str]:
    """Return the cells of a line: a coefficient and its error in two cells, or several with theirs in parentheses."""
    numbers = [f"{value:.6g}" for value in values]
    if errors is None:
        return numbers
    texts = [f"{error:.3g}" if np.isfinite(error) else "none" for error in errors]
    if len(values) == 1:
        return [*numbers, *texts]
    return [f"{number} ({text})" for number, text in zip(numbers, texts, strict=True)]


def measure_lines(found: dict[str, Measures]) -> Iterator[str]:
    """Yield a table of measures, one column for each part of the rows."""
    names = list(found)
    yield " " * 24 + "".join(f"{name:>14}" for name in names)
    first = next(iter(found.values()))
    if "accuracy" in first:
        labels = {"accuracy": "accuracy", "base_rate": "base rate", "log_loss": "log loss"}
        labels |= {"base_log_loss": "base rate's log loss", "auc": "AUC"}
    else:
        labels = {"r2": "R2", "rmse": "RMSE", "mae": "MAE", "base_rmse": "RMSE of the mean"}
    for key, label in labels.items():
        yield f"{label:24}" + "".join(f"{_number(each[key]):>14}" for each in found.values())
    last = found[names[-1]]
    if "confusion" in last:
        yield from _confusion(last, names[-1])
    sentence = verdict(last, names[-1])
    if sentence:
        yield sentence
    if names == ["training"]:
        yield "no rows were held out: measures of training rows flatter a model"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.5g}"


def _confusion(measures: Measures, part: str) -> Iterator[str]:
    names = list(measures["precision"])
    if len(names) > 10:
        yield f"confusion, precision and recall of {len(names)} classes: --json or the model file"
        return
    width = max(12, *(len(name) + 2 for name in names))
    label = max(len(name) for name in [*names, "actual"])
    yield f"{part} rows by actual class (lines) and predicted class (columns)"
    yield f"  {'':{label}}" + "".join(f"{name:>{width}}" for name in names) + f"{'recall':>10}{'precision':>11}"
    for name, counts in zip(names, measures["confusion"], strict=True):
        row = "".join(f"{count:>{width},.6g}" for count in counts)
        recall, precision = _number_of(measures["recall"][name]), _number_of(measures["precision"][name])
        yield f"  {name:{label}}{row}{recall:>10}{precision:>11}"


def _number_of(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def of_fit(fit: Fit, model: Any, messages: list[str]) -> dict[str, Any]:
    """Return what `steepest fit` reports, for `--json`."""
    problem = fit.problem
    return {
        "target": problem.target.name,
        "loss": problem.target.loss,
        "why": problem.target.why,
        "classes": None if problem.target.classes is None else list(problem.target.classes),
        "rows": {
            "read": problem.rows_read,
            "left_out": problem.dropped,
            **problem.sizes,
        },
        "left_out": problem.encoder.left_out_,
        "notes": [*problem.notes, *fit.closing_lines()],
        "warnings": messages,
        "converged": fit.estimator.stop_reason_ in CONVERGED,
        "stop_reason": fit.estimator.stop_reason_,
        "passes": int(fit.estimator.n_iter_),
        "seconds": fit.seconds,
        "best_epoch": fit.best_epoch,
        **coefficients_of(model),
        "metrics": fit.measures,
    }


def coefficients_of(model: Any) -> dict[str, Any]:
    """Return the coefficients, intercepts and standard errors of a model, by the names of features."""
    content = content_of(model)
    return {key: content[key] for key in (KEY, "coefficients", "intercept", "standard_errors") if key in content}


def explanation(model: Any, most: int | None) -> Iterator[str]:
    """Yield the lines of `steepest explain`."""
    encoder, estimator, record = parts(model)
    kind = f"{type(estimator).__name__} with the loss {loss_of(estimator)}"
    yield f"{kind}; target {_target(record)}{_classes(estimator)}"
    if record.data:
        yield "fitted to {name} ({rows} rows, SHA-256 {sha256})".format_map({"name": "", "rows": "", **record.data})
    yield f"{encoder.n_features_in_:,} columns:"
    if encoder.numbering_ is not None:
        yield f"  {_numbered(encoder.numbering_)}"
    for column in encoder.columns_:
        yield f"  {_described(column)}"
    yield from coefficient_lines(model, most)
    if record.metrics:
        yield from measure_lines(record.metrics)
    if record.settings:
        yield "settings: " + ", ".join(f"{key} {value}" for key, value in record.settings.items())


def _target(record: Record) -> str:
    return "not recorded" if record.target is None else f"'{record.target}'"


def _classes(estimator: Any) -> str:
    return f" with the classes {some(list(estimator.classes_))}" if is_classifier(estimator) else ""


def _numbered(numbering: Numbering) -> str:
    found, without = len(numbering.numbers), len(numbering.unused)
    less = f", {without:,} of which serve another purpose" if without else ""
    return f"'{numbering.first}' to '{numbering.last}': numbers{less}; {found:,} of them have coefficients"


def _described(column: Column) -> str:
    if column.kind == "number":
        fill = "" if column.fill is None else f"; {column.fill:.6g} replaces missing values"
        return f"'{column.name}': a number{fill}{', and a feature tells them' if column.flagged else ''}"
    if column.kind == "category":
        order = " in order" if column.ordered else ""
        return f"'{column.name}': a category with {len(column.levels)} levels{order}, baseline '{column.levels[0]}'"
    names = ", ".join(part.name.rpartition(".")[2] for part in column.parts)
    return f"'{column.name}': a date, of which the model uses {names}; days are counted from {column.origin}"
