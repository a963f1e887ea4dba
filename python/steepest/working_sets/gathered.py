"""Columns of the data that were copied once, and their products with vectors and with each other."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..objectives.data import DataObjective

__all__ = ["GatheredColumns"]

Vector: TypeAlias = NDArray[np.float64]
Slots: TypeAlias = NDArray[np.uint32]

_LEAST = 64  # columns that there is room for at first
_SQUARED = 1 << 16  # numbers that are squared at a time
_PRODUCTS = 1024  # columns whose products are kept


class GatheredColumns:
    """Some columns as float64, each in a slot of its own. Rows of weight 0 are 0.

    Parameters
    ----------
    objective : DataObjective
        It supports "columns".
    shares : array of shape (n,), float64
        The weights of the rows over their sum.
    centred : bool
        Whether to subtract the weighted mean from each column.
    """

    def __init__(self, objective: DataObjective, shares: Vector, centred: bool) -> None:
        self._data: Any = objective.data
        self._scaling, self._shares, self._centred = objective.scaling, shares, centred
        n, d = objective.n_samples, objective.n_features
        self._slots = np.full(d, -1, np.intp)
        self._columns = np.empty(0, np.intp)
        self._block = np.empty((0, n))
        self._products, self._n_products = np.empty((0, 0)), 0
        self.means = np.empty(0)
        """The means that were subtracted, by slot."""
        self.squares = np.empty(0)
        """The weighted mean of the squares of each column, by slot."""

    def __len__(self) -> int:
        return len(self._columns)

    def slots(self, columns: NDArray[np.intp]) -> Slots:
        """Return the slots of some columns, which differ. Columns without one are copied."""
        new = columns[self._slots[columns] < 0]
        if len(new):
            self._take(np.sort(new))
        return self._slots[columns].astype(np.uint32)

    def keep(self, columns: NDArray[np.intp]) -> None:
        """Forget all columns but some, which have slots."""
        slots = self._slots[columns]
        self._slots[self._columns] = -1
        self._slots[columns] = np.arange(len(columns))
        self._columns = columns.copy()
        self._block = self._block[slots]
        self.means, self.squares = self.means[slots], self.squares[slots]
        self._n_products = 0

    def _take(self, new: NDArray[np.intp]) -> None:
        count, total = len(self._columns), len(self._columns) + len(new)
        if total > len(self._block):
            block = np.empty((min(max(_LEAST, 2 * count, total), len(self._slots)), self._block.shape[1]))
            block[:count] = self._block[:count]
            self._block = block
        block = self._block[count:total]
        self._data.copy_columns(new.astype(np.uint32), block)
        if self._scaling is not None:
            centre, scale = self._scaling
            block -= centre[new, None]
            block /= scale[new, None]
        self._slots[new] = np.arange(count, total)
        self._columns = np.append(self._columns, new)
        self.means, self.squares = (
            np.append(self.means, np.zeros(len(new))),
            np.append(self.squares, np.zeros(len(new))),
        )
        slots = np.arange(count, total, dtype=np.uint32)
        if self._centred:
            self.means[count:] = self.dots(slots, self._shares)
            block -= self.means[count:, None]
        self.squares[count:] = self.weighted_squares(slots, self._shares)

    def dots(self, slots: Slots, q: Vector) -> Vector:
        """Return the product of each column with a vector."""
        return _core.column_dots(self._block, slots, q)

    def scores(self, slots: Slots, v: Vector) -> Vector:
        """Return the sum of the columns, each times its coefficient."""
        z = np.zeros(self._block.shape[1])
        used = v != 0.0
        _core.add_columns(self._block, slots[used], np.ascontiguousarray(v[used]), z)
        return z

    def weighted_squares(self, slots: Slots, h: Vector) -> Vector:
        """Return the sum of the squares of each column, the rows times h."""
        found, step = np.empty(len(slots)), max(1, _SQUARED // len(h))
        for at in range(0, len(slots), step):
            found[at : at + step] = np.einsum("ji,i->j", self._block[slots[at : at + step]] ** 2, h)
        return found

    def products(self, slots: Slots, h: Vector) -> Vector:
        """Return the products of all pairs of columns, of shape (m, m), with the rows times h."""
        return _core.column_products(self._block, slots, None, h)

    def shared_products(self, slots: Slots) -> Vector:
        """Return the products of all pairs, the rows times their shares. Those of not too many columns are kept."""
        count = len(self._columns)
        if count > _PRODUCTS:
            return self.products(slots, self._shares)
        if self._n_products < count:
            self._extend_products(count)
        return self._products[np.ix_(slots, slots)]

    def _extend_products(self, count: int) -> None:
        known = self._n_products
        if count > len(self._products):
            products = np.empty((min(2 * count, _PRODUCTS),) * 2)
            products[:known, :known] = self._products[:known, :known]
            self._products = products
        # Two columns have the same product in either order, so it does not matter when they came.
        block, share = self._block[:count], float(self._shares[0])
        if (self._shares != share).any():
            block, share = block * np.sqrt(self._shares), 1.0
        new, old = np.arange(known, count, dtype=np.uint32), np.arange(known, dtype=np.uint32)
        self._products[known:count, known:count] = share * _core.column_products(block, new)
        if known:
            mixed = share * _core.column_products(block, new, old)
            self._products[known:count, :known], self._products[:known, known:count] = mixed, mixed.T
        self._n_products = count

    def descend(
        self, slots: Slots, h: Vector | float, model: dict[str, Vector], v: Vector, q: Vector, sweeps: int, tol: float
    ) -> bool:
        """Move v, and the slopes q with it, down a model of the columns. Return whether it has settled."""
        return _core.descend_columns(self._block, slots, h, model, v, q, sweeps, tol)
