"""The curvature of the most frequent columns of sparse rows: a dense block, beside the diagonal of all others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..objectives.data import DataObjective, some_of
from ..objectives.offset import offsets_beside
from ..objectives.source import Entries
from .metric import DiagonalMetric

__all__ = ["FrequentMetric", "curvature_block", "frequent_metric"]

Vector: TypeAlias = NDArray[np.float64]
_SEEN = 8  # entries in the sample that a column of the block has at least
_SHARE = 1e-5  # of a score, over which its curvature is measured
_RIDGE = 1e-6  # share of the diagonal that is added: the columns of all levels of a category add up to 1
_CORRELATED = 0.01  # sum of the squared correlations of a column with others
_ENTRIES = 1 << 19  # at a time


class FrequentMetric(DiagonalMetric):
    """A diagonal matrix, and a block for some of the parameters.

    Parameters
    ----------
    diagonal : array of shape (p,)
        The diagonal of the matrix.
    chosen : array of shape (m,)
        The parameters of the block.
    block : array of shape (m, m)
        The block, whose diagonal is that of the matrix.
    """

    def __init__(self, diagonal: Vector, chosen: NDArray[np.intp], block: Vector) -> None:
        super().__init__(diagonal)
        self._chosen, self._block, self._factor = chosen, block, _core.Cholesky(block, _RIDGE)

    @property
    def definite(self) -> bool:
        """Whether the block is positive definite."""
        return bool(self._factor.definite)

    def solve(self, g: Vector, out: Vector | None = None) -> Vector:
        of_block = self._factor.solve(g[self._chosen])
        found = super().solve(g, out)
        found[self._chosen] = of_block
        return found

    def state(self) -> dict[str, Any]:
        return {"diagonal": self.diagonal, "chosen": self._chosen, "block": self._block}


def frequent_metric(
    objective: DataObjective, w: NDArray[Any], diagonal: Vector, size: int, rows: int, seed: int
) -> FrequentMetric | None:
    """Return a diagonal with a block for the columns that most rows of a sample have, from their correlations at w.

    Return None if these columns are hardly correlated, or depend on each other but for their rounding, and if penalties
    have factors. The objective has one score a row.

    Parameters
    ----------
    objective : DataObjective
        The objective, whose data have "entries".
    w : array of shape (p,)
        Where the curvature is measured.
    diagonal : array of shape (p,)
        The diagonal; the block has the same one.
    size, rows : int
        Numbers of columns and of rows, at most.
    seed : int
        Chooses the rows.
    """
    if objective.penalty_weight is not None:
        return None
    n, d = objective.n_samples, objective.n_features
    index = np.arange(n) if rows >= n else some_of(n, rows, seed)
    chosen = _most_frequent(objective, index, size)
    if len(chosen) < 2:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        block, _ = curvature_block(objective, w, chosen, index)
        sizes = np.sqrt(np.diag(block))
        seen = sizes > 0.0
        chosen = (np.append(chosen, d) if objective.intercept else chosen)[seen]
        block = block if seen.all() else block[np.ix_(seen, seen)]
        block /= sizes[seen]
        block /= sizes[seen, None]
        square = float(np.einsum("ij,ij->", block, block))
        if not math.isfinite(square) or _is_nearly_diagonal(square, len(block), len(index)):
            return None
        found = FrequentMetric(diagonal, chosen, _with_diagonal(block, objective, diagonal[chosen]))
        return found if found.definite else None


def _is_nearly_diagonal(square: float, size: int, rows: int) -> bool:
    """Return whether the squared correlations of a column with all others add up to little more than by chance.

    By chance each is 1 / rows, on average. `square` is the sum of those of all columns.
    """
    return square < (1.0 + size / rows + _CORRELATED) * size


def curvature_block(
    objective: DataObjective, w: NDArray[Any], chosen: NDArray[np.intp], index: NDArray[Any]
) -> tuple[Vector, float]:
    """Return the curvature of the loss of some rows at w in some columns and the intercept, and the rows' weights.

    Both are sums over the rows.
    """
    size, total = len(chosen), 0.0
    block = np.zeros((size + 1, size + 1))
    for some, entries in _blocks(objective, index):
        curvature = _curvatures(objective, entries, some, w)
        total += len(some) if objective.weights is None else float(objective.weights[some].sum(dtype=np.float64))
        of_chosen = entries.of(chosen, objective.n_features)
        rows = of_chosen.rows.astype(np.int64, copy=False)
        _core.add_products(rows, of_chosen.columns, of_chosen.values, curvature, block)
        block[-1, -1] += curvature.sum()
    return _centred(block, objective, chosen), total


def _blocks(objective: DataObjective, index: NDArray[Any]) -> Iterator[tuple[NDArray[Any], Entries]]:
    """Yield the numbers and the entries of some rows, some of them at a time."""
    data: Any = objective.data
    step = max(1, int(_ENTRIES * objective.n_samples / max(data.n_elements, 1)))
    for at in range(0, len(index), step):
        yield index[at : at + step], data.entries(index[at : at + step])


def _most_frequent(objective: DataObjective, index: NDArray[Any], size: int) -> NDArray[np.intp]:
    """Return the columns with the most entries, in order."""
    d = objective.n_features
    counts = np.zeros(d, np.int64)
    for _, entries in _blocks(objective, index):
        counts += np.bincount(entries.columns, minlength=d)
    least = max(_SEEN, int(np.partition(counts, d - size)[d - size])) if size < d else _SEEN
    return np.flatnonzero(counts >= least)


def _curvatures(objective: DataObjective, entries: Entries, index: NDArray[Any], w: NDArray[Any]) -> Vector:
    """Return the second derivatives of the rows' losses by their scores at w, times the weights of the rows."""
    d = objective.n_features
    slopes, constant = w[:d].astype(np.float64), float(w[d]) if objective.intercept else 0.0
    if objective.scaling is not None:
        centre, scale = objective.scaling
        slopes /= scale
        constant -= float(np.sum(centre * slopes))
    terms = entries.values * slopes[entries.columns]
    scores = constant + np.bincount(entries.rows, terms, minlength=len(index))
    if (offsets := offsets_beside(objective)) is not None:
        scores += offsets[index]
    targets, step = objective.targets[index].astype(np.float64), _SHARE * (1.0 + np.abs(scores))
    rise = objective.row_slopes(scores + step, targets) - objective.row_slopes(scores - step, targets)
    curvature = np.maximum(rise / (2.0 * step), 0.0)
    return np.asarray(curvature if objective.weights is None else curvature * objective.weights[index])


def _centred(block: Vector, objective: DataObjective, chosen: NDArray[np.intp]) -> Vector:
    """Return the products of the columns as the objective reads them; the last one is left without an intercept."""
    if objective.scaling is not None:
        centre, scale = (
            np.append(each[chosen], last) for each, last in zip(objective.scaling, (0.0, 1.0), strict=True)
        )
        ones = block[-1]
        block = (block - np.outer(centre, ones) - np.outer(ones, centre) + ones[-1] * np.outer(centre, centre)) / scale
        block /= scale[:, None]
    return block if objective.intercept else np.ascontiguousarray(block[:-1, :-1])


def _with_diagonal(block: Vector, objective: DataObjective, diagonal: Vector) -> Vector:
    """Turn correlations of the loss into the block of a Hessian with this diagonal, penalty included, in place."""
    penalty = np.full(len(diagonal), objective.alpha * (1.0 - objective.l1_ratio))
    if objective.intercept:
        penalty[-1] = 0.0
    sizes = np.sqrt(np.maximum(diagonal - penalty, 0.0))
    block *= sizes
    block *= sizes[:, None]
    block.flat[:: len(block) + 1] = diagonal
    return block
