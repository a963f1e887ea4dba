"""The inverse of a Hessian, and the directions in which it is flat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core

__all__ = ["Inverse", "inverse_of"]

Array = NDArray[np.float64]
_FLAT = 1e-10  # curvature below this part of the largest one is none


class Inverse(NamedTuple):
    """The inverse of a symmetric matrix over the directions that are not flat.

    Attributes
    ----------
    matrix : array of shape (m, m)
        The inverse.
    flat : array of shape (m, number of flat directions)
        The flat directions, if there are any. They are orthonormal in the units below.
    unit : array of shape (m,)
        The units of the parameters in which the diagonal of the matrix has only ones.
    """

    matrix: Array
    flat: Array
    unit: Array

    @property
    def rank(self) -> int:
        """The number of directions that are not flat."""
        return len(self.matrix) - int(self.flat.shape[1])


def inverse_of(matrix: Array) -> Inverse:
    """Return the inverse of a positive semidefinite matrix. What is flat does not depend on units of the parameters.

    Cholesky inverts a matrix that is scaled to a diagonal of ones. The diagonal of the inverse then has the variance
    inflation of each parameter: Marquardt, "Generalized Inverses, Ridge Regression, Biased Linear Estimation, and
    Nonlinear Estimation", Technometrics 12, 1970. Where the inflation is extreme, eigenvalues tell the flat directions.
    """
    diagonal = np.diag(matrix)
    unit = np.where(diagonal > 0, diagonal, 1.0) ** -0.5
    units = np.outer(unit, unit)
    scaled = np.ascontiguousarray(matrix * units)
    factor = _core.Cholesky(scaled, 0.0)
    if (diagonal > 0).all() and factor.definite:
        found = factor.solve_all(np.eye(len(matrix)))
        if float(np.diag(found).max()) < 1.0 / _FLAT:
            return Inverse((found + found.T) / 2 * units, np.empty((len(matrix), 0)), unit)
    values, vectors = np.linalg.eigh(scaled)
    flat = values < _FLAT * max(float(values[-1]), float(np.finfo(np.float64).tiny))
    some = vectors[:, ~flat]
    return Inverse((some / values[~flat]) @ some.T * units, vectors[:, flat] * unit[:, None], unit)
