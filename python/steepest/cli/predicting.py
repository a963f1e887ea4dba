"""Predictions of a table that is read chunk by chunk, which are written as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol

import numpy as np

from ..extras import require
from .chunks import Chunks, naming_rows
from .columns import Array
from .model import is_classifier, parts, predictions
from .tables import NoRowsError, OptionError, TableError

__all__ = ["predicted", "writer_of"]

Columns = dict[str, Any]
_HEADER = 256  # bytes of the header of a .npy file, which is written last: only the end tells the number of rows


def predicted(model: Any, chunks: Chunks, unknown: str, keep: tuple[str, ...]) -> Iterator[Columns]:
    """Yield the columns to write of each chunk: those to keep, then those of `predictions`.

    Raises
    ------
    TableError, OptionError
        A chunk cannot be predicted, a column to keep has the name of a prediction, or no row gets a prediction.
    """
    some = False
    for table in chunks.tables():
        kept = {name: table.texts.get(name, table.values(table.column(name))) for name in keep}
        try:
            with naming_rows(table):
                made, some = predictions(model, table, unknown), True
        except NoRowsError:
            made = _without(model, len(table.frame))
        repeated = [name for name in kept if name in made]
        if repeated:
            raise OptionError(f"--keep {repeated[0]}: the output has a column of that name")
        yield {**kept, **made}
    if not some:
        raise TableError("no row has a value in every column, and the model was fitted with --missing drop")


def _without(model: Any, rows: int) -> dict[str, Array]:
    """Return the predictions of rows that get none."""
    _, estimator, _ = parts(model)
    if not is_classifier(estimator):
        return {"prediction": np.full(rows, np.nan)}
    chances = {f"probability_{label}": np.full(rows, np.nan) for label in estimator.classes_}
    return {"class": np.full(rows, None, object), **chances}


class Writer(Protocol):
    """Writes columns to a file, chunk by chunk."""

    def write(self, columns: Columns) -> None:
        """Write the rows of a chunk."""

    def close(self) -> None:
        """Write what comes last."""


@contextmanager
def writer_of(file: BinaryIO, suffix: str, model: Any) -> Iterator[Writer]:
    """Open a writer of predictions to a file of a kind: .csv, .tsv, .parquet, .arrow, .feather or .npy."""
    writer: Writer
    if suffix in (".csv", ".tsv"):
        writer = _TextWriter(file, "\t" if suffix == ".tsv" else ",")
    elif suffix == ".npy":
        writer = _NpyWriter(file, model)
    else:
        writer = _ArrowWriter(file, suffix, model)
    yield writer
    writer.close()


def _frame(columns: Columns) -> Any:
    return require("pandas", "cli").DataFrame({name: np.asarray(column) for name, column in columns.items()})


class _TextWriter:
    def __init__(self, file: BinaryIO, separator: str) -> None:
        self._file, self._separator, self._is_first = file, separator, True

    def write(self, columns: Columns) -> None:
        text: str = _frame(columns).to_csv(index=False, sep=self._separator, header=self._is_first)
        self._file.write(text.encode())
        self._is_first = False

    def close(self) -> None:
        pass


class _ArrowWriter:
    """Writes Parquet and Arrow files. The first chunk decides the types, but for those of the predictions."""

    def __init__(self, file: BinaryIO, suffix: str, model: Any) -> None:
        self._file, self._suffix = file, suffix
        self._writer: Any = None
        self._schema: Any = None
        self._arrow = require("pyarrow", "cli")
        self._known = _types(self._arrow, model)

    def write(self, columns: Columns) -> None:
        arrow = self._arrow
        table = arrow.Table.from_pandas(_frame(columns), preserve_index=False)
        if self._writer is None:
            kinds = [self._known.get(field.name, field.type) for field in table.schema]
            kinds = [arrow.string() if arrow.types.is_null(kind) else kind for kind in kinds]
            self._schema = arrow.schema(list(zip(table.schema.names, kinds, strict=True)))
            self._writer = self._opened()
        try:
            self._writer.write_table(table.replace_schema_metadata(None).cast(self._schema))
        except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
            raise TableError(
                f"--keep: a column changes its type within the table ({error}); write a .csv file"
            ) from error

    def _opened(self) -> Any:
        if self._suffix == ".parquet":
            return require("pyarrow.parquet", "cli").ParquetWriter(self._file, self._schema)
        return require("pyarrow.ipc", "cli").new_file(self._file, self._schema)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _types(arrow: Any, model: Any) -> dict[str, Any]:
    _, estimator, _ = parts(model)
    if not is_classifier(estimator):
        return {"prediction": arrow.float64()}
    chances = {f"probability_{label}": arrow.float64() for label in estimator.classes_}
    return {"class": arrow.array(np.asarray(estimator.classes_).tolist()).type, **chances}


class _NpyWriter:
    """Writes an array of numbers, or of records. Columns that are kept must be numbers."""

    def __init__(self, file: BinaryIO, model: Any) -> None:
        if not file.seekable():
            raise OptionError("--output: a .npy file in parts needs a place where its beginning can be written last")
        self._file, self._rows = file, 0
        self._dtype: np.dtype[Any] | None = None
        _, estimator, _ = parts(model)
        classes = np.asarray(estimator.classes_) if is_classifier(estimator) else np.zeros(1)
        self._class = np.array([str(each) for each in classes]).dtype if classes.dtype == object else classes.dtype

    def write(self, columns: Columns) -> None:
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        for name, array in arrays.items():
            if array.dtype == object and name != "class":
                raise OptionError(f"--keep {name}: text in a .npy file needs all rows in memory; write a .csv file")
        if "class" in arrays and arrays["class"].dtype == object:  # some rows get no prediction
            text = self._class if self._class.kind == "U" else np.dtype("U32")
            arrays["class"] = np.array(["" if each is None else str(each) for each in arrays["class"]], text)
        if self._dtype is None:
            fields = [(name, array.dtype) for name, array in arrays.items()]
            self._dtype = np.dtype(fields) if len(fields) > 1 else fields[0][1]
            self._file.write(bytes(_HEADER))
        rows = len(next(iter(arrays.values())))
        if self._dtype.names is None:
            made = next(iter(arrays.values())).astype(self._dtype)
        else:
            made = np.empty(rows, self._dtype)
            for name, array in arrays.items():
                if not np.can_cast(array.dtype, self._dtype[name], "safe"):
                    raise OptionError(f"--keep {name}: its type changes within the table; write a .csv file")
                made[name] = array
        self._file.write(made.tobytes())
        self._rows += rows

    def close(self) -> None:
        """Write the header, padded to its place."""
        dtype = np.dtype(np.float64) if self._dtype is None else self._dtype
        fields = np.lib.format.dtype_to_descr(dtype)
        text = repr({"descr": fields, "fortran_order": False, "shape": (self._rows,)}).encode()
        room = _HEADER - 10
        if len(text) >= room:
            raise OptionError("--output: the columns have too long names for a .npy file in parts; write a .csv file")
        self._file.seek(0)
        self._file.write(b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + text.ljust(room - 1) + b"\n")
