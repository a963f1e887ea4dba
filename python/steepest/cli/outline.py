"""What a table in files is like, from headers, metadata and first lines, to decide whether to read all rows at once."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..extras import require
from ..streams.checks import check_memory
from ..streams.columns import is_text
from ..streams.delimited import in_arrow
from ..streams.files import FileState, files_of, kind_of
from ..streams.text import blocks_of_lines, is_compressed
from .tables import CODE, OptionError

__all__ = ["Outline", "budget_of", "outline_of"]

_BLOCK = 1 << 16  # bytes of text that are looked at
_NUMBER, _TEXT = 8, 64  # bytes of a cell of a data frame
_COPIES, _TEXTS = 8, 3  # of the numbers, and of the text, at the peak of a fit in memory, by measurements
_OF_TEXT = 5  # bytes of text that a compressed byte stands for
_SHARE = 2  # a part of the free memory is the default budget
_UNKNOWN = 4 << 30  # free memory of a system that does not tell it


@dataclass
class Outline:
    """A table in files.

    Attributes
    ----------
    kind : {"Parquet", "CSV", "npy", "svmlight"}
    paths : list of Path
    rows : int
        Estimated for text.
    needs : int
        The bytes that a fit to all rows in memory needs, as estimated.
    names : list of str
        The columns; empty for svmlight files.
    odd : dict of str to str
        What the columns hold that hold no numbers.
    flags : frozenset of str
        The columns of a Parquet file that hold truth values.
    row_bytes : int
        The bytes of a row in a part, as estimated.
    """

    kind: str
    paths: list[Path]
    rows: int
    needs: int
    names: list[str] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    row_bytes: int = 0

    @property
    def known_rows(self) -> int | None:
        """The rows, if they are not estimated."""
        return self.rows if self.kind in ("Parquet", "npy") else None

    @property
    def name(self) -> str:
        """What reports call the table."""
        return self.paths[0].name if len(self.paths) == 1 else f"{self.paths[0].name} and {len(self.paths) - 1} others"


def budget_of(memory: str | None) -> int:
    """Return the bytes that the option --memory names; without it, half of the memory that is free."""
    if memory is None:
        return max(_free_memory() // _SHARE, 1 << 26)
    try:
        return check_memory(memory)
    except ValueError as error:
        raise OptionError(f"--{error}") from None


def _free_memory() -> int:
    """Return the bytes that the system, or the group of processes that this one is in, can still give."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")]
    except OSError:
        if "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
            found.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        group = Path("/sys/fs/cgroup")
        found.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # there is no such group, or it has no limit
        pass
    return min(found, default=_UNKNOWN)


def outline_of(tables: Sequence[Path]) -> Outline | None:
    """Return the outline of a table in files, or None if only the readers of whole tables can tell what is there.

    Parameters
    ----------
    tables : sequence of Path
        Files, folders and patterns of names, of Parquet, CSV, .npy or svmlight.

    Raises
    ------
    ValueError, OSError
        There are several files, and they are not of one kind that streams read; or a folder or a pattern has none.
    """
    if len(tables) == 1 and not _is_several(tables[0]) and (kind_of(tables[0]) is None or not tables[0].is_file()):
        return None
    kind, paths = files_of(list(tables))
    return {"Parquet": _of_parquet, "CSV": _of_csv, "npy": _of_npy, "svmlight": _of_svmlight}[kind](paths)


def _is_several(path: Path) -> bool:
    return path.is_dir() or (glob.has_magic(str(path)) and not path.exists())


def _of_parquet(paths: list[Path]) -> Outline:
    parquet = require("pyarrow.parquet", "cli")
    rows, schema = 0, None
    for path in paths:
        with FileState.of(path).reading("Parquet"), parquet.ParquetFile(str(path)) as file:
            rows += file.metadata.num_rows
            schema = file.schema_arrow if schema is None else schema
    return _of_schema(Outline("Parquet", paths, rows, 0), schema)


def _of_schema(found: Outline, schema: Any) -> Outline:
    """Fill in what a schema of Arrow says. Columns of text take more memory."""
    types = require("pyarrow.types", "cli")
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    fields = [each for each in schema if each.name not in index]
    found.names = [each.name for each in fields]
    found.flags = frozenset(each.name for each in fields if types.is_boolean(each.type))
    for each in fields:
        if is_text(each.type):
            found.odd[each.name] = "text"
        elif not (
            types.is_integer(each.type)
            or types.is_floating(each.type)
            or types.is_decimal(each.type)
            or each.name in found.flags
        ):
            found.odd[each.name] = "nothing" if types.is_null(each.type) else str(each.type)
    cells = sum(_TEXT if each.name in found.odd else _NUMBER for each in fields)
    found.needs, found.row_bytes = found.rows * cells * _COPIES, _NUMBER * (len(fields) + 1)
    return found


def _first_lines(path: Path, kind: str) -> bytes:
    return next(blocks_of_lines(FileState.of(path), 0, _BLOCK, kind), b"")


def _text_size(paths: list[Path]) -> int:
    return sum(path.stat().st_size * (_OF_TEXT if is_compressed(path) else 1) for path in paths)


def _of_csv(paths: list[Path]) -> Outline:
    """Return the outline of CSV files. The first lines decide what the columns hold."""
    arrow, reader = require("pyarrow", "cli"), require("pyarrow.csv", "cli")
    text, path = _first_lines(paths[0], "CSV"), paths[0]
    separator = "\t" if ".tsv" in (suffix.lower() for suffix in path.suffixes) else ","
    size, n_lines = _text_size(paths), max(text.count(b"\n"), 1)
    rows = size * n_lines // max(len(text), 1)
    try:
        names = next(
            csv.reader([text.decode("utf-8-sig", "replace").split("\n", 1)[0].rstrip("\r")], delimiter=separator)
        )
        table = reader.read_csv(
            arrow.BufferReader(in_arrow(text)), parse_options=reader.ParseOptions(delimiter=separator)
        )
    except (StopIteration, arrow.ArrowInvalid):  # the reader of whole tables says what is wrong
        return Outline("CSV", paths, rows, size * _TEXTS)
    found = _of_schema(Outline("CSV", paths, rows, 0), table.schema)
    found.odd |= dict.fromkeys(found.flags, "truth values")
    if "" in found.names:
        found.odd[""] = "which has no name"
    codes = reader.read_csv(
        arrow.BufferReader(in_arrow(text)),
        parse_options=reader.ParseOptions(delimiter=separator),
        convert_options=reader.ConvertOptions(column_types=dict.fromkeys(names, arrow.string())),
    )
    for name in set(found.names) - set(found.odd):
        if any(CODE.fullmatch(value or "") for value in codes[name].to_pylist()):
            found.odd[name] = "digits with leading zeros, which are text"
    found.flags, found.needs = frozenset(), max(found.needs, size * _TEXTS)
    return found


def _of_npy(paths: list[Path]) -> Outline:
    """Return the outline of tables in .npy files, whose columns have numbers for names."""
    arrays = []
    for path in paths:
        with FileState.of(path).reading("npy"):
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
    rows, columns = sum(len(each) for each in arrays), arrays[0].shape[1] if arrays[0].ndim == 2 else 1
    names = [str(j) for j in range(columns)]
    return Outline("npy", paths, rows, rows * columns * _NUMBER * _COPIES, names, row_bytes=_NUMBER * (columns + 1))


def _of_svmlight(paths: list[Path]) -> Outline:
    text, size = _first_lines(paths[0], "svmlight"), _text_size(paths)
    line = max(len(text) // max(text.count(b"\n"), 1), 1)
    return Outline("svmlight", paths, size // line, size * _COPIES, row_bytes=4 * line)
