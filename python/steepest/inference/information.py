"""`Information`: the inverse curvature at a fit: covariances, degrees of freedom, and what is left of descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coordinates import Coordinates
from .curvature import Curvature
from .inverse import Inverse, inverse_of

__all__ = ["Information"]

Array = NDArray[np.float64]
_SHARE = 1e-12  # a parameter whose share in flat directions, of squares, exceeds this is not determined
_CONSTANT = 1e-6  # nor an intercept that flat directions change by more than this share of their terms


@dataclass(frozen=True)
class Information:
    """The Hessian of a penalised loss at the parameters of a fit, and its inverse.

    Columns that do not vary are left out. So are the common shifts of the scores of classes.

    Attributes
    ----------
    coordinates : Coordinates
        Those of the columns that vary.
    hessian, gradient : arrays of shapes (m, m) and (m,)
        The sums over the rows, with the penalty.
    smooth : array of shape (m, m)
        The Hessian without the penalty.
    inverse : Inverse
        The inverse of the Hessian with the penalty.
    """

    coordinates: Coordinates
    kept: NDArray[np.bool_]
    hessian: Array
    gradient: Array
    smooth: Array
    inverse: Inverse

    @classmethod
    def of(cls, curvature: Curvature, given: Coordinates, penalty: Array) -> Information | None:
        """Return the information of summed curvature; None if its numbers overflow.

        Parameters
        ----------
        curvature : Curvature
            The sums over all rows.
        given : Coordinates
            Its coordinates.
        penalty : array of shape (n_features,)
            The second derivatives of the penalty in these coordinates, times the sum of the weights.
        """
        kept, some = given.kept, given.of_varying_columns()
        factors = np.tile(np.append(penalty, [0.0] * given.intercept), given.n_scores)
        with np.errstate(over="ignore", invalid="ignore"):
            hessian = (curvature.hessian + np.diag(factors))[np.ix_(kept, kept)]
            gradient = (curvature.gradient + factors * curvature.w)[kept]
            smooth = some.across(np.asarray(curvature.hessian)[np.ix_(kept, kept)])
        if not (np.isfinite(hessian).all() and np.isfinite(gradient).all()):
            return None
        matrix = some.across(hessian)
        return cls(some, kept, matrix, some.across_vector(gradient), smooth, inverse_of(matrix))

    @property
    def degrees_of_freedom(self) -> float:
        """The effective number of parameters: their number without a penalty, and fewer with one.

        It is the trace of the smoother matrix: T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical
        Learning", 2nd edition, 2009, section 3.4.1 and equation 7.32.
        """
        if self.smooth is self.hessian or np.array_equal(self.smooth, self.hessian):
            return float(self.inverse.rank)
        return float(np.sum(self.inverse.matrix * self.smooth))

    def step(self) -> tuple[Array, float]:
        """Return the step of Newton's method from the parameters of the fit, and by how much it would lower the loss.

        The step has shape (n_parameters,), for the columns as they are.
        """
        found = self.inverse.matrix @ self.gradient
        return self._full(self.coordinates.original(-found[:, None]))[:, 0], float(self.gradient @ found) / 2

    def covariance(self, squares: Any = None) -> Array:
        """Return the inverse of the Hessian, for the parameters of the columns as they are: (n_parameters,) * 2.

        With the outer products of the rows' gradients, it is the sandwich of these between two inverses. Rows and
        columns of parameters that nothing determines are NaN.
        """
        matrix = self.inverse.matrix
        if squares is not None:
            inner = self.coordinates.across(np.asarray(squares)[np.ix_(self.kept, self.kept)])
            matrix = matrix @ inner @ matrix
        found = self._full(self._full(self.coordinates.covariance(matrix)).T)
        lost = self.undetermined()
        found[lost], found[:, lost] = np.nan, np.nan
        return found

    def deviations(self) -> Array:
        """Return the roots of the diagonal of `covariance`, which itself overflows for columns of tiny numbers."""
        own = np.diag(self.coordinates.in_deviations().covariance(self.inverse.matrix))
        found = np.zeros(len(self.kept))
        found[self.kept] = np.sqrt(own) / self.coordinates.units
        found[self.undetermined()] = np.nan
        return found

    def undetermined(self) -> NDArray[np.bool_]:
        """Return which parameters nothing determines: of columns that do not vary, or that depend on each other."""
        found = np.ones(len(self.kept), bool)
        found[self.kept] = False
        if self.inverse.flat.shape[1]:
            own = self.coordinates.in_deviations()
            whole = np.diag(own.covariance(np.diag(self.inverse.unit**2)))
            flat = own.original(self.inverse.flat)
            lost = (flat**2).sum(axis=1) > _SHARE * whole
            if self.coordinates.intercept:
                lost.reshape(self.coordinates.n_scores, -1)[:, -1] = self._moves_intercepts(flat)
            found[self.kept] = lost
        return found

    def _moves_intercepts(self, flat: Array) -> NDArray[np.bool_]:
        """Return whether flat directions, of columns in units of their scales, change the intercept of each score.

        Far columns move the intercept by much more than its share in a direction, so its own terms are the measure.
        """
        table = flat.reshape(self.coordinates.n_scores, -1, flat.shape[1])
        far = np.abs(self.coordinates.centre / self.coordinates.scale)
        terms = np.abs(table[:, :-1] * (far + 1.0)[:, None]).sum(axis=1)
        return np.asarray((np.abs(table[:, -1]) > _CONSTANT * terms).any(axis=1))

    def _full(self, found: Array) -> Array:
        """Return an array with rows of zeros for the parameters that were left out."""
        full = np.zeros((len(self.kept), found.shape[1]))
        full[self.kept] = found
        return full
