"""Tables that are read chunk by chunk, for predictions and measures: the same values as in one table of all rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..extras import require
from ..streams.files import FileState
from ..streams.npy_table import NpyFile
from .readers import matrix_frame
from .streaming import Streaming
from .tables import NoRowsError, OptionError, ReadOptions, Table, TableError, reading
from .text_reader import csv_chunks

__all__ = ["Chunks", "naming_rows"]

_MOST_ROWS, _LEAST_ROWS = 2**16, 256
_COPIES = 40  # bytes that a chunk needs for each byte of its numbers, as text and features come on top
_CELL = 8


@dataclass(frozen=True)
class Chunks:
    """The rows of files, chunk by chunk. The index of a chunk has the numbers of its rows in the whole, from 0."""

    streaming: Streaming
    options: ReadOptions
    progress: Callable[[int], Any] | None = None

    @property
    def name(self) -> str:
        """What reports call the table."""
        return self.streaming.outline.name

    @property
    def rows(self) -> int:
        """The rows of a chunk."""
        width = max(len(self.streaming.outline.names), 1) * _CELL * _COPIES
        return int(min(max(self.streaming.memory // width, _LEAST_ROWS), _MOST_ROWS))

    def tables(self) -> Iterator[Table]:
        """Yield the chunks in order.

        Raises
        ------
        TableError
            A file cannot be read, or its columns are not those of the first one.
        """
        outline, row, columns = self.streaming.outline, 0, None
        read = _READERS.get(outline.kind)
        if read is None:
            raise OptionError(f"{outline.kind} files are read at once here: raise --memory, or add --no-stream")
        for path in outline.paths:
            state = FileState.of(path)
            with reading(path, f"cannot be read as {outline.kind}"):
                for table in read(path, self.options, self.rows):
                    state.check()
                    frame = table.frame
                    columns = list(frame.columns) if columns is None else columns
                    if set(frame.columns) != set(columns):
                        raise TableError(f"{path} must have the columns of {outline.paths[0]}")
                    table.frame = frame.set_axis(np.arange(row, row + len(frame)), axis="index")
                    table.texts = {name: text.set_axis(table.frame.index) for name, text in table.texts.items()}
                    table.name, row = outline.name, row + len(frame)
                    if self.progress is not None:
                        self.progress(len(frame))
                    yield table
        if not row:
            raise TableError(f"{outline.name} is empty")


@contextmanager
def naming_rows(table: Table) -> Iterator[None]:
    """Name the rows of a chunk in errors that name no row."""
    try:
        yield
    except NoRowsError:
        raise
    except TableError as error:
        if re.search(r"\brow \d", str(error)) or not len(table.frame):
            raise
        first, last = int(table.frame.index[0]) + 1, int(table.frame.index[-1]) + 1
        raise TableError(f"rows {first:,} to {last:,}: {error}") from error


def _parquet(path: Path, options: ReadOptions, rows: int) -> Iterator[Table]:
    with require("pyarrow.parquet", "cli").ParquetFile(str(path), pre_buffer=False) as file:
        for batch in file.iter_batches(rows):
            frame = batch.to_pandas().reset_index(drop=True)
            frame.columns = frame.columns.map(str)
            yield Table(frame)


def _npy(path: Path, options: ReadOptions, rows: int) -> Iterator[Table]:
    header = NpyFile.of(path)
    if len(header.shape) != 2 or header.dtype.kind not in "biuf":
        got = f"{header.dtype} of shape {header.shape}"
        raise ValueError(f"array: expected a two-dimensional array of numbers, got {got}")
    with header.state.open() as file:
        for start in range(0, header.shape[0], rows):
            array = np.empty((min(rows, header.shape[0] - start), header.shape[1]), header.dtype)
            header.read(file, start, array)
            yield Table(matrix_frame(array, "array"), kind="matrix")


_READERS = {"Parquet": _parquet, "npy": _npy, "CSV": csv_chunks}
