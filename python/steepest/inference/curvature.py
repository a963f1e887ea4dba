"""`Curvature`: the value, the gradient and the Hessian of a loss at fixed parameters, added up over sets of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.losses import LeastSquares
from ..objectives.protocol import Capability
from .coordinates import Coordinates

__all__ = ["Curvature"]

Array = NDArray[np.float64]


class Curvature:
    """The sums of the losses of rows, of their gradients and of their Hessians, at fixed parameters.

    The parameters are those of centred columns in units of their deviations, and so are the gradient and the Hessian.
    No digit is lost where columns lie far from zero. Neither X nor its columns are copied.

    Parameters
    ----------
    loss : subclass of DataObjective
        The loss of a row.
    options : dict
        Further arguments of the loss.
    coefficients : array of shape (k, n_features), float64
        The coefficients of the columns as they are.
    intercepts : array of shape (k,), float64, or None
        The intercepts. None for a model without them.
    coordinates : Coordinates
        The centres and the units of the columns.
    unit : float
        The targets are divided by it, if the loss is one of residuals. Their squares then neither overflow nor vanish.

    Attributes
    ----------
    weight, value : float
        The sums of the weights and of the losses.
    gradient, hessian : arrays of shapes (n_parameters,) and (n_parameters, n_parameters)
        The sums of the derivatives, without a penalty.
    squares : array of shape (n_parameters, n_parameters)
        The sum of the outer products of the rows' gradients, if `add_squares` was called.
    """

    def __init__(
        self,
        loss: type[DataObjective],
        options: dict[str, Any],
        coefficients: Array,
        intercepts: Array | None,
        coordinates: Coordinates,
        unit: float = 1.0,
    ) -> None:
        self._loss, self.unit, self._coordinates = loss, unit if loss.is_of_residuals else 1.0, coordinates
        errors = {name: options[name] / self.unit for name in loss.regressor_options or ()}
        self._options = {**options, **errors}
        constants = np.zeros(len(coefficients)) if intercepts is None else intercepts
        self.w = coordinates.scaled(coefficients / self.unit, constants / self.unit)
        self.weight = self.value = 0.0
        self.gradient: Any = 0.0
        self.hessian: Any = 0.0
        self.squares: Any = 0.0

    def add(self, X: Any, y: Array, weight: Array | None, offset: Array | None = None) -> None:
        """Add rows: X of shape (n, n_features), and vectors of n numbers, all in float64."""
        total = float(len(y)) if weight is None else float(weight.sum(dtype=np.float64))
        if total == 0.0:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient, hessian = _derivatives(self._objective(X, y, weight, offset), self.w)
            self.value += total * value
            self.gradient, self.hessian = self.gradient + total * gradient, self.hessian + total * hessian
        self.weight += total

    def add_squares(self, X: Any, slopes: Array, weight: Array) -> None:
        """Add weighted outer products of the gradients of rows.

        Parameters
        ----------
        X : array, CSR matrix or table of shape (n, n_features), float64
            The rows.
        slopes : array of shape (n, k)
            The derivatives of the losses by the scores, in units of `unit`.
        weight : array of shape (n,)
            The factors of the outer products.
        """
        k, size = slopes.shape[1], len(self.w) // slopes.shape[1]
        found = np.zeros((k, size, k, size))
        own = [self._gram(X, weight * slopes[:, a] ** 2) for a in range(k)]
        for a in range(k):
            found[a, :, a] = own[a]
            for b in range(a):  # 2 r s = (r + s)^2 - r^2 - s^2
                both = self._gram(X, weight * (slopes[:, a] + slopes[:, b]) ** 2)
                found[a, :, b] = found[b, :, a] = (both - own[a] - own[b]) / 2
        self.squares = self.squares + found.reshape(len(self.w), len(self.w))

    def row_slopes(self, scores: Array, y: Array) -> Array:
        """Return the derivatives of the rows' losses by their scores, both of shape (n, k), in units of `unit`."""
        k = scores.shape[1]
        model = self._objective(np.zeros((len(y), 1)), y, None, None, self._coordinates.of_one_column())
        found = model.row_slopes(scores if k > 1 else scores[:, 0] / self.unit, y / self.unit)
        return np.asarray(found, np.float64).reshape(len(y), k)

    def _objective(
        self, X: Any, y: Array, weight: Array | None, offset: Array | None, coordinates: Coordinates | None = None
    ) -> DataObjective:
        where = self._coordinates if coordinates is None else coordinates
        more: dict[str, Any] = {} if offset is None else {"offset": np.ascontiguousarray(offset / self.unit)}
        return self._loss(
            X,
            np.ascontiguousarray(y / self.unit, np.float64),
            sample_weight=weight,
            intercept=where.intercept,
            centre=where.centre,
            scale=where.scale,
            **self._options,
            **more,
        )

    def _gram(self, X: Any, weight: Array) -> Array:
        """Return the weighted sum of the outer products of the rows in these coordinates."""
        largest = float(weight.max(initial=0.0))
        if largest == 0.0:
            size = len(self._coordinates.scale) + self._coordinates.intercept
            return np.zeros((size, size))
        where, shares = self._coordinates, weight / largest
        squares = LeastSquares(
            X,
            np.zeros(len(weight)),
            sample_weight=shares,
            intercept=where.intercept,
            centre=where.centre,
            scale=where.scale,
        )
        found = np.asarray(squares.hessian(np.zeros(squares.n_parameters)), np.float64)
        return np.asarray((found + found.T) * (0.25 * largest * float(shares.sum())))


def _derivatives(objective: DataObjective, w: Array) -> tuple[float, Array, Array]:
    """Return the value, the gradient and the Hessian, in one pass where there is one for all three."""
    if objective.native.supports(Capability.HESSIAN):
        value, gradient, hessian = objective.native.value_gradient_and_hessian(w)
    else:
        value, gradient = objective.native.value_and_gradient(w)
        hessian = objective.hessian(w)
    found = np.asarray(hessian, np.float64)
    return float(value), np.asarray(gradient, np.float64), np.asarray((found + found.T) / 2)
