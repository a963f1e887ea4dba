"""Parts of a stated number of rows, made of blocks of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from .blocks import Block, Entries
from .buffers import Buffers
from .part import Facts, index_dtype

__all__ = ["Assembly", "Rows", "cut"]


class Rows(NamedTuple):
    """The arrays of a part."""

    X: NDArray[Any] | CSRView
    y: NDArray[Any]
    weight: NDArray[Any] | None


class Assembly:
    """The arrays of one part while blocks are copied into them.

    Parameters
    ----------
    facts : Facts
    capacity : int
        Rows to make room for at first. The arrays grow where more come.
    n_entries : int
        Entries of sparse rows to make room for at first.
    buffers : Buffers
        Makes the arrays.
    most : tuple of int
        The largest capacity and n_entries of a part of the stream, which share buffers.
    """

    def __init__(
        self, facts: Facts, capacity: int, n_entries: int, buffers: Buffers, most: tuple[int, int] | None = None
    ) -> None:
        rows, entries = most or (capacity, n_entries)
        self.facts, self.length = facts, 0
        self._target = buffers.empty((capacity,), facts.dtype, rows)
        self._weight = buffers.empty((capacity,), facts.dtype, rows) if facts.has_weights else None
        d = facts.n_features
        self._dense = None if facts.is_sparse else buffers.empty((capacity, d), facts.storage, rows * d)
        self._entries: _Entries | None = None
        if facts.is_sparse:
            data = buffers.empty((n_entries,), facts.storage, entries)
            indices = buffers.empty((n_entries,), index_dtype(d), entries)
            self._entries = _Entries(facts, data, indices, buffers.empty((capacity + 1,), np.int64, rows + 1))

    def take(self, block: Block, start: int, stop: int) -> Rows:
        """Copy the rows [start, stop) of a block, and return them as they are now."""
        at, end = self.length, self.length + stop - start
        if end > len(self._target):
            self._grow(max(end, 2 * len(self._target)))
        weight = None if self._weight is None else self._weight[at:end]
        block.write_y(self._target[at:end], start, stop)
        if weight is not None:
            block.write_weight(weight, start, stop)
        X: NDArray[Any] | CSRView
        if self._dense is not None:
            X = self._dense[at:end]
            block.write_X(X, start, stop)
        else:
            assert self._entries is not None
            X = self._entries.take(block.entries(start, stop), at)
        self.length = end
        return Rows(X, self._target[at:end], weight)

    def _grow(self, capacity: int) -> None:
        self._target = _longer(self._target, capacity, self.length)
        if self._weight is not None:
            self._weight = _longer(self._weight, capacity, self.length)
        if self._dense is not None:
            self._dense = _longer(self._dense, capacity, self.length)
        if self._entries is not None:
            self._entries.grow(capacity, self.length)

    def finish(self) -> Rows:
        """Return the arrays of all rows."""
        n = self.length
        weight = None if self._weight is None else self._weight[:n]
        if self._dense is not None:
            return Rows(self._dense[:n], self._target[:n], weight)
        assert self._entries is not None
        return Rows(self._entries.finish(n), self._target[:n], weight)


class _Entries:
    """The arrays of sparse rows. They grow by doubling where the number of entries is unknown."""

    def __init__(self, facts: Facts, data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any]) -> None:
        self._facts, self._length = facts, 0
        self._data, self._indices, self._indptr = data, indices, indptr
        self._indptr[0] = 0

    def take(self, entries: Entries, row: int) -> CSRView:
        first, last = self._length, self._length + len(entries.data)
        if last > len(self._data):
            room = max(last, 2 * len(self._data))
            self._data, self._indices = _longer(self._data, room, first), _longer(self._indices, room, first)
        with np.errstate(over="ignore"):
            self._data[first:last] = entries.data
        self._indices[first:last] = entries.indices
        n = len(entries.lengths)
        ends = first + np.cumsum(entries.lengths, dtype=np.int64)
        self._indptr[row + 1 : row + 1 + n] = ends
        self._length = last
        indptr = np.concatenate([[first], ends]) - first
        return CSRView(self._data[first:last], self._indices[first:last], indptr, (n, self._facts.n_features))

    def grow(self, capacity: int, rows: int) -> None:
        self._indptr = _longer(self._indptr, capacity + 1, rows + 1)

    def finish(self, rows: int) -> CSRView:
        n, indptr = self._length, self._indptr[: rows + 1]
        return CSRView(self._data[:n], self._indices[:n], indptr, (rows, self._facts.n_features))


def _longer(array: NDArray[Any], length: int, used: int) -> NDArray[Any]:
    longer = np.empty((length, *array.shape[1:]), array.dtype)
    longer[:used] = array[:used]
    return longer


def cut(
    blocks: Iterator[Block],
    part_rows: int,
    begin: Callable[[Block], Assembly],
    check: Callable[[Block, int, Rows], None],
) -> Iterator[Rows]:
    """Yield the rows of blocks as parts of `part_rows` rows each, but the last one.

    `begin` returns the arrays of a part, which begins in the block that it is given. `check` is given a block, the
    number of its first row that was copied, and the copies. It raises an error for rows that cannot be used.
    """
    assembly: Assembly | None = None
    for block in blocks:
        start = 0
        while start < len(block):
            assembly = assembly or begin(block)
            stop = min(start + part_rows - assembly.length, len(block))
            check(block, start, assembly.take(block, start, stop))
            start = stop
            if assembly.length == part_rows:
                yield assembly.finish()
                assembly = None
    if assembly is not None:
        yield assembly.finish()
