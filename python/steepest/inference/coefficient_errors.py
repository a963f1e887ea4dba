"""Standard errors of coefficients alone, for rows that come in one or several parts.

The covariance of maximum-likelihood estimates is the inverse of the Hessian of the negative log-likelihood, here with
the L2 penalty: T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2nd edition, 2009,
equations 3.8 (least squares) and 4.26 (logistic).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import LOSSES
from .coordinates import Coordinates
from .curvature import Curvature
from .information import Information

__all__ = ["CoefficientErrors", "StandardErrors", "none", "standard_errors"]

Array = NDArray[np.float64]
_MOST_PARAMETERS = 1500


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


def standard_errors(
    loss: str,
    X: Any,
    y: Array,
    weight: Array | None,
    coefficients: Array,
    intercepts: Array,
    columns: tuple[Array, Array],
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
    columns : pair of arrays of shape (features,)
        The means and the standard deviations of the columns.
    alpha : float
        The strength of the L2 penalty.
    standardized : bool
        Whether the penalty is that of standardised columns.
    """
    found = CoefficientErrors(loss, coefficients, intercepts, lambda: columns, float(np.abs(y).max()))
    found.add(X, y, weight)
    return found.errors(alpha, standardized)


class CoefficientErrors:
    """The standard errors of coefficients, from the curvature of a loss at its minimum.

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
        self._shape, kind = coefficients.shape, LOSSES[loss.replace("-", "_")]
        self._is_square, self._sums = kind.is_of_residuals, None
        self._reason = ""
        if kind.may_be_flat:
            self._reason = f"the loss {loss} is no likelihood"
        elif coefficients.size + intercepts.size > _MOST_PARAMETERS:
            self._reason = f"more than {_MOST_PARAMETERS:,} parameters"
        if self._reason:
            return
        k = len(coefficients)
        self._coordinates = Coordinates.of(k, *of_columns(), intercept=True)
        if not self._coordinates.varies.any():
            self._reason = "no column varies"
        options, unit = {"n_classes": k} if k > 1 else {}, largest if largest > 0 else 1.0
        self._sums = Curvature(kind, options, coefficients, intercepts, self._coordinates, unit)

    def add(self, X: Any, y: Array, weight: Array | None) -> None:
        """Add the curvature of rows. The parameters are those of `standard_errors`."""
        if not self._reason and self._sums is not None:
            self._sums.add(X, y, weight)

    def errors(self, alpha: float, standardized: bool) -> StandardErrors:
        """Return the standard errors, for a penalty as in `standard_errors`."""
        k, p = self._shape
        if self._reason or self._sums is None:
            return none(k, p, self._reason)
        sums, scale = self._sums, self._coordinates.scale
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            penalty = sums.weight * alpha * (np.ones(p) if standardized else scale**-2.0)
            found = Information.of(sums, self._coordinates, penalty)
        if found is None:
            return none(k, p, "the numbers are too large")
        dispersion = 1.0
        if self._is_square:  # the objective is the mean square, without the factor 1/2 of the likelihood
            left = sums.weight - found.degrees_of_freedom
            if left <= 0.0:
                return none(k, p, "no more rows than parameters")
            dispersion = 2.0 * sums.value / left
        table = (np.sqrt(dispersion) * found.deviations() * sums.unit).reshape(k, p + 1)
        reason = "" if np.isfinite(table).any() else "the columns depend on each other"
        return StandardErrors(table[:, :-1], table[:, -1], reason)
