"""The reading of tables: CSV, TSV, Parquet, Arrow, NPY, NPZ and svmlight files, and standard input."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..extras import require
from .svmlight import read_svmlight
from .tables import ReadOptions, Table, TableError, reading
from .text_reader import read_csv, read_tsv

STANDARD_INPUT = "-"
_MAGIC = {b"PAR1": ".parquet", b"ARROW1": ".arrow", b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"\x1f\x8b": ".csv.gz"}


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
    ".csv": ("CSV", read_csv),
    **{f".csv{end}": ("compressed CSV", read_csv) for end in _COMPRESSED},
    ".tsv": ("TSV", read_tsv),
    **{f".tsv{end}": ("compressed TSV", read_tsv) for end in _COMPRESSED},
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
