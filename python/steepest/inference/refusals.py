"""The reasons why a model has no standard errors: each is a ValueError that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.separability import separation
from ..estimators.fitted import FittedModel
from ..objectives.losses import LeastSquares
from ..optimizers.runner import StopReason
from .coordinates import Coordinates
from .curvature import Curvature
from .information import Information

__all__ = ["check_columns", "check_determined", "check_minimum", "check_model", "check_separable", "check_units"]

Array = NDArray[np.float64]
INTERCEPT = "(intercept)"
MOST_PARAMETERS = 6000
_LIMIT = 1e9  # size of the intercept of a class without a weight
_NAMED = 8  # at most so many columns are named
_NEAR = 1e-3  # a step that lowers twice the negative log-likelihood by no more is at the minimum
_EXACT = 1e-14  # share of the targets' variance by which a fit without errors may be off
_LEAST_DEVIATION, _MOST_DEVIATION = 1e-150, 1e150  # whose squares are in float64
_UNITS = 8.0  # of the last place: how far rounded coefficients may be off


def check_model(given: FittedModel) -> None:
    """Check that the fit has standard errors."""
    settings, parameters = given.settings, given.parameters
    if given.classes is None and len(parameters.coefficients) > 1:
        k = len(parameters.coefficients)
        raise ValueError(f"model must have one target, got {k}; fit and summarise a model for each target")
    factors = given.penalty_weight
    penalised = factors is None or bool((factors > 0).any())
    if given.alpha * settings.l1_ratio > 0.0 and penalised:
        raise ValueError(
            f"alpha and l1_ratio must leave no L1 penalty for standard errors, got l1_ratio={settings.l1_ratio:g} with "
            f"alpha={given.alpha:g}: the penalty chooses the columns by the same rows, so the estimates are not normal "
            "(Leeb and Pötscher, 'Model Selection and Inference: Facts and Fiction', 2005). Fit without it, on rows "
            "that did not choose the columns"
        )
    if given.is_positive:
        raise ValueError(
            "positive must be False for standard errors, got True: estimates at a bound are not normal; fit without it"
        )
    if factors is not None and not np.isfinite(factors).all():
        raise ValueError(
            "penalty_weight must be finite for standard errors; fit without the columns that it leaves out"
        )
    if given.classes is not None and (np.abs(parameters.intercepts) >= _LIMIT).any():
        at = int(np.argmax(np.abs(parameters.intercepts)))
        which = (
            given.classes[at] if len(parameters.intercepts) > 1 else given.classes[int(parameters.intercepts[0] < 0)]
        )
        raise ValueError(
            "every class must have a weight for standard errors, got none for "
            f"{which.item() if isinstance(which, np.generic) else which!r}; leave it out of y"
        )
    size = parameters.coefficients.size + len(parameters.intercepts) * settings.fit_intercept
    if size > MOST_PARAMETERS:
        raise ValueError(
            f"model must have at most {MOST_PARAMETERS:,} parameters for standard errors, got {size:,}: their "
            "covariance is a dense matrix"
        )
    if not (np.isfinite(parameters.coefficients).all() and np.isfinite(parameters.intercepts).all()):
        raise ValueError("model must have finite coefficients, got nan or infinity")


def check_separable(given: FittedModel) -> None:
    """Check that finite coefficients minimise the loss of a fit without a penalty."""
    found: str = "all" if given.stop_reason == StopReason.SEPARABLE else ""
    rows = given.rows
    if not found and (given.loss.is_of_classes or given.loss.is_of_counts):
        parameters = given.parameters
        objective = given.loss(
            rows.X,
            rows.y,
            sample_weight=rows.loss_weight,
            intercept=given.settings.fit_intercept,
            alpha=given.alpha,
            **given.options,
        )
        table = parameters.coefficients
        if given.settings.fit_intercept:
            table = np.column_stack([table, parameters.intercepts])
        w = np.ascontiguousarray(table.ravel(), objective.dtype)
        found = separation(objective, w, objective.value(w))
    if found:
        what, remedy = "planes separate classes", "; give a penalty (alpha > 0)"
        if given.loss.is_of_counts:
            what = "y has only zeros where some columns are not 0"
            if not rows.y.any():
                what, remedy = "y has only zeros", ""
        raise ValueError(
            f"there are no standard errors: {what}, so that no finite coefficients maximise the likelihood{remedy}. "
            "Albert and Anderson, 'On the existence of maximum likelihood estimates in logistic regression models', "
            "1984"
        )


def check_columns(given: FittedModel, where: Coordinates) -> None:
    """Check that no column is constant beside an intercept, or all zeros without one."""
    still = [given.names[j] for j in np.flatnonzero(~where.varies)]
    if still:
        what = "constant beside the intercept" if where.intercept else "all zeros"
        raise ValueError(
            f"the Hessian is singular: X must have no column that is {what}, got {_listed(still)}; leave "
            f"{'it' if len(still) == 1 else 'them'} out"
        )


def check_determined(given: FittedModel, where: Coordinates, found: Information | None, blocks: Any) -> Information:
    """Check that the Hessian is not singular, and return the information. The error names dependent columns, exactly.

    ``blocks`` yields the rows in float64.
    """
    if found is None:
        raise ValueError("the Hessian overflows: bring the columns of X and the targets to units near 1")
    if not found.inverse.flat.shape[1]:
        return found
    lost = _lost(where, found)
    if not given.loss.constant_curvature:  # is it the columns, or the curvature of the loss?
        squares = Curvature(LeastSquares, {}, np.zeros((1, len(where.scale))), np.zeros(1), _single(where))
        for X, _, weight, _ in blocks:
            squares.add(X, np.zeros(len(X)), weight)
        gram = Information.of(squares, _single(where), np.zeros(len(where.scale)))
        if gram is not None and not gram.inverse.flat.shape[1]:
            raise ValueError(
                "the Hessian is singular: at the fitted coefficients the loss has no curvature for "
                f"{_listed(_names(given, lost))}; it has not converged, or has no minimum: give a penalty"
            )
        lost, found = lost if gram is None else _lost(_single(where), gram), found if gram is None else gram
    names, n, p = _names(given, lost), len(given.rows), len(given.names) + where.intercept
    few = f"there are only {n:,} rows for {p:,} parameters; " if n < p else ""
    raise ValueError(
        f"the Hessian is singular: {few}{_listed(names)} depend on each other; leave out "
        f"{found.inverse.flat.shape[1]} of them, or fit with a penalty (alpha > 0)"
    )


def check_units(given: FittedModel, where: Coordinates, found: Information) -> None:
    """Raise a ValueError if the variances of some coefficients are beyond float64, as with units of 1e-200."""
    deviations = found.deviations()
    beyond = (deviations >= _MOST_DEVIATION) | ((deviations > 0.0) & (deviations <= _LEAST_DEVIATION))
    wrong = np.asarray(np.asarray(beyond).reshape(where.n_scores, -1).any(axis=0))
    if wrong.any():
        raise ValueError(
            "the variances of coefficients must be within float64: bring X to units near 1 in the columns of "
            f"{_listed(_names(given, wrong))}"
        )


def check_minimum(
    given: FittedModel, found: Information, columns: Any, dispersion: float, errors: Array, unit: float
) -> None:
    """Check that the fitted parameters minimise the loss of these rows.

    Parameters
    ----------
    given : FittedModel
        The model and the rows.
    found : Information
        The curvature of the rows at the parameters.
    columns : Columns
        The statistics of the columns.
    dispersion : float
        The variance of the slopes divided by the mean curvature: 1 for a likelihood.
    errors : array of shape (n_parameters,)
        The standard errors of the parameters.
    unit : float
        The unit of the targets in the sums.
    """
    step, gain = found.step()
    allowed = 0.5 * _NEAR * dispersion + _rounding(given, found, columns, unit)
    if gain <= allowed and given.stop_reason != StopReason.DIVERGED:
        return
    sizes = np.abs(step) / np.where(errors > 0, errors, 1.0)
    at = int(np.argmax(sizes))
    width = len(step) // len(given.parameters.coefficients)
    name = [*given.names, INTERCEPT][at % width]
    reason = f" (it stopped with {given.stop_reason!r})" if given.stop_reason else ""
    raise ValueError(
        f"X, y and sample_weight must be those of a fit that has converged{reason}: a step of Newton's method from the "
        f"fitted parameters would move {name!r} by {sizes[at]:.3g} standard errors. Give the rows of the fit, or fit "
        f"with more passes (max_iter) or a smaller tol. {given.diagnosis}".rstrip()
    )


def _rounding(given: FittedModel, found: Information, columns: Any, unit: float) -> float:
    """Return by how much rounded coefficients, and targets, may raise the sum of the losses."""
    parameters = given.parameters
    lengths = np.hypot(columns.mean, columns.deviation)
    scores = np.abs(parameters.coefficients) @ lengths + np.abs(parameters.intercepts)
    size, rows, exact = float(scores.max()), given.rows, 0.0
    if given.loss.is_of_residuals:
        y = rows.y.astype(np.float64) / unit
        size += float(np.abs(y).max()) * unit
        weight = None if rows.loss_weight is None else rows.loss_weight.astype(np.float64)
        variance = float(np.average((y - np.average(y, weights=weight)) ** 2, weights=weight))
        exact = max(_EXACT, 10.0 * (_UNITS * given.eps) ** 2) * variance * rows.total()
    curvature = float(np.diag(found.smooth).max())
    return 0.5 * curvature * (_UNITS * given.eps * size / unit) ** 2 + exact


def _single(where: Coordinates) -> Coordinates:
    return Coordinates(1, where.centre, where.scale, where.varies, where.intercept)


def _lost(where: Coordinates, found: Information) -> NDArray[np.bool_]:
    """Return which of the parameters of a score nothing determines."""
    return np.asarray(found.undetermined().reshape(where.n_scores, -1).any(axis=0))


def _names(given: FittedModel, lost: NDArray[np.bool_]) -> list[str]:
    return [name for name, each in zip([*given.names, INTERCEPT], lost, strict=False) if each]


def _listed(names: list[str]) -> str:
    *some, last = [name if name == INTERCEPT else repr(name) for name in names[:_NAMED]]
    if len(names) > _NAMED:
        return ", ".join([*some, last]) + f", ... ({len(names)} in all)"
    return f"{', '.join(some)} and {last}" if some else last
