"""Streams of Parquet files, read row group by row group."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from ..extras import require
from .blocks import Place
from .columns import ArrowBlock, Columns
from .files import FileState
from .labels import Labels
from .source import BlockReader, Survey, nearest

__all__ = ["ParquetSource"]

_KIND = "Parquet"
_BUFFER = 1 << 16  # bytes that are read ahead of each column
_PAGE = 1 << 20  # bytes of a page of a column, as most programs write them
_BLOCK = 1 << 21
_RELEASE = 32 << 20  # after so many bytes, Arrow's allocator gives back what is not in use
_FIXED = 48 << 20  # what Arrow's allocator keeps beyond what is in use, by measurements


class ParquetSource:
    """Rows in Parquet files. One row group is open at a time, page by page."""

    any_order, if_changed, is_copy = True, "", False

    def __init__(
        self,
        paths: list[Path],
        target: Any,
        weight: Any,
        dtype: np.dtype[Any] | None,
        memory: int,
        drop: Collection[Any] = (),
    ) -> None:
        self._decoded = 0
        self.states = [FileState.of(path) for path in paths]
        self._groups: list[tuple[int, int]] = []  # the number of the file, and that of the row group among all
        rows: list[int] = []
        self.name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} others"
        kinds: list[np.dtype[Any]] = []
        targets: list[np.dtype[Any] | None] = []
        largest = 0
        for number, state in enumerate(self.states):
            with self._opened(state) as file:
                metadata, schema = file.metadata, file.schema_arrow
            if number == 0:
                self._columns = Columns.of(schema, str(state.path), target, weight, drop)
            kinds += self._columns.kinds(schema, str(state.path))
            targets.append(self._columns.target_dtype(schema, str(state.path)))
            for group in (metadata.row_group(each) for each in range(metadata.num_row_groups)):
                largest = max(largest, _memory_of(group))
                self._groups.append((number, len(rows)))
                rows.append(group.num_rows)
        self.facts = self._columns.facts(kinds, targets, dtype)
        self.labels = Labels() if self._columns.has_text else None
        self._starts = [0, *itertools.accumulate(rows)]
        self.n_rows: int | None = self._starts[-1]
        block = min(_BLOCK, max(memory // 64, 1 << 16))
        self._batch = max(block // (8 * len(self._columns.names)), 64)
        self.reserve = 3 * block + largest + _FIXED

    def _opened(self, state: FileState) -> Any:
        parquet = require("pyarrow.parquet", "stream")
        columns = getattr(self, "_columns", None)
        coded = [columns.target] if columns is not None and columns.has_text else None
        with state.reading(_KIND):
            return parquet.ParquetFile(
                str(state.path), pre_buffer=False, buffer_size=_BUFFER, read_dictionary=coded, memory_map=False
            )

    def start_of(self, row: int) -> int:
        """Return the first row of the row group of a row."""
        return nearest(self._starts[:-1], row)

    def blocks(self, row: int) -> Iterator[ArrowBlock]:
        """Yield blocks from a row on, with which a row group begins."""
        begin = self._starts.index(row)
        for at, groups in itertools.groupby(self._groups[begin:], key=lambda each: each[0]):
            state, first = self.states[at], next(number for other, number in self._groups if other == at)
            with self._opened(state) as file:
                for _, number in groups:
                    place = self._starts[number] - self._starts[first]
                    for batch in self._batches(file, state, number - first):
                        yield ArrowBlock(batch, self._columns, Place(str(state.path), place), self.labels)
                        place += batch.num_rows

    def _batches(self, file: Any, state: FileState, group: int) -> Iterator[Any]:
        pool = require("pyarrow", "stream").default_memory_pool()
        with state.reading(_KIND):
            batches = file.iter_batches(self._batch, row_groups=[group], columns=self._columns.names)
        while True:
            with state.reading(_KIND):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch
            self._decoded += batch.nbytes
            if self._decoded > _RELEASE:
                self._decoded = 0
                pool.release_unused()

    def reader(self, found: Survey, stop: Event) -> BlockReader:
        """Return a reader of parts."""
        return BlockReader(self, found, stop)


def _memory_of(group: Any) -> int:
    """Return about how many bytes the reader of a row group needs: some pages of each column, and a buffer."""
    columns = [group.column(each) for each in range(group.num_columns)]
    return sum(5 * min(column.total_uncompressed_size, _PAGE) // 2 + _BUFFER for column in columns)
