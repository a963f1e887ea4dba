"""Standard errors of coefficients, from the Hessian of the objective at its minimum.

The covariance of maximum-likelihood estimates is the inverse of the Hessian of the negative log-likelihood, here with
the L2 penalty: T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2nd edition, 2009,
equations 3.8 (least squares) and 4.26 (logistic).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import steepest as st

from .assembly import Array, Matrix, is_sparse
from .assembly import moments as sparse_moments

MOST_PARAMETERS = 1500
_NULL = 1e-10  # curvature below this part of the largest one is none
_SHARE = 1e-6  # a parameter whose share in directions without curvature exceeds this is not determined
_LIKELIHOODS = {"logistic": "Logistic", "softmax": "Softmax", "poisson": "Poisson", "least-squares": "LeastSquares"}


@dataclass(frozen=True)
class StandardErrors:
    """The standard errors of the coefficients, (scores, features), and of the intercepts, (scores,); NaN for none.

    `reason` says why there are none at all; it is empty if there are some.
    """

    coefficients: Array
    intercepts: Array
    reason: str = ""


def none(n_scores: int, n_features: int, reason: str) -> StandardErrors:
    """Return no standard errors, and the reason."""
    return StandardErrors(np.full((n_scores, n_features), np.nan), np.full(n_scores, np.nan), reason)


def moments(X: Matrix, weight: Array | None) -> tuple[Array, Array]:
    """Return the means and the standard deviations of columns, without overflow."""
    if is_sparse(X):
        return sparse_moments(X, weight)
    unit = np.maximum(np.abs(X).max(axis=0), np.finfo(np.float64).tiny)
    mean = np.average(X / unit, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X / unit - mean) ** 2, axis=0, weights=weight)) * unit
    return mean * unit, np.where(X.min(axis=0) == X.max(axis=0), 0.0, deviation)


def standard_errors(
    loss: str,
    X: Matrix,
    y: Array,
    weight: Array | None,
    coefficients: Array,
    intercepts: Array,
    alpha: float,
    standardized: bool,
) -> StandardErrors:
    """Return the standard errors of a fit without an L1 penalty.

    Parameters
    ----------
    loss : str
        The name of the loss.
    X, y, weight : arrays of shapes (rows, features), (rows,) and (rows,), or None
        The training rows. X may be a CSR matrix. A weight of k means k copies of a row.
    coefficients, intercepts : arrays of shapes (scores, features) and (scores,)
        The parameters that the fit found.
    alpha : float
        The strength of the L2 penalty.
    standardized : bool
        Whether the penalty is that of standardised columns.
    """
    found = Curvature(loss, coefficients, intercepts, lambda: moments(X, weight), float(np.abs(y).max()))
    found.add(X, y, weight)
    return found.errors(alpha, standardized)


class Curvature:
    """The curvature of a loss at its minimum, added up over sets of rows, and the standard errors that it gives.

    Parameters
    ----------
    loss : str
        The name of the loss.
    coefficients, intercepts : arrays of shapes (scores, features) and (scores,)
        The parameters that the fit found.
    of_columns : callable
        Returns the means and the standard deviations of the columns of all rows.
    largest : float
        The largest absolute value of a target.
    """

    def __init__(
        self,
        loss: str,
        coefficients: Array,
        intercepts: Array,
        of_columns: Callable[[], tuple[Array, Array]],
        largest: float,
    ) -> None:
        self._loss, (self._k, self._p) = loss, coefficients.shape
        self._weight = self._value = 0.0
        self._hessian: Any = 0.0
        self._reason = ""
        if loss not in _LIKELIHOODS:
            self._reason = f"the loss {loss} is no likelihood"
        elif self._k * (self._p + 1) > MOST_PARAMETERS:
            self._reason = f"more than {MOST_PARAMETERS:,} parameters"
        if self._reason:
            return
        mean, scale = of_columns()
        self._varies = scale > 0
        self._mean, self._scale = mean[self._varies], scale[self._varies]
        if not self._varies.any():
            self._reason = "no column varies"
        # With least squares, numbers in units of the largest target have squares that neither overflow nor vanish.
        self._unit = largest if loss == "least-squares" and largest > 0 else 1.0
        self._parameters = np.column_stack([coefficients[:, self._varies], intercepts]) / self._unit

    def add(self, X: Matrix, y: Array, weight: Array | None) -> None:
        """Add the curvature of rows. The parameters are those of `standard_errors`."""
        total = float(len(y)) if weight is None else float(weight.sum(dtype=np.float64))
        if self._reason or total == 0.0:
            return
        X = X if self._varies.all() else X[:, self._varies]
        with np.errstate(over="ignore", invalid="ignore"):
            value, hessian = _curvature(
                self._loss, X, y / self._unit, weight, self._parameters, self._mean, self._scale
            )
            self._value, self._hessian = self._value + total * value, self._hessian + total * hessian
        self._weight += total

    def errors(self, alpha: float, standardized: bool) -> StandardErrors:
        """Return the standard errors, for a penalty as in `standard_errors`."""
        k, p, total, scale = self._k, self._p, self._weight, getattr(self, "_scale", None)
        if self._reason or scale is None:
            return none(k, p, self._reason)
        with np.errstate(over="ignore", invalid="ignore"):
            penalty = np.append(np.ones(len(scale)) if standardized else scale**-2.0, 0.0)
            hessian = self._hessian + total * alpha * np.diag(np.tile(penalty, k))
            if not np.isfinite(hessian).all():
                return none(k, p, "the numbers are too large")
            variances, rank = _of_covariance(hessian, k, self._mean, scale)
        if self._loss == "least-squares":  # the objective is the mean square, without the factor 1/2 of the likelihood
            if total <= rank:
                return none(k, p, "no more rows than parameters")
            variances *= 2.0 * self._value / (total - rank)
        found = np.full((k, p + 1), np.nan)
        found[:, np.append(self._varies, True)] = np.sqrt(variances) * self._unit
        reason = "" if np.isfinite(found).any() else "the columns depend on each other"
        return StandardErrors(found[:, :-1], found[:, -1], reason)


def _curvature(
    loss: str, X: Matrix, y: Array, weight: Array | None, parameters: Array, mean: Array, scale: Array
) -> tuple[float, Array]:
    """Return the mean loss, and its Hessian in the parameters of standardised columns.

    A sparse X is not standardised. Its Hessian is, by the linear map from the parameters of the standardised columns
    to those of X: the coefficient w_j / scale_j, and the intercept less the sum of w_j mean_j / scale_j.
    """
    k = len(parameters)
    options = {"n_classes": k} if loss == "softmax" else {}
    if not is_sparse(X):
        moved = np.column_stack([parameters[:, :-1] * scale, parameters[:, -1] + parameters[:, :-1] @ mean]).ravel()
        X = np.ascontiguousarray((X - mean) / scale)
        objective = getattr(st, _LIKELIHOODS[loss])(X, y.astype(np.float64), sample_weight=weight, **options)
        return objective.value(moved), np.asarray(objective.hessian(moved))
    objective = getattr(st, _LIKELIHOODS[loss])(X, y.astype(np.float64), sample_weight=weight, **options)
    back = np.diag(np.append(1.0 / scale, 1.0))
    back[-1, :-1] = -mean / scale
    back = np.kron(np.eye(k), back)
    hessian = back.T @ np.asarray(objective.hessian(parameters.ravel())) @ back
    return objective.value(parameters.ravel()), (hessian + hessian.T) / 2


def _of_covariance(hessian: Array, k: int, mean: Array, scale: Array) -> tuple[Array, int]:
    """Return the variances of the parameters, (k, features + 1), and the rank of the Hessian.

    The variances are in the units of the columns, and NaN where a parameter is not determined.
    """
    size = len(scale) + 1
    across = np.eye(size)
    if k > 1:  # equal shifts of all scores change nothing: directions across them count
        basis = np.linalg.qr(np.column_stack([np.ones(k), np.eye(k)[:, 1:]]))[0][:, 1:]
        across = np.kron(basis, across)
        hessian = across.T @ hessian @ across
    diagonal = np.diag(hessian)
    unit = (
        np.where(diagonal > 0, diagonal, 1.0) ** -0.5
    )  # with a diagonal of ones, what is flat does not depend on units
    values, vectors = np.linalg.eigh(hessian * np.outer(unit, unit))
    flat = values < _NULL * max(values[-1], np.finfo(float).tiny)
    vectors *= unit[:, None]
    moved = (vectors if k == 1 else across @ vectors).reshape(k, size, -1)
    moved[:, -1] -= np.tensordot(moved[:, :-1], mean / scale, axes=(1, 0))
    moved[:, :-1] /= scale[:, None]
    variances: Array = (moved[:, :, ~flat] ** 2 / values[~flat]).sum(axis=2)
    lost = (moved[:, :, flat] ** 2).sum(axis=2) > _SHARE * (moved**2).sum(axis=2)
    return np.where(lost, np.nan, variances), int((~flat).sum())
