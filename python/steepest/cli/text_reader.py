"""The reading of CSV and TSV files by pandas, at once or chunk by chunk. No type of a column changes a value."""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..extras import require
from . import headers
from .numerals import range_of_integers
from .tables import CODE, OptionError, ReadOptions, Table, TableError

__all__ = ["csv_chunks", "read_csv", "read_tsv"]


def _separator(options: ReadOptions) -> str:
    """Return the character between two fields, or raise OptionError if the options are no way to read text."""
    separator = options.separator or (";" if options.decimal == "," else ",")
    if separator == "\\t":
        separator = "\t"
    if len(separator) != 1:
        raise OptionError(f"--sep must be one character, got {separator!r}")
    if len(options.decimal) != 1 or options.decimal.isalnum() or options.decimal in "+-'\" ":
        raise OptionError(f"--decimal must be one character, such as . or a comma, got {options.decimal!r}")
    if separator == options.decimal:
        got = f"--sep {separator!r} and --decimal {options.decimal!r}"
        raise OptionError(f"--sep and --decimal must be two different characters, got {got}")
    try:
        codecs.lookup(options.encoding)
    except LookupError:
        raise OptionError(f"--encoding: there is no encoding '{options.encoding}'; try utf-8 or latin-1") from None
    return separator


def read_csv(path: Path, options: ReadOptions) -> Table:
    """Read a CSV file."""
    separator = _separator(options)
    try:
        return _read_text(path, separator, options)
    except UnicodeDecodeError as error:
        raise ValueError(f"{error}; --encoding names another, such as latin-1") from error


def read_tsv(path: Path, options: ReadOptions) -> Table:
    """Read a TSV file."""
    return read_csv(path, options if options.separator else _with_separator(options, "\t"))


def _with_separator(options: ReadOptions, separator: str) -> ReadOptions:
    return replace(options, separator=separator)


def csv_chunks(path: Path, options: ReadOptions, rows: int) -> Iterator[Table]:
    """Yield the rows of a CSV or TSV file, so many at a time, as `load_table` reads them."""
    pandas = require("pandas", "cli")
    if ".tsv" in (suffix.lower() for suffix in path.suffixes) and not options.separator:
        options = _with_separator(options, "\t")
    how = _how(path, _separator(options), options)
    with ExitStack() as stack:
        typed, texts = (
            stack.enter_context(pandas.read_csv(path, dtype=dtype, chunksize=rows, **how))
            for dtype in (dict.fromkeys(options.text, str), str)
        )
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pandas.errors.ParserWarning)
                try:
                    frame, text = next(typed, None), next(texts, None)
                except pandas.errors.ParserWarning:
                    raise TableError(f"{path}: rows have more fields than the header") from None
                except UnicodeDecodeError as error:
                    raise ValueError(f"{error}; --encoding names another, such as latin-1") from error
            if frame is None or text is None:
                return
            frame, text = (each.reset_index(drop=True) for each in (frame, text))
            _keep_texts(frame, options, text.__getitem__)
            copies = {name: text[name] for name in frame.columns if name in options.copies}
            yield _with_large_integers(Table(frame, decimal=options.decimal, texts=copies), options)


def _how(path: Path, separator: str, options: ReadOptions) -> dict[str, Any]:
    """Return the arguments of pandas' reader."""
    pandas = require("pandas", "cli")
    wrong = headers.complaint(path, separator, options.encoding)
    if wrong:
        raise TableError(f"{path} {wrong}")
    # With low_memory, pandas would decide the type of a column part by part of the file. The text "01" would become
    # the number 1 in parts without other text.
    how: dict[str, Any] = {
        "sep": separator,
        "decimal": options.decimal,
        "encoding": options.encoding,
        "na_values": list(options.na),
        "index_col": False,
        "low_memory": False,
        "skipinitialspace": True,
    }
    if int(pandas.__version__.partition(".")[0]) < 3:  # its default may give a number a wrong last digit
        how["float_precision"] = "round_trip"
    return how


def _read_text(path: Path, separator: str, options: ReadOptions) -> Table:
    pandas, how = require("pandas", "cli"), _how(path, separator, options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        try:
            frame = pandas.read_csv(path, dtype=dict.fromkeys(options.text, str), **how)
        except pandas.errors.ParserWarning:  # pandas would take the first field of longer rows for a label
            raise TableError(f"{path}: rows have more fields than the header") from None
        places = {name: place for place, name in enumerate(frame.columns)}
        _keep_texts(
            frame,
            options,
            lambda names: pandas.read_csv(path, usecols=[places[name] for name in names], dtype=str, **how),
        )
    table = Table(frame, decimal=options.decimal)
    if options.copies:
        table.texts = dict(pandas.read_csv(path, usecols=lambda name: name in options.copies, dtype=str, **how).items())
    return _with_large_integers(table, options)


def _with_large_integers(table: Table, options: ReadOptions) -> Table:
    """Return the table, whose columns of integers that fit in no integer type become float64."""
    frame, types = table.frame, require("pandas", "cli").api.types
    for name in frame.columns:
        if name not in options.text and not types.is_numeric_dtype(frame[name].dtype):
            given, frame[name] = frame[name], _large_integers(frame[name], options.decimal)
            found = range_of_integers(given) if frame[name].dtype == np.float64 else None
            if found is not None:
                table.integers[name] = found
    return table


def _keep_texts(frame: Any, options: ReadOptions, texts_of: Callable[[list[Any]], Any]) -> None:
    """Make columns text again if a type would change what the file says: 010 as a number, true as a truth value.

    `texts_of` returns a frame of columns as text, by their names.
    """
    names = [name for name in frame.columns if name not in options.text and _may_be_text(frame[name])]
    if not names:
        return
    texts = texts_of(names)
    for name in texts.columns:
        column = texts[name]
        if frame[name].dtype.kind in "iuf":
            changed = column.str.fullmatch(CODE.pattern, na=False).any()
        else:
            changed = not column.dropna().isin(["True", "False"]).all()
        if changed:
            frame[name] = column


def _may_be_text(column: Any) -> bool:
    if column.dtype.kind == "f":
        values = column.to_numpy()
        return bool((np.isnan(values) | (values == np.floor(values))).all())
    booleans = column.dtype == object and require("pandas", "cli").api.types.infer_dtype(column) == "boolean"
    return column.dtype.kind in "iub" or booleans


def _large_integers(column: Any, decimal: str) -> Any:
    # If no integer type holds all integers of a column, the reader leaves them as text or as objects.
    known = column.dropna()
    if known.map(lambda value: isinstance(value, bool)).any() or known.astype(str).str.fullmatch(CODE.pattern).any():
        return column
    if decimal != "." and known.astype(str).str.contains(".", regex=False).any():
        return column  # a point is no decimal character here
    try:
        return require("pandas", "cli").to_numeric(column).astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        whole = known.astype(str).str.fullmatch(r"[+-]?[0-9]+").all()
        return column.map(float) if len(known) and whole else column
