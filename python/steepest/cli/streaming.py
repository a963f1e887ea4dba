"""Whether a table is read in parts, and its opening as a stream."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..streams.checks import shown_bytes
from ..streams.files import is_path, kind_of
from ..streams.opening import open_stream
from ..streams.stream import Stream
from ..streams.text import is_compressed
from .outline import Outline, budget_of, outline_of
from .tables import OptionError, TableError, some

__all__ = ["Streaming", "opened", "streaming"]

_STANDARD_INPUT = "-"
_SURELY = 64  # times the size of a text, its rows need less memory than that
_SHARE = 10  # a part takes this part of the memory, at most
_FIXED = 64 << 20  # what a reader of Parquet may need beyond its parts
_MOST_ROWS, _LEAST_ROWS = 2**18, 16


@dataclass(frozen=True)
class Streaming:
    """A table that is read in parts.

    Attributes
    ----------
    outline : Outline
    memory : int
        The bytes that its rows may take.
    cache : Path or None
        The folder of the cache.
    why : str
        A sentence that says why.
    """

    outline: Outline
    memory: int
    cache: Path | None
    why: str

    @property
    def part_rows(self) -> int:
        """The rows of a part: a power of two, of which a few fit into the memory."""
        reserve = _FIXED if self.outline.kind == "Parquet" else 0
        free = max(self.memory - reserve, self.memory // 4)
        fitting = max(free // _SHARE // max(self.outline.row_bytes, 1), _LEAST_ROWS)
        return int(min(2 ** int(math.log2(fitting)), _MOST_ROWS))


def streaming(
    tables: Sequence[Path], memory: str | None, forced: bool | None, cache: Path | None = None
) -> Streaming | None:
    """Return how to read a table in parts, or None if all its rows are read at once.

    Parameters
    ----------
    tables : sequence of Path
        Files, folders and patterns of names. Several files are always read in parts.
    memory : str or None
        What the option --memory says.
    forced : bool or None
        Whether --stream or --no-stream was given.
    cache : Path or None
        What the option --cache says.

    Raises
    ------
    OptionError
        The options contradict each other.
    """
    budget = budget_of(memory)
    if forced is False:
        if len(tables) > 1 or tables[0].is_dir():
            raise OptionError("--no-stream: only one file can be read at once; several files are read in parts")
        if cache is not None:
            raise OptionError("--no-stream and --cache exclude each other, as only tables in parts are cached")
        return None
    whole = _STANDARD_INPUT in map(str, tables) or _is_small(tables, budget, forced)
    outline = None if whole else _outline(tables, forced)
    if outline is not None:
        if forced or len(outline.paths) > 1:
            why = "as --stream asks" if forced else f"as there are {len(outline.paths):,} files"
            return Streaming(outline, budget, cache, why)
        if outline.needs > budget:
            why = f"as all rows would need about {shown_bytes(outline.needs)}; --memory allows {shown_bytes(budget)}"
            return Streaming(outline, budget, cache, why)
    elif forced or len(tables) > 1:
        kinds = "Parquet, CSV, TSV, .npy and svmlight files"
        raise OptionError(f"only {kinds} can be read in parts, got {', '.join(map(str, tables))}")
    if cache is not None:
        raise OptionError(f"--cache: all rows fit into memory ({shown_bytes(budget)}); --stream reads them in parts")
    return None


def _is_small(tables: Sequence[Path], budget: int, forced: bool | None) -> bool:
    """Return whether a single file of text is so small that nothing need be looked up."""
    path = tables[0]
    if forced or len(tables) > 1 or not is_path(path) or not path.is_file() or kind_of(path) not in ("CSV", "svmlight"):
        return False
    return path.stat().st_size * _SURELY * (5 if is_compressed(path) else 1) < budget


def _outline(tables: Sequence[Path], forced: bool | None) -> Outline | None:
    try:
        return outline_of(tables)
    except (ValueError, OSError):
        if forced or len(tables) > 1 or not tables[0].is_file():
            raise
        return None  # a single file that is damaged: the reader of whole tables says so


def opened(
    found: Streaming,
    target: str | None,
    weight: str | None,
    drop: Sequence[str],
    dtype: str,
    progress: Callable[[int], Any] | None = None,
) -> Stream:
    """Open the table of a fit. All columns but the target must hold numbers.

    Raises
    ------
    TableError
        A column is absent or holds no numbers. The message says what to do.
    """
    outline, roles = found.outline, _roles(found.outline, target, weight, drop)
    _check_numbers(found, roles)
    source: Any = [str(path) for path in outline.paths]
    named: dict[str, Any] = {}
    if outline.kind != "svmlight":
        places = [int(each) if outline.kind == "npy" else each for each in roles]
        named = {"target": places[0], "drop": places[1 + (weight is not None) :]}
        named |= {} if weight is None else {"weight": places[1]}
    with _in_options(found):
        return open_stream(
            source,
            **named,
            part_rows=found.part_rows,
            dtype=np.dtype(dtype),
            memory=found.memory,
            cache=found.cache,
            progress=progress,
        )


def _roles(outline: Outline, target: str | None, weight: str | None, drop: Sequence[str]) -> list[str]:
    """Return the names of the target, of the weights, if there are some, and of the columns to drop."""
    if outline.kind == "svmlight":
        given = {"--target": target, "--weight": weight, "--drop": drop[0] if drop else None}
        for option, value in given.items():
            if value is not None and not (option == "--target" and value == "y"):
                raise OptionError(f"{option} {value}: columns of svmlight files in parts have no roles")
        return ["y"]
    if target is None:
        raise TableError(f"no target column was named: add --target; the columns are {some(outline.names)}")
    return [column_of(outline, name) for name in (target, *([] if weight is None else [weight]), *drop)]


def column_of(outline: Outline, name: str) -> str:
    """Return the name of the column that a user means. In a .npy table, an index may be negative."""
    n = len(outline.names)
    if outline.kind == "npy" and name.startswith("-") and name[1:].isdecimal() and 0 < int(name[1:]) <= n:
        return outline.names[int(name)]
    if name not in outline.names:
        raise TableError(f"no column '{name}'; the columns are {some(outline.names)}")
    return name


def _check_numbers(found: Streaming, roles: list[str]) -> None:
    """Raise TableError if a feature holds no numbers. The target may hold text."""
    outline = found.outline
    target, *_ = roles
    odd = {name: what for name, what in outline.odd.items() if name not in roles}
    if outline.odd.get(target, "text") != "text":
        odd[target] = outline.odd[target]
    if odd:
        listed = ", ".join(f"'{name}' ({what})" for name, what in list(odd.items())[:8]) + ", ..." * (len(odd) > 8)
        columns = "a column that holds" if len(odd) == 1 else f"{len(odd)} columns that hold"
        raise TableError(f"{outline.name} has {columns} no numbers: {listed}; {_ways(found)}")


def _ways(found: Streaming) -> str:
    """Return what to do about rows that cannot be read in parts."""
    way = "--drop leaves a column out"
    if len(found.outline.paths) > 1:
        return f"the rows of several files are read in parts, which must hold numbers: {way}"
    need = shown_bytes(1.01 * max(found.outline.needs, 1 << 20))  # rounded, it still suffices
    whole = f"--no-stream, or --memory '{need}', reads all rows at once"
    return f"rows that are read in parts must hold numbers: {way}; {whole}"


@contextmanager
def _in_options(found: Streaming) -> Any:
    """Turn errors that name arguments of `open_stream` into ones that name options, and say what to do."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        if text.startswith("memory must") or "fit into memory=" in text:
            reason = re.sub("; set part_rows=.*", "", text)
            raise OptionError(f"--memory {shown_bytes(found.memory)} is too little: {reason}") from error
        if "must hold numbers" in text or "must hold a number" in text or "true or false" in text:
            raise TableError(f"{text}; {_ways(found)}") from error
        if "missing value" in text:
            raise TableError(f"{text}; {_missing_ways(found)}") from error
        if "cannot be read as CSV" in text or "must be finite" in text:
            raise TableError(text) from error
        raise
    except TypeError as error:
        raise TableError(str(error)) from error


def _missing_ways(found: Streaming) -> str:
    whole = "" if len(found.outline.paths) > 1 else ", or --no-stream with --missing reads all rows at once"
    return f"rows that are read in parts have none: --drop leaves a column out{whole}"
