"""`Path`: the minima along a path of regularisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..objectives.protocol import Layout

__all__ = ["Packed", "Path"]

Vector = NDArray[np.float64]
_SHOWN = 10  # rows of the table


class Packed(NamedTuple):
    """Coefficients of all scores at all alphas, of which most may be 0.

    Attributes
    ----------
    places : list of arrays of int
        For each alpha, where the coefficients that are not 0 lie among those of all scores, in order.
    values : list of arrays
        Their values.
    layout : Layout
        The numbers of scores and columns.
    """

    places: list[NDArray[np.intp]]
    values: list[NDArray[Any]]
    layout: Layout

    def of_score(self, score: int) -> Any:
        """Return the coefficients of a score as a CSR matrix of shape (n_alphas, n_features)."""
        d = self.layout.n_features
        rows = [(at - score * d, v) for at, v in zip(self.places, self.values, strict=True)]
        kept = [((at >= 0) & (at < d), at, v) for at, v in rows]
        indptr = np.concatenate([[0], np.cumsum([own.sum() for own, _, _ in kept])])
        indices = np.concatenate([at[own] for own, at, _ in kept]).astype(np.int64)
        data = np.concatenate([v[own] for own, _, v in kept])
        sparse = require("scipy.sparse", "curvature")
        return sparse.csr_array((data, indices, indptr), shape=(len(rows), d))

    def at(self, index: int) -> NDArray[Any]:
        """Return the coefficients at an alpha as a dense array of shape (n_scores, n_features)."""
        k, d, _ = self.layout
        dense = np.zeros(k * d, self.values[index].dtype)
        dense[self.places[index]] = self.values[index]
        return dense.reshape(k, d)


@dataclass(frozen=True, eq=False)
class Path:
    """The minima of a loss at many strengths of its penalty, as `path` returns them. Printing it gives a table.

    Attributes
    ----------
    alphas : array of shape (n_alphas,), float64
        The strengths, the largest first. If the path ended early, they are fewer than those that were asked for.
    l1_ratio : float
        The share of the L1 norm in the penalty.
    coefs : CSR matrix of shape (n_alphas, n_features), or a list of one for each score
        The coefficients, in the dtype of the objective. It needs SciPy. See also `parameters`.
    intercepts : array of shape (n_alphas,), or (n_alphas, n_scores) for several scores
        The intercepts; zeros for an objective without.
    values : array of shape (n_alphas,), float64
        The objective at the minima, penalty included.
    n_nonzero : array of shape (n_alphas,), int
        The number of coefficients that are not 0, over all scores.
    deviance_explained : array of shape (n_alphas,), float64
        1 - deviance / deviance of the best intercept. The deviance is twice the loss, less that of a model that fits
        every row exactly. For `LeastSquares` it is R^2.
    gaps : array of shape (n_alphas,), float64
        How far ``values`` may lie above the minima. For `LeastSquares` and for wide data it is a duality gap, and so a
        bound. Otherwise it is an estimate from the curvature, or nan where nothing tells it.
    converged : array of shape (n_alphas,), bool
        Whether each fit reached the tolerance.
    n_passes : int
        The passes over the rows that the whole path took, about.
    stop_reason : str
        Why the path has no more alphas: "all alphas", "saturated" (the last alpha hardly raised the deviance that is
        explained) or "explained" (it explains nearly all).
    names : tuple of str, or None
        The names of the columns, if the data have names, as a `Table` has.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 5))
    >>> y = 3 * X[:, 0] - X[:, 1] + rng.standard_normal(200)
    >>> path = st.path(st.LeastSquares(X, y), [1.0, 0.1])
    >>> path.n_nonzero
    array([2, 4])
    >>> path.parameters(0).shape
    (6,)
    """

    alphas: Vector
    l1_ratio: float
    intercepts: NDArray[Any]
    values: Vector
    n_nonzero: NDArray[np.intp]
    deviance_explained: Vector
    gaps: Vector
    converged: NDArray[np.bool_]
    n_passes: int
    stop_reason: str
    packed: Packed = field(repr=False)
    names: tuple[str, ...] | None = None

    @cached_property
    def coefs(self) -> Any:
        """The coefficients as CSR matrices."""
        scores = [self.packed.of_score(score) for score in range(self.packed.layout.n_scores)]
        return scores[0] if len(scores) == 1 else scores

    def __len__(self) -> int:
        return len(self.alphas)

    def parameters(self, index: int) -> NDArray[Any]:
        """Return the parameters at ``alphas[index]``, as the objective takes them: the intercept is the last.

        Parameters
        ----------
        index : int
            The place of the alpha; a negative one counts from the end.

        Returns
        -------
        array of shape (n_parameters,), or (n_scores, n_features [+ 1]) for several scores

        Raises
        ------
        IndexError
            There are not so many alphas.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> objective = st.LeastSquares(np.arange(8.0)[:, None], 2 * np.arange(8.0) + 1)
        >>> path = st.path(objective, [1e-9])
        >>> path.parameters(0).round(6)
        array([2., 1.])
        """
        table = self.packed.at(index)
        if self.packed.layout.intercept:
            table = np.column_stack([table, np.atleast_1d(self.intercepts[index]).astype(table.dtype)])
        return table[0] if len(table) == 1 else table

    def plot(self, **options: Any) -> Any:
        """Draw the coefficients over the alphas, by ``st.plot.path(path, **options)``, and return the axes.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((50, 3))
        >>> ax = st.path(st.LeastSquares(X, 2 * X[:, 0])).plot()
        >>> ax.get_xlabel()
        'alpha'
        """
        # The folder of pictures may use this one, so this one cannot import it at the top.
        return import_module("steepest.plot").path(self, **options)

    def __repr__(self) -> str:
        n = len(self)
        shown = np.unique(np.linspace(0, n - 1, min(n, _SHOWN)).round().astype(int))
        rows = [("alpha", "non-zeros", "deviance explained")]
        rows += [(f"{self.alphas[i]:.4g}", f"{self.n_nonzero[i]}", f"{self.deviance_explained[i]:.4f}") for i in shown]
        return "\n".join([self._head(), *_table(rows), *self._remarks()])

    def _head(self) -> str:
        n, passes = len(self), f"{self.n_passes} pass" + "es" * (self.n_passes != 1)
        span = f"{self.alphas[0]:.4g}" + f" to {self.alphas[-1]:.4g}" * (n > 1)
        return f"Path({n} alpha{'s' * (n != 1)}, {span}, l1_ratio={self.l1_ratio:g}, {passes})"

    def _remarks(self) -> list[str]:
        told = []
        if self.stop_reason == "saturated":
            told.append("ended early: the last alpha hardly raised the deviance explained (early_end=False goes on)")
        if self.stop_reason == "explained":
            told.append("ended early: nearly all deviance is explained (early_end=False goes on)")
        short = int((~self.converged).sum())
        if short:
            told.append(f"{short} of {len(self)} fits did not reach the tolerance")
        return told


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
