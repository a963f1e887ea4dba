"""`Coordinates`: the columns in which a Hessian is made and inverted, and the way back to the columns as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Coordinates"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coordinates:
    """The columns (x - centre) / scale of k scores, with or without an intercept.

    Parameters are laid out as those of an objective: one row of n_features coefficients per score, and the intercept
    last. Equal shifts of all of several scores change no probability. `across` leaves them out.

    Attributes
    ----------
    n_scores : int
        The number of scores, k.
    centre, scale : arrays of shape (n_features,)
    varies : array of shape (n_features,) of bool
        Whether a column is neither constant beside an intercept nor all zeros. If not, its scale is 1.
    intercept : bool
    """

    n_scores: int
    centre: Array
    scale: Array
    varies: NDArray[np.bool_]
    intercept: bool

    @classmethod
    def of(cls, n_scores: int, mean: Array, deviation: Array, intercept: bool) -> Coordinates:
        """Return centred columns in units of their deviations. Without an intercept they are not centred."""
        spread = deviation if intercept else np.hypot(mean, deviation)
        varies = spread > 0
        return cls(
            n_scores, mean if intercept else np.zeros_like(mean), np.where(varies, spread, 1.0), varies, intercept
        )

    def of_one_column(self) -> Coordinates:
        """Return coordinates of an X of one column as it is."""
        return Coordinates(self.n_scores, np.zeros(1), np.ones(1), np.ones(1, bool), self.intercept)

    def of_varying_columns(self) -> Coordinates:
        """Return those of the columns that vary."""
        some = self.varies
        return Coordinates(self.n_scores, self.centre[some], self.scale[some], some[some], self.intercept)

    def in_deviations(self) -> Coordinates:
        """Return those of columns in units of their scales, whose covariances neither overflow nor vanish."""
        return Coordinates(
            self.n_scores, self.centre / self.scale, np.ones_like(self.scale), self.varies, self.intercept
        )

    @property
    def units(self) -> Array:
        """The scale of each parameter's column, and 1 for intercepts, of shape (n_parameters,)."""
        return np.tile(np.append(self.scale, np.ones(int(self.intercept))), self.n_scores)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which parameters belong to columns that vary, or are intercepts: of shape (n_parameters,)."""
        return np.tile(np.append(self.varies, np.ones(int(self.intercept), bool)), self.n_scores)

    @cached_property
    def _basis(self) -> Array | None:
        """An orthonormal basis of the differences between scores, of shape (k, k - 1)."""
        k = self.n_scores
        return None if k == 1 else np.linalg.qr(np.column_stack([np.ones(k), np.eye(k)[:, 1:]]))[0][:, 1:]

    @property
    def _size(self) -> int:
        return len(self.scale) + self.intercept

    def scaled(self, coefficients: Array, intercepts: Array) -> Array:
        """Return the parameters of these columns from those of the columns as they are: (k, n_features) and (k,)."""
        table = coefficients * self.scale
        if self.intercept:
            table = np.column_stack([table, intercepts + coefficients @ self.centre])
        return np.ascontiguousarray(table).ravel()

    def across(self, matrix: Array) -> Array:
        """Return a symmetric matrix of the parameters without the common shifts of all scores."""
        if self._basis is None:
            return np.ascontiguousarray(matrix)
        k, size = self.n_scores, self._size
        parts = np.tensordot(self._basis, matrix.reshape(k, size, k, size), axes=(0, 0))
        parts = np.tensordot(parts, self._basis, axes=(2, 0))  # (k - 1, size, size, k - 1)
        return np.ascontiguousarray(parts.transpose(0, 1, 3, 2)).reshape((k - 1) * size, (k - 1) * size)

    def across_vector(self, vector: Array) -> Array:
        """Return a gradient of the parameters without the common shifts of all scores."""
        if self._basis is None:
            return vector
        return np.asarray(self._basis.T @ vector.reshape(self.n_scores, self._size)).ravel()

    def original(self, vectors: Array) -> Array:
        """Return vectors of `across`, the columns of a matrix, as vectors of the parameters of the columns as they are.

        Returns
        -------
        array of shape (n_parameters, number of vectors)
        """
        size, p = self._size, len(self.scale)
        found = vectors.reshape(-1, size, vectors.shape[1])
        found = found.copy() if self._basis is None else np.tensordot(self._basis, found, axes=(1, 0))
        if self.intercept:
            found[:, -1] -= np.tensordot(found[:, :p], self.centre / self.scale, axes=(1, 0))
        found[:, :p] /= self.scale[:, None]
        return np.asarray(found.reshape(self.n_scores * size, -1))

    def covariance(self, matrix: Array) -> Array:
        """Return a covariance of `across` as the covariance of the parameters of the columns as they are."""
        found = self.original(np.ascontiguousarray(self.original(matrix).T))
        return np.asarray((found + found.T) / 2)
