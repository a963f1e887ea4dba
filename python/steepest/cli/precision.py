"""The dtype of a fit: what is subtracted from columns before they become float32, and what they lose."""

from __future__ import annotations

import warnings

import numpy as np

from .assembly import Array, Matrix, column_values, is_sparse
from .problem import LOST_PART, Problem
from .tables import TableError
from .targets import is_of_residuals


def shift(problem: Problem) -> tuple[Array, float]:
    """Return what to subtract from the columns and the target before they become float32, which would lose digits.

    Nothing is subtracted from the columns of a sparse matrix, whose zeros would not stay zeros.
    """
    X, y, options = problem.training.X, problem.training.y, problem.options
    none = np.zeros(X.shape[1])
    if options.dtype == "float64":
        return none, 0
    if not options.standardize:
        _warn_of_lost_digits(problem, with_target=True)
        return none, 0
    centre = float(y.mean()) if is_of_residuals(problem.target.loss) else 0
    if is_sparse(X):
        _warn_of_lost_digits(problem, with_target=False)
        return none, centre
    return X.mean(axis=0), centre


def _warn_of_lost_digits(problem: Problem, with_target: bool) -> None:
    """Warn of columns that vary by little more than the precision of float32."""
    X = problem.training.X
    instead = "take --dtype float64" if is_sparse(X) else "leave --no-standardize out, or take --dtype float64"
    names = [problem.encoder.feature_name(int(place)) for place in np.flatnonzero(_loses_digits(X))]
    if with_target and problem.target.classes is None and _loses_digits(problem.training.y[:, None])[0]:
        names.append(problem.target.name)
    for name in names:
        warnings.warn(f"column '{name}' loses most of its digits in float32: {instead}", stacklevel=4)


def _loses_digits(X: Matrix) -> Array:
    """Return for each column whether rounding to float32 loses more than a small part of its range."""
    if not is_sparse(X):
        found = np.zeros(X.shape[1], bool)
        for place, values in enumerate(X.T):
            found[place] = np.abs(values - values.astype(np.float32)).max() > LOST_PART * np.ptp(values) > 0
        return found
    by_columns = column_values(X)
    counts = np.diff(by_columns.indptr)
    column = np.repeat(np.arange(X.shape[1]), counts)
    lost = np.zeros(X.shape[1])
    np.maximum.at(lost, column, np.abs(by_columns.data - by_columns.data.astype(np.float32)))
    is_full = counts == X.shape[0]  # else a zero is one of the values
    least, most = np.where(is_full, np.inf, 0.0), np.where(is_full, -np.inf, 0.0)
    np.minimum.at(least, column, by_columns.data)
    np.maximum.at(most, column, by_columns.data)
    spread = most - least
    return np.asarray((lost > LOST_PART * spread) & (spread > 0))


def cast(X: Matrix, dtype: str, problem: Problem) -> Matrix:
    """Return a matrix of the dtype of the fit, or raise TableError if a number is too large for it."""
    with np.errstate(over="ignore"):
        made: Matrix = X.astype(dtype, copy=False) if is_sparse(X) else np.ascontiguousarray(X, dtype=dtype)
    finite = np.isfinite(made.data if is_sparse(X) else made)
    if not finite.all():
        place = int(X.indices[np.argmin(finite)] if is_sparse(X) else np.argmin(finite.all(axis=0)))
        raise TableError(f"column '{problem.encoder.feature_name(place)}' has values that are not finite in {dtype}")
    return made
