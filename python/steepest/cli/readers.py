"""The reading of tables: CSV, TSV, Parquet, Arrow, NPY, NPZ and svmlight files, and standard input."""

from __future__ import annotations

import codecs
import hashlib
import sys
import tempfile
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
from .svmlight import read_svmlight
from .tables import CODE, OptionError, ReadOptions, Table, TableError, reading

STANDARD_INPUT = "-"
_MAGIC = {b"PAR1": ".parquet", b"ARROW1": ".arrow", b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"\x1f\x8b": ".csv.gz"}


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


def _read_csv(path: Path, options: ReadOptions) -> Table:
    separator = _separator(options)
    try:
        return _read_text(path, separator, options)
    except UnicodeDecodeError as error:
        raise ValueError(f"{error}; --encoding names another, such as latin-1") from error


def _read_tsv(path: Path, options: ReadOptions) -> Table:
    return _read_csv(path, options if options.separator else _with_separator(options, "\t"))


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


def _read_parquet(path: Path, options: ReadOptions) -> Table:
    require("pyarrow", "cli")
    return Table(require("pandas", "cli").read_parquet(path, engine="pyarrow").reset_index(drop=True))


def _read_arrow(path: Path, options: ReadOptions) -> Table:
    ipc = require("pyarrow.ipc", "cli")
    with path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        if not is_file and path.suffix.lower() == ".feather":
            return Table(require("pandas", "cli").read_feather(path))
        reader = ipc.open_file(file) if is_file else ipc.open_stream(file)
        return Table(reader.read_all().to_pandas().reset_index(drop=True))


def matrix_frame(array: np.ndarray[Any, Any], name: str) -> Any:
    """Return a data frame of a matrix of numbers, whose columns have numbers for names."""
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        got = f"{array.dtype} of shape {array.shape}"
        raise ValueError(f"{name}: expected a two-dimensional array of numbers, got {got}")
    array = _native(array)
    return require("pandas", "cli").DataFrame(array, columns=[str(i) for i in range(array.shape[1])], copy=False)


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # A file may have the byte order of another processor, which pandas refuses.
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _read_npy(path: Path, options: ReadOptions) -> Table:
    with path.open("rb") as file:  # np.load leaves a damaged file open
        return Table(matrix_frame(np.load(file, allow_pickle=False), "array"), kind="matrix")


def _read_npz(path: Path, options: ReadOptions) -> Table:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: _native(archive[name]) for name in archive.files}
    if "X" in arrays:
        frame = matrix_frame(arrays["X"], "X")
        if "y" not in arrays:
            return Table(frame, kind="matrix")
        y = arrays["y"]
        if y.shape != (len(frame),):
            raise ValueError(f"y: expected shape ({len(frame)},), one value for each row of X, got {y.shape}")
        return Table(frame.assign(y=y), target="y", kind="matrix")
    if not arrays:
        raise ValueError("it holds no arrays")
    lengths = {name: array.shape for name, array in arrays.items()}
    if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) != 1:
        raise ValueError(f"expected X and y, or one-dimensional arrays of one length, got shapes {lengths}")
    return Table(require("pandas", "cli").DataFrame(arrays))


_Reader = Callable[[Path, ReadOptions], Table]
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
_READERS: dict[str, tuple[str, _Reader]] = {
    ".csv": ("CSV", _read_csv),
    **{f".csv{end}": ("compressed CSV", _read_csv) for end in _COMPRESSED},
    ".tsv": ("TSV", _read_tsv),
    **{f".tsv{end}": ("compressed TSV", _read_tsv) for end in _COMPRESSED},
    ".parquet": ("Parquet", _read_parquet),
    **dict.fromkeys((".arrow", ".feather"), ("Arrow", _read_arrow)),
    ".npy": ("NPY", _read_npy),
    ".npz": ("NPZ", _read_npz),
    **dict.fromkeys((".svmlight", ".libsvm", ".svm"), ("svmlight", lambda path, options: read_svmlight(path))),
}


def load_table(path: str | Path, options: ReadOptions | None = None) -> Table:
    """Read a table. The suffix of the file decides its format.

    CSV files have no types. A column becomes numbers if every value is a number and none has a leading zero, so a file
    with fewer rows can give a column another type. ``options.text`` prevents this.

    Parameters
    ----------
    path : str or Path
        CSV and TSV (also compressed: .csv.gz, .csv.bz2, .csv.xz, .csv.zip), Parquet, Arrow (.arrow, .feather), NPY
        (two-dimensional), NPZ (X and y, or one-dimensional arrays by name) or svmlight (.svmlight, .libsvm, .svm; wide
        ones stay sparse). "-" means standard input: Parquet, Arrow, NPY or NPZ if its first bytes say so, else CSV.
    options : ReadOptions, optional
        How to read text.

    Raises
    ------
    TableError
        The suffix is unknown, the content does not match the suffix, or the table has no row or no column.
    OSError
        The file cannot be opened.
    MemoryError
        The file is too large, or damage makes it seem too large.
    MissingExtraError
        A package that reads this kind of file is not installed.
    """
    options = options or ReadOptions()
    if str(path) == STANDARD_INPUT:
        return _read_standard_input(options)
    path = Path(path)
    matches = [suffix for suffix in _READERS if path.name.lower().endswith(suffix)]
    if not matches:
        raise TableError(f"{path}: unknown kind of table '{path.suffix}'; expected one of {', '.join(_READERS)}")
    kind, reader = _READERS[matches[0]]
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a {kind} file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with reading(path, f"cannot be read as {kind}"):
        table = _checked_table(reader(path, options), path)
        with path.open("rb") as file:
            table.digest = hashlib.file_digest(file, "sha256").hexdigest()
    table.name = path.name
    return table


def _read_standard_input(options: ReadOptions) -> Table:
    content = sys.stdin.buffer.read()
    suffix = next((suffix for magic, suffix in _MAGIC.items() if content.startswith(magic)), ".csv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"standard-input{suffix}"
        path.write_bytes(content)
        try:
            table = load_table(path, options)
        except (TableError, MemoryError) as error:
            raise type(error)(str(error).replace(str(path), "standard input")) from error
    table.name = "standard input"
    return table


def _checked_table(table: Table, path: Path) -> Table:
    if 0 in table.frame.shape:
        rows, columns = table.frame.shape
        raise TableError(f"{path} is empty: {rows} rows, {columns} columns")
    table.frame.columns = table.frame.columns.map(str)
    repeated = table.frame.columns[table.frame.columns.duplicated()]
    if len(repeated):
        raise TableError(f"{path} has two columns named '{repeated[0]}': rename one")
    return table
