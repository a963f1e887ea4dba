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

_PRODUCTS = 1024  # columns whose products are kept
_LEAST = 1e-12  # size of numbers that float32 is used for, so that no product of three underflows


class GatheredColumns:
    """Some columns as float64, each in a slot of its own. Rows of weight 0 are 0.

    Parameters
    ----------
    objective : DataObjective
        It supports "columns".
    shares : array of shape (n,), float64
        The weights of the rows over their sum.
    centring : array of shape (n,), float64, optional
        The factors of the rows in the mean that is subtracted from each column. They add up to 1.
    """

    def __init__(self, objective: DataObjective, shares: Vector, centring: Vector | None = None) -> None:
        self._data: Any = objective.data
        self._scaling, self._shares, self._centring = objective.scaling, shares, centring
        n, d = objective.n_samples, objective.n_features
        self._slots = np.full(d, -1, np.intp)
        self._columns = np.empty(0, np.intp)
        self._block = np.empty((0, n))
        self._narrow, self._n_narrow = np.empty((0, n), np.float32), 0
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
        self._block, self._narrow = self._block[slots], np.empty((0, self._block.shape[1]), np.float32)
        self._n_narrow = 0
        self.means, self.squares = self.means[slots], self.squares[slots]
        self._n_products = 0

    def _take(self, new: NDArray[np.intp]) -> None:
        count, total = len(self._columns), len(self._columns) + len(new)
        self._block = _with_room(self._block, count, total)
        block = self._block[count:total]
        self._data.copy_columns(new.astype(np.uint32), block)
        if self._scaling is not None:
            centre, scale = self._scaling
            block -= centre[new, None]
            block /= scale[new, None]
        self._slots[new] = np.arange(count, total)
        self._columns = np.append(self._columns, new)
        centring = self._centring
        means = np.zeros(len(new)) if centring is None else _core.centre_columns(block, centring)
        self.means = np.append(self.means, means)
        squares = _core.column_squares(self._block, np.arange(count, total, dtype=np.uint32), self._shares)
        self.squares = np.append(self.squares, squares)

    def _narrowed(self) -> NDArray[np.float32]:
        """Return all columns as float32."""
        known, count = self._n_narrow, len(self._columns)
        if known < count:
            self._narrow = _with_room(self._narrow, known, count)
            self._narrow[known:count] = self._block[known:count]
            self._n_narrow = count
        return self._narrow

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
        return _core.column_squares(self._block, slots, h)

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

    def may_be_narrow(self, slots: Slots, h: Vector, q: Vector) -> bool:
        """Return whether float32 holds some columns, and slopes and curvatures of the rows."""
        sizes = np.concatenate([np.sqrt(self.squares[slots]), [np.abs(q).max()], [h.max()]])
        used = sizes[sizes > 0.0]
        return bool(np.isfinite(sizes).all() and len(used) and used.min() > _LEAST and used.max() < 1.0 / _LEAST)

    def descend_narrow(
        self, slots: Slots, h: Vector | float, model: dict[str, Vector], v: Vector, q: Vector, sweeps: int, tol: float
    ) -> bool:
        """Move v and q as `descend` does, by float32 copies of the columns. The rounding of q is about 1e-6 of it."""
        narrow = q.astype(np.float32)
        own = h if isinstance(h, float) else h.astype(np.float32)
        settled = _core.descend_narrow_columns(self._narrowed(), slots, own, model, v, narrow, sweeps, tol)
        q[:] = narrow
        return settled


def _with_room(table: NDArray[Any], used: int, count: int) -> NDArray[Any]:
    """Return a table of at least so many rows, whose first rows are those used."""
    if count <= len(table):
        return table
    longer = np.empty((max(count, used + used // 2), table.shape[1]), table.dtype)
    longer[:used] = table[:used]
    return longer
