"""Tables of `.npy` files: their headers, which files belong together, and their rows as blocks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from .blocks import ArrayBlock, Place
from .files import DataError, FileState, read_into
from .labels import Labels

__all__ = ["NpyFile", "NpyTable", "check_alike", "tables_of"]


@dataclass(frozen=True)
class NpyFile:
    """The header of a `.npy` file."""

    state: FileState
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    offset: int

    @classmethod
    def of(cls, path: Path) -> NpyFile:
        """Read the header of a file."""
        state = FileState.of(path)
        with state.open() as file, state.reading("npy"):
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"its version is {version}, expected 1.0 or 2.0")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, is_fortran, dtype = read(file)
            found = cls(state, dtype, shape, is_fortran and len(shape) > 1, file.tell())
            if dtype.kind not in "biufU":
                raise DataError(f"{path} must hold numbers, got {dtype}; save arrays with np.save")
            if found.end != state.size:
                raise DataError(f"{path} must have {found.end:,} bytes by its header, got {state.size:,}; was it cut?")
        return found

    @property
    def end(self) -> int:
        """The size of the file by its header."""
        return self.offset + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    @property
    def row_size(self) -> int:
        """The number of elements of a row."""
        return self.shape[1] if len(self.shape) == 2 else 1

    def read(self, file: BinaryIO, start: int, out: NDArray[Any]) -> None:
        """Read rows from `start` on into a C-contiguous array of the dtype of the file."""
        if not self.is_fortran:
            self._fill(file, start * self.row_size, out)
            return
        strip = np.empty(len(out), self.dtype)
        for column in range(self.shape[1]):
            self._fill(file, column * self.shape[0] + start, strip)
            out[:, column] = strip

    def _fill(self, file: BinaryIO, first: int, out: NDArray[Any]) -> None:
        view = out.reshape(-1).view(np.uint8).data
        n = read_into(file, view, self.offset + first * self.dtype.itemsize)
        if n != len(view):
            self.state.check()
            raise OSError(f"{self.state.path} ended too soon: {n:,} bytes of {len(view):,}")


@dataclass(frozen=True)
class NpyTable:
    """The files of some rows: X, y and weights, or all of them in one, which may have no target."""

    files: tuple[NpyFile, ...]
    target: int | None = None
    weight: int | None = None
    dropped: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return self.files[0].shape[0]

    @property
    def is_one(self) -> bool:
        """Whether one file has all."""
        return len(self.files) == 1

    @property
    def is_plain(self) -> bool:
        """Whether the first file has the columns of X and no others."""
        return not self.is_one or len(self.features) == self.files[0].shape[1]

    def is_direct(self, dtype: np.dtype[Any]) -> bool:
        """Return whether the first file has the rows of X in a dtype and in C order, and nothing else."""
        return self.is_plain and self.files[0].dtype == dtype and not self.files[0].is_fortran

    @property
    def target_dtype(self) -> np.dtype[Any] | None:
        """The dtype of the targets."""
        return self.files[-1 if self.is_one else 1].dtype if self.has_target else None

    @property
    def has_target(self) -> bool:
        """Whether there are targets."""
        return not self.is_one or self.target is not None

    @property
    def features(self) -> list[int]:
        """The columns of X."""
        return [j for j in range(self.files[0].shape[1]) if j not in {self.target, self.weight, *self.dropped}]

    @property
    def has_weights(self) -> bool:
        """Whether there are weights."""
        return self.weight is not None or len(self.files) == 3

    @property
    def row_bytes(self) -> int:
        """The bytes of a row in the files."""
        return sum(file.row_size * file.dtype.itemsize for file in self.files)

    @property
    def place(self) -> str:
        """What errors call the table."""
        return str(self.files[0].state.path)

    def block(
        self,
        opened: list[BinaryIO],
        start: int,
        stop: int,
        labels: Labels | None,
        out: NDArray[Any] | None = None,
        with_X: bool = True,
    ) -> ArrayBlock:
        """Read rows in the dtypes of the files; those of the first file into `out`, if it is given, or not at all."""
        arrays = [] if with_X else [np.empty((stop - start, 0))]
        for number, (header, file) in enumerate(zip(self.files, opened, strict=True)):
            if number == 0 and not with_X:
                continue
            fresh = out is None or number > 0
            array = np.empty((stop - start, *header.shape[1:]), header.dtype) if fresh else out
            assert array is not None
            header.read(file, start, array)
            header.state.check()
            arrays.append(array)
        if self.is_one:
            table = arrays[0]
            y = np.zeros(stop - start) if self.target is None else table[:, self.target]
            arrays = [table if self.is_plain else np.ascontiguousarray(table[:, self.features]), y]
            arrays += [] if self.weight is None else [table[:, self.weight]]
        X, y, *weights = arrays
        return ArrayBlock(X, y, weights[0] if weights else None, Place(self.place, start), labels)


def tables_of(groups: list[tuple[Path, ...]], target: Any, weight: Any, drop: Collection[Any] = ()) -> list[NpyTable]:
    """Return tables of groups of files: of one file with the target in a column, or of X, y and weights."""
    tables = []
    for group in groups:
        files = tuple(NpyFile.of(path) for path in group)
        if len(group) > 1:
            tables.append(NpyTable(files))
            continue
        if len(files[0].shape) != 2:
            raise DataError(f"{group[0]} must hold an array of two dimensions, got shape {files[0].shape}")
        columns = [_column(name, value, files[0]) for name, value in (("target", target), ("weight", weight))]
        if columns[0] == columns[1] and weight is not None:
            raise ValueError(f"target and weight must be different columns, got {target} and {weight}")
        dropped = frozenset(_number_of("drop", value, files[0]) for value in drop)
        if dropped & {*columns}:
            raise ValueError(f"drop must name neither the target nor the weight, got {list(drop)}")
        tables.append(NpyTable(files, columns[0], columns[1], dropped))
        if not tables[-1].features:
            raise DataError(f"{group[0]} must have a column of X beside the target, got shape {files[0].shape}")
    return tables


def check_alike(first: NpyTable, table: NpyTable) -> None:
    """Check the shapes of the files of a table, and that its columns are those of the first table."""
    X = table.files[0]
    path = X.state.path
    if len(X.shape) != 2 or 0 in X.shape:
        raise DataError(f"{path} must hold an array of two dimensions with at least one row, got shape {X.shape}")
    if X.dtype.kind == "U":
        raise DataError(f"{path} must hold numbers, got text ({X.dtype}); encode it as numbers")
    for other, what in zip(table.files[1:], ("target", "weight"), strict=False):
        if other.shape != (X.shape[0],):
            expected = f"{other.state.path} must have shape ({X.shape[0]},), a {what} for each row of {path}"
            raise DataError(f"{expected}, got {other.shape}")
    if len(table.files) == 3 and table.files[2].dtype.kind == "U":
        raise DataError(f"{table.files[2].state.path} must hold numbers as weights, got text")
    if X.shape[1] != first.files[0].shape[1]:
        raise DataError(f"{path} must have {first.files[0].shape[1]} columns, as {first.place}, got {X.shape[1]}")
    kinds = [each.files[1].dtype.kind == "U" if len(each.files) > 1 else False for each in (first, table)]
    if kinds[0] != kinds[1] or first.has_weights != table.has_weights:
        raise DataError(f"the target and the weights of {path} must be of the kind of those of {first.place}")


def _column(name: str, value: Any, file: NpyFile) -> int | None:
    if value is None:
        return None
    return _number_of(name, value, file)


def _number_of(name: str, value: Any, file: NpyFile) -> int:
    n = file.shape[1]
    if isinstance(value, bool) or not isinstance(value, int) or not -n <= value < n:
        raise ValueError(f"{name} must be the number of a column from {-n} to {n - 1}, got {describe(value)}")
    return value % n
