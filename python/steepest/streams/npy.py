"""Streams of `.npy` files: pairs of a file of X and a file of y, or tables with the target in a column."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .blocks import ArrayBlock
from .buffers import Buffers
from .iterable import facts_of_dtype
from .labels import Labels
from .npy_table import NpyTable, check_alike
from .part import Facts, Part
from .section import FileRows, OpenFile, Section, announce
from .source import Stopped, Survey, nearest

__all__ = ["NpySource"]

_STEP = 1 << 22  # bytes to read at once where they are converted


class NpySource:
    """Rows in `.npy` files."""

    any_order, if_changed, is_copy = True, "", False

    def __init__(self, tables: list[NpyTable], dtype: np.dtype[Any] | None, memory: int) -> None:
        tables = [table for table in tables if table.files[0].shape[:1] != (0,)] or tables  # files without rows
        first = tables[0]
        for table in tables:
            check_alike(first, table)
        d = len(first.features) if first.is_one else first.files[0].row_size
        found = facts_of_dtype(dtype, [table.files[0].dtype for table in tables])
        self.facts = Facts(d, *found, has_weights=first.has_weights, target=first.target_dtype)
        is_text = not first.is_one and first.files[1].dtype.kind == "U"
        for table in tables[1:] if first.has_target else ():
            self.facts.note_target(table.target_dtype or self.facts.dtype)
        self.labels = Labels() if is_text else None
        self.n_rows: int | None = sum(len(table) for table in tables)
        self.name = first.place if len(tables) == 1 else f"{first.place} and {len(tables) - 1} others"
        self.step = max(min(_STEP, memory // 64) // first.row_bytes, 1)
        self.reserve = 3 * self.step * first.row_bytes
        if any(file.is_fortran for table in tables for file in table.files):
            self.reserve += 16 * self.step
        self.states = [file.state for table in tables for file in table.files]
        self.tables, self.starts = tables, [0, *itertools.accumulate(len(table) for table in tables)]

    def blocks(self, row: int) -> Iterator[ArrayBlock]:
        """Yield all rows in blocks; `row` is 0."""
        for table in self.tables:
            with ExitStack() as stack:
                opened = [stack.enter_context(header.state.open()) for header in table.files]
                for start in range(row, len(table), self.step):
                    yield table.block(opened, start, min(start + self.step, len(table)), self.labels)

    def reader(self, found: Survey, stop: Event) -> NpyReader:
        """Return a reader of parts."""
        return NpyReader(self, found, stop)


class NpyReader:
    """Reads parts by `pread`, into their arrays where the dtype is theirs."""

    def __init__(self, source: NpySource, found: Survey, stop: Event) -> None:
        self._source, self._found, self._stop = source, found, stop
        self._starts = [0, *itertools.accumulate(found.sizes)]
        self._opened: tuple[int, list[BinaryIO]] | None = None
        self._stack = ExitStack()
        self._buffers = Buffers.of(source)
        self._kept: tuple[int, OpenFile] | None = None  # the file of the last section, by the number of its table

    def part(self, index: int) -> Part:
        """Return a part in memory of its own."""
        source, facts = self._source, self._source.facts
        start, stop = self._starts[index], self._starts[index + 1]
        most = max(self._found.sizes) * facts.n_features
        X = self._buffers.empty((stop - start, facts.n_features), facts.storage, most)
        y, weight = self._empty(stop - start)
        at = start
        while at < stop:
            number = source.starts.index(nearest(source.starts, at))
            end = min(stop, source.starts[number + 1])
            rows = slice(at - start, end - start)
            arrays = X[rows], y[rows], None if weight is None else weight[rows]
            self._fill(number, at - source.starts[number], arrays)
            at = end
        return Part(index, X, y, weight)

    def section(self, index: int) -> Part | Section:
        """Return a part whose X is still in its file, if one file has it as passes take it."""
        source, facts = self._source, self._source.facts
        start, stop = self._starts[index], self._starts[index + 1]
        number = source.starts.index(nearest(source.starts, start))
        table, first = source.tables[number], start - source.starts[number]
        if table.is_one or not table.is_direct(facts.storage) or stop > source.starts[number + 1]:
            return self.part(index)
        y, weight = self._empty(stop - start)
        self._fill(number, first, (None, y, weight))
        header = table.files[0]
        if self._kept is None or self._kept[0] != number:
            self._kept = number, OpenFile(header.state.open())
        offset = header.offset + first * header.row_size * header.dtype.itemsize
        shape, name = (stop - start, facts.n_features), str(header.state.path)
        rows = FileRows(self._kept[1], offset, name, shape, facts.storage, header.state.check)
        announce(rows)
        return Section(index, rows, y, weight)

    def _empty(self, n: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
        facts = self._source.facts
        return np.empty(n, facts.dtype), np.empty(n, facts.dtype) if facts.has_weights else None

    def _fill(
        self, number: int, start: int, arrays: tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any] | None]
    ) -> None:
        """Fill the arrays of rows. X is None if it is not wanted."""
        table, opened = self._source.tables[number], self._files(number)
        X, y, weight = arrays
        direct = X is not None and table.is_direct(X.dtype)
        step = self._source.step
        for at in range(0, len(y), step):
            if self._stop.is_set():
                raise Stopped
            rows = slice(at, min(at + step, len(y)))
            n = rows.stop - at
            out = X[rows] if X is not None and direct else None
            block = table.block(opened, start + at, start + rows.stop, self._source.labels, out, X is not None)
            if X is not None and not direct:
                block.write_X(X[rows], 0, n)
            block.write_y(y[rows], 0, n)
            if weight is not None:
                block.write_weight(weight[rows], 0, n)

    def _files(self, number: int) -> list[BinaryIO]:
        if self._opened is None or self._opened[0] != number:
            self.close()
            table = self._source.tables[number]
            self._opened = number, [self._stack.enter_context(header.state.open()) for header in table.files]
        return self._opened[1]

    def close(self) -> None:
        """Close the files."""
        self._opened = self._kept = None
        self._stack.close()
