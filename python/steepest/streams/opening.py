"""`open_stream`: recognises a source, and makes the opening pass over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..arrays.checks import check_count, describe
from .cache import CachedSource
from .checks import check_dtype, check_memory
from .delimited import CSVSource
from .files import files_of, is_path, kind_of
from .iterable import IterableSource
from .npy import NpySource
from .npy_table import tables_of
from .parquet import ParquetSource
from .source import Budget, Source, survey
from .stream import Stream
from .svmlight import SvmlightSource

__all__ = ["open_stream"]


def open_stream(
    source: Any,
    *,
    target: str | int | None = None,
    weight: str | int | None = None,
    drop: Sequence[str | int] = (),
    part_rows: int = 2**18,
    dtype: Any = None,
    memory: int | str = "1 GiB",
    cache: Any = None,
    progress: Callable[[int], Any] | None = None,
) -> Stream:
    """Open data in parts, which need not fit into memory.

    Opening reads the source once, to count its rows and to check its numbers. Each later pass reads it again, part by
    part. A thread reads ahead while the caller computes.

    Parameters
    ----------
    source : path, list of paths, tuple of paths, or iterable of blocks
        - Parquet and CSV files (.parquet, .pq, .csv, .tsv; text also as .gz, .bz2, .xz): a file, a folder, a pattern of
          `glob`, or a list of them, whose rows follow one another. A folder is read in the order of the names of its
          files. The index of a data frame of pandas is no feature.
        - A tuple of .npy files: X of shape (n_samples, n_features), y of shape (n_samples,) and, if there are any, the
          weights. A list of such tuples is read one after the other. A single .npy file is a table with the target in
          a column, or an X without a target.
        - svmlight files (.svmlight, .libsvm, .svm): sparse rows. Column j of X is the one with number j in the file, so
          column 0 is empty in files that count from 1.
        - Blocks ``(X, y)``, ``(X, y, weight)`` or ``(X,)`` of arrays, of any number of rows: a list, or another object
          that gives the same blocks each time it is iterated. X is a dense array or a CSR matrix.
    target : str or int
        The column with the targets: its name, or its number in a .npy table. None for sources that bring the target
        otherwise. A table without a target, and blocks ``(X,)``, make a stream for predictions, of all columns. Text is
        taken for classes: ``Stream.classes`` has the labels, and y their codes.
    weight : str or int, optional
        The column with the weights of the rows, at least 0.
    drop : sequence of str or int
        Columns that are no features.
    part_rows : int
        The rows of each part but the last one.
    dtype : {numpy.float32, numpy.float64}, optional
        The dtype to compute with, to which integers, booleans and other floats are converted. The default is float32
        if all features are float32 or float16, else float64. If all are float16, X stays float16.
    memory : int or str
        The bytes that the stream may use, or a text such as ``"500 MB"``. Two parts must fit. More are read ahead. If
        the rows of files take up to half of it, fits keep them in memory after their first pass.
    cache : path, optional
        A folder for a copy of the parts in binary form, which the opening pass writes. Later passes read the copy at
        the rate of the disk, in any order of the parts. It is used again while the files and the settings are the same.
    progress : callable, optional
        It is called with the number of rows of each part that a pass reads, the opening pass among them.

    Returns
    -------
    Stream

    Raises
    ------
    ValueError
        The source has no rows, a number that is missing or not finite, a negative weight, a column that is no number,
        or files that do not match; or two parts do not fit into `memory`. The message names the file and the row,
        which counts from 0.
    TypeError
        The source can be iterated only once, or an argument has another type.
    OSError
        A file does not exist, or changes while it is read.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.arange(20.0).reshape(10, 2), np.tile([0.0, 1.0], 5)
    >>> stream = st.open_stream([(X[:7], y[:7]), (X[7:], y[7:])], part_rows=4)
    >>> stream
    <Stream of 10 x 2 dense float64 in 3 parts>
    >>> sum(float(part.y.sum()) for part in stream.parts())
    5.0
    """
    part_rows = check_count("part_rows", part_rows, 1)
    budget_bytes, wanted = check_memory(memory), check_dtype(dtype)
    dropped = _columns_of("drop", drop)
    found = _source(source, target, weight, dropped, wanted, budget_bytes)
    budget = Budget(budget_bytes, found.reserve, part_rows)
    if cache is not None:
        kind = type(found).__name__
        settings: dict[str, Any] = {"target": target, "weight": weight, "part_rows": part_rows, "kind": kind}
        if dropped:
            settings["drop"] = sorted(dropped, key=str)
        cached = CachedSource(found, _folder(cache), settings, budget, progress)
        budget = Budget(budget_bytes, 0, part_rows)
        budget.check(cached.found.largest_part, max(cached.found.sizes))
        return Stream(cached, cached.found, budget, progress)
    surveyed = survey(found, budget, progress=progress)
    if found.labels is not None:
        surveyed.settle(found.labels.settle())
    return Stream(found, surveyed, budget, progress)


def _columns_of(name: str, value: Any) -> list[Any]:
    if isinstance(value, str | int) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of columns, got {describe(value)}")
    return list(value)


def _folder(cache: Any) -> Path:
    if not is_path(cache):
        raise TypeError(f"cache must be the path of a folder or None, got {describe(cache)}")
    folder = Path(cache)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"cache must be the path of a folder, got the file {folder}")
    return folder


def _source(source: Any, target: Any, weight: Any, drop: list[Any], dtype: Any, memory: int) -> Source:
    groups = _npy_groups(source)
    if groups is not None:
        _check_unused("a pair of files", target, weight, drop)
        return NpySource(tables_of(groups, None, None), dtype, memory)
    if is_path(source) or (isinstance(source, list | tuple) and source and all(map(is_path, source))):
        kind, paths = files_of(source)
        if kind == "npy":
            return NpySource(tables_of([(path,) for path in paths], target, weight, drop), dtype, memory)
        if kind == "Parquet":
            return ParquetSource(paths, target, weight, dtype, memory, drop)
        if kind == "CSV":
            return CSVSource(paths, target, weight, dtype, memory, drop)
        _check_unused("svmlight files", target, weight, drop)
        return SvmlightSource(paths, dtype, memory)
    _check_unused("a source of blocks", target, weight, drop)
    if not isinstance(source, Iterable):
        expected = "source must be a path, a tuple or list of paths, or blocks (X, y) that can be iterated again"
        raise TypeError(f"{expected}, got {describe(source)}")
    return IterableSource(source, dtype)


def _npy_groups(source: Any) -> list[tuple[Path, ...]] | None:
    """Return the pairs of `.npy` files that a source names; None if it names none."""
    groups = source if isinstance(source, list) else [source]
    found = [tuple(map(Path, each)) for each in groups if isinstance(each, tuple) and each and all(map(is_path, each))]
    if not found or len(found) != len(groups):
        return None
    for group in found:
        if len(group) not in (2, 3) or any(kind_of(path) != "npy" for path in group):
            raise ValueError(
                "a tuple of paths must name two or three .npy files, (X file, y file[, weight file]), got "
                f"{tuple(map(str, group))}; give other files as a list"
            )
    return found


def _check_unused(what: str, target: Any, weight: Any, drop: list[Any]) -> None:
    for name, value in (("target", target), ("weight", weight)):
        if value is not None:
            raise ValueError(f"{name} must be None for {what}, which brings its own, got {value!r}")
    if drop:
        raise ValueError(f"drop must be empty for {what}, got {drop}")
