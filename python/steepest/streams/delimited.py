"""Streams of CSV files, parsed by Arrow block by block."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from ..extras import require
from .columns import ArrowBlock, Columns, is_text
from .files import DataError
from .labels import Labels
from .text import Lines, TextSource, blocks_of_lines

__all__ = ["CSVSource", "in_arrow"]

_BOM = b"\xef\xbb\xbf"


class CSVSource(TextSource):
    """Rows in CSV files whose first line names the columns."""

    kind = "CSV"

    def __init__(
        self,
        paths: list[Path],
        target: Any,
        weight: Any,
        dtype: np.dtype[Any] | None,
        memory: int,
        drop: Collection[Any] = (),
    ) -> None:
        super().__init__(paths, memory)
        self._headers: list[tuple[list[str], int]] = []
        found: list[tuple[int, Any]] = []
        for number, state in enumerate(self.states):
            with state.reading(self.kind):
                names, end, schema = self._first(number)
            self._headers.append((names, end))
            if schema is not None:
                found.append((number, schema))
        if not found:
            raise DataError(f"{self.name} has no rows")
        (first, schema), *_ = found
        self._columns = Columns.of(schema, str(paths[first]), target, weight, drop)
        self._types = self._typed(schema)
        kinds: list[np.dtype[Any]] = []
        targets: list[np.dtype[Any] | None] = []
        for number, other in found:
            kinds += self._columns.kinds(self._with_target(other), str(paths[number]))
            targets.append(self._columns.target_dtype(self._with_target(other), str(paths[number])))
        self.facts = self._columns.facts(kinds, targets, dtype)
        self.labels = Labels() if self._columns.has_text else None

    def begin_of(self, number: int) -> int:
        """Return the offset of the line after the header."""
        return self._headers[number][1]

    def _first(self, number: int) -> tuple[list[str], int, Any]:
        """Return the names of the columns of a file, the end of its header, and the types in its first block."""
        state = self.states[number]
        text = next(blocks_of_lines(state, 0, self.size, self.kind), b"")
        end = text.find(b"\n") + 1 or len(text)
        header = text[:end].removeprefix(_BOM)
        if not header.strip():
            raise DataError(f"{state.path} must name its columns in the first line, which is empty")
        names = self._read(header, number, None, {}).schema.names
        if all(_is_number(name) for name in names):
            shown = ", ".join(names[:8]) + ", ..." * (len(names) > 8)
            raise DataError(f"{state.path} must name its columns in the first line, got the numbers {shown}")
        rows = text[end:]
        if not rows.strip():
            return names, end, None
        arrow, schema = require("pyarrow", "stream"), self._read(rows, number, names, {}).schema
        for at, field in enumerate(schema):  # nothing but missing values
            if field.type == arrow.null():
                schema = schema.set(at, field.with_type(arrow.float64()))
        return names, end, schema

    def _typed(self, schema: Any) -> dict[str, Any]:
        """Return the types to which the columns are converted."""
        arrow, columns = require("pyarrow", "stream"), self._columns
        types = {}
        for name in columns.names:
            is_flag = schema.field(name).type == arrow.bool_()
            types[name] = arrow.bool_() if is_flag else arrow.float64()
        if columns.has_text and columns.target is not None:
            types[columns.target] = arrow.string()
        return types

    def _with_target(self, schema: Any) -> Any:
        """Return a schema with text as the target, if the first file has some: "1" may be a label, too."""
        at = -1 if self._columns.target is None else schema.get_field_index(self._columns.target)
        if at < 0 or not self._columns.has_text:
            return schema
        return schema.set(at, schema.field(at).with_type(require("pyarrow", "stream").string()))

    def _read(self, text: bytes, number: int, names: list[str] | None, types: dict[str, Any]) -> Any:
        csv, arrow = require("pyarrow.csv", "stream"), require("pyarrow", "stream")
        tabs = ".tsv" in (suffix.lower() for suffix in self.states[number].path.suffixes)
        return csv.read_csv(
            arrow.BufferReader(in_arrow(text)),
            csv.ReadOptions(column_names=names),
            csv.ParseOptions(delimiter="\t" if tabs else ","),
            csv.ConvertOptions(column_types=types, strings_can_be_null=True),
        )

    def parse(self, lines: Lines) -> ArrowBlock:
        """Return the rows of some lines."""
        names, arrow = self._headers[lines.file][0], require("pyarrow", "stream")
        is_last = lines.offset + len(lines.text) >= self.states[lines.file].size
        if not is_last and lines.text.count(b'"') % 2:
            raise DataError(
                f"{self.states[lines.file].path} has a line break or a single quote in a quoted field after row "
                f"{lines.row}; write the file without them, or as Parquet"
            )
        try:
            table = self._read(lines.text, lines.file, names, self._types)
        except arrow.ArrowInvalid as error:
            raise self._refusal(lines, error) from error
        batches = table.combine_chunks().to_batches()
        batch = batches[0] if batches else arrow.RecordBatch.from_pylist([], table.schema)
        return ArrowBlock(batch, self._columns, self.place(lines), self.labels)

    def _refusal(self, lines: Lines, error: Exception) -> DataError:
        """Return the error about lines that cannot be converted, with the first value that is to blame."""
        arrow, place = require("pyarrow", "stream"), self.place(lines)
        texts = {name: arrow.string() for name in self._columns.names}
        try:
            table = self._read(lines.text, lines.file, self._headers[lines.file][0], texts)
        except arrow.ArrowInvalid:
            return DataError(f"{place.name} cannot be read as CSV after row {place.row}: {error}")
        for name, kind in self._types.items():
            for row, value in enumerate(table[name].to_pylist()):
                if value is None or is_text(kind) or _suits(value, kind == arrow.bool_()):
                    continue
                what = "true or false, as before" if kind == arrow.bool_() else "a number"
                return DataError(f"column {name!r} must hold {what}, got {value!r} in {place.at(row)}")
        return DataError(f"{place.name} cannot be read as CSV after row {place.row}: {error}")


def in_arrow(text: bytes) -> Any:
    """Return a copy of text in memory of Arrow.

    A thread of Arrow may give up its input a moment after the reader has returned. To give up memory of Python it takes
    the interpreter's lock, and that aborts a process whose interpreter ends meanwhile.
    """
    copy = require("pyarrow", "stream").allocate_buffer(len(text))
    memoryview(copy).cast("B")[:] = text
    return copy


def _suits(value: str, is_flag: bool) -> bool:
    return value.lower() in ("true", "false", "0", "1") if is_flag else _is_number(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
