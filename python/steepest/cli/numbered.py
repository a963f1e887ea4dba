"""Columns that have numbers for names, most of whose values are zeros: those of a svmlight file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..extras import require
from .assembly import Array, Matrix, OneHot, is_sparse, sparse_of
from .columns import numbers_of
from .tables import Table, TableError, refuse_unknown

MOST_DENSE_CELLS = 10**9  # a larger table stays sparse, however few zeros it has
MOST_COLUMNS = 10**6  # of a dense table
_FEW_EMPTY = 8  # a lookup table of all columns is made if there are no more than so many for each non-zero


@dataclass(frozen=True, eq=False)
class Numbering:
    """Which columns there are.

    Attributes
    ----------
    first, last : int
        The least and the largest number of a column.
    numbers : array of int64, sorted
        The columns that may have values other than 0. Only these have features.
    unused : tuple of int
        Columns between the first and the last that are not among these, as they serve another purpose.
    """

    first: int
    last: int
    numbers: Array
    unused: tuple[int, ...] = ()

    def __contains__(self, name: object) -> bool:
        number = number_of(name)
        return number is not None and self.first <= number <= self.last and number not in self.unused

    @property
    def width(self) -> int:
        """How many columns there are, empty ones among them."""
        return self.last - self.first + 1 - len(self.unused)

    @property
    def names(self) -> list[str]:
        """The names of the features."""
        return [str(number) for number in self.numbers]

    @cached_property
    def positions(self) -> Array:
        """The places of `numbers` among all columns."""
        before = np.searchsorted(np.array(self.unused, np.int64), self.numbers)
        return np.asarray(self.numbers - self.first - before)

    def without(self, numbers: Collection[int]) -> Numbering:
        """Return the columns but these."""
        gone = {number for number in numbers if self.first <= number <= self.last}
        kept = self.numbers[~np.isin(self.numbers, list(gone))]
        return replace(self, numbers=kept, unused=tuple(sorted({*self.unused, *gone})))

    def listed(self) -> str:
        """Return the names of the first columns, and how many there are."""
        shown = [str(n) for n in range(self.first, min(self.last, self.first + 20) + 1) if n not in self.unused][:20]
        more = f", ... ({self.width:,} in all)" if self.width > len(shown) else ""
        return ", ".join(shown) + more


def number_of(name: object) -> int | None:
    """Return the number that a name is, as a file writes it, or None."""
    is_number = isinstance(name, str) and name.isascii() and name.isdigit() and (name == "0" or name[0] != "0")
    return int(str(name)) if is_number else None


@dataclass(frozen=True, eq=False)
class Numbered:
    """Columns of a table. The CSR matrix `matrix` has those of `numbering.numbers`, in this order."""

    matrix: Any
    numbering: Numbering

    @classmethod
    def of_file(cls, X: Any) -> Numbered:
        """Return the columns of a matrix that has a column for each number from 0, whether the file uses 0 or not."""
        first = 0 if X.shape[1] and (X.indices == 0).any() else 1
        X.eliminate_zeros()
        numbers, indices = _compressed(X.indices, X.shape[1])
        dtype = np.int32 if max(len(numbers), X.nnz) < 2**31 else np.int64
        matrix = _csr(X.data, indices.astype(dtype, copy=False), X.indptr.astype(dtype, copy=False), len(numbers))
        return cls(matrix, Numbering(first, X.shape[1] - 1, numbers))

    @classmethod
    def of_frame(cls, frame: Any) -> Numbered:
        """Return the columns of a data frame that have numbers for names."""
        names = sorted((name for name in frame.columns if number_of(name) is not None), key=int)
        numbers = np.array([int(name) for name in names], np.int64)
        matrix = sparse_of([numbers_of(frame[name])[:, None] for name in names], len(frame), len(names))
        first, last = (int(numbers[0]), int(numbers[-1])) if names else (1, 0)
        return cls(matrix, Numbering(first, last, numbers))

    def values(self, name: str) -> Array:
        """Return the values of a column, zeros among them."""
        number = number_of(name)
        place = int(np.searchsorted(self.numbering.numbers, -1 if number is None else number))
        if place == len(self.numbering.numbers) or self.numbering.numbers[place] != number:
            return np.zeros(self.matrix.shape[0])
        return np.asarray(self.matrix[:, [place]].toarray()[:, 0])

    def with_missing(self) -> list[str]:
        """Return the names of the columns that have missing values."""
        places = np.unique(self.matrix.indices[np.isnan(self.matrix.data)])
        return [str(number) for number in self.numbering.numbers[places]]

    def without(self, numbers: Collection[int]) -> Numbered:
        """Return the columns but these."""
        if not numbers:
            return self
        left = self.numbering.without(numbers)
        return Numbered(self.aligned(left.numbers), left)

    def aligned(self, numbers: Array) -> Matrix:
        """Return a CSR matrix of the columns of these sorted numbers. Those that the table has not are zeros."""
        X, own = self.matrix, self.numbering.numbers
        if np.array_equal(own, numbers):
            return X
        places = np.searchsorted(numbers, own)
        places[places == len(numbers)] = 0
        is_wanted = numbers[places] == own if len(numbers) else np.zeros(len(own), bool)
        kept = is_wanted[X.indices]
        ends = np.concatenate([[0], np.cumsum(kept)])[X.indptr]
        indices = places[X.indices[kept]]
        return _csr(X.data[kept], indices.astype(X.indices.dtype), ends.astype(X.indptr.dtype), len(numbers))

    def check_finite(self) -> None:
        """Raise TableError if a value is infinite."""
        wrong = np.isinf(self.matrix.data)
        if wrong.any():
            place = int(np.argmax(wrong))
            number, row = self.numbering.numbers[self.matrix.indices[place]], row_of_entry(self.matrix, place)
            raise TableError(f"column '{number}' has values that are not finite in float64, the first in row {row}")


def row_of_entry(X: Matrix, place: int) -> int:
    """Return the number, from 1, of the row of an entry."""
    return int(np.searchsorted(X.indptr, place, side="right"))


def rows_with_missing(X: Matrix) -> Array:
    """Return which rows of a CSR matrix have a missing value."""
    found = np.zeros(X.shape[0], bool)
    missing = np.flatnonzero(np.isnan(X.data))
    found[np.searchsorted(X.indptr, missing, side="right") - 1] = True
    return found


def parted(table: Table, chosen: Collection[str | None], dropped: Collection[str]) -> tuple[Table, Numbered | None]:
    """Return the table of a fit with the columns in its frame that need be dense, and the other ones that are used.

    Dense are the chosen ones, which are the target, the weights and the categories, and those with missing values.
    """
    if table.numbered is None:
        return table, None
    gaps = table.numbered.with_missing()
    if len(gaps) * len(table.frame) > MOST_DENSE_CELLS:
        raise TableError(f"{len(gaps):,} columns have missing values, too many to count or to fill them in")
    table = table.with_columns([*(table.column(name) for name in chosen if name is not None), *gaps])
    unwanted = [table.column(name) for name in dropped]
    numbers = map(number_of, [*table.frame.columns, *unwanted])
    numbered = table.numbered.without([number for number in numbers if number is not None])
    return table, numbered if len(numbered.numbering.numbers) else None


def numbering_of(data: Any) -> Numbering | None:
    """Return the columns of a sparse matrix, or None for other data."""
    if not is_sparse(data):
        return None
    return Numbering(0, data.shape[1] - 1, np.arange(data.shape[1]))


def split_columns(data: Any, numbering: Numbering, names: list[str]) -> tuple[Any, Matrix]:
    """Return the named and the numbered columns of an array or a sparse matrix, in this order, or of a data frame."""
    pandas = require("pandas", "cli")
    if hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if isinstance(data, pandas.DataFrame):
        wanted = [*numbering.names, *names]
        absent = set(wanted) - {str(name) for name in data.columns}
        if absent:
            raise TableError(f"no column '{next(name for name in wanted if name in absent)}'")
        data = data.set_axis(data.columns.map(str), axis="columns").reset_index(drop=True)
        return data[names], Numbered.of_frame(data[numbering.names]).aligned(numbering.numbers)
    width = numbering.width
    X = require("scipy.sparse", "cli").csr_array(data if is_sparse(data) else np.asarray(data), dtype=np.float64)
    if X.shape[1] != width + len(names):
        raise TableError(f"X must have {width + len(names):,} columns, got {X.shape[1]:,}")
    frame = pandas.DataFrame(X[:, width:].toarray(), columns=names)
    whole = Numbered(X[:, :width] if names else X, Numbering(0, width - 1, np.arange(width)))
    return frame, whole.aligned(numbering.positions)


def numbers_for(
    table: Table, wanted: Numbering, sparse: bool, beside: Collection[str] = (), strict: bool = True
) -> Matrix:
    """Return the numbered columns that a model wants of a further table, as a CSR matrix.

    Parameters
    ----------
    table : Table
        A svmlight file, or a table whose columns have such names, or a matrix with as many columns.
    wanted : Numbering
        The numbered columns of the model.
    sparse, beside, strict
        As for `Table.select`.
    """
    given = table.numbered
    if given is None and table.kind == "sparse":
        given = Numbered.of_frame(table.frame)
    if given is None:
        if wanted.width > MOST_COLUMNS:
            raise TableError(f"{table.frame.shape[1]:,} columns, and the model needs {wanted.width:,}")
        names = [str(number) for number in range(wanted.first, wanted.last + 1) if number not in wanted.unused]
        return Numbered.of_frame(table.select(names, beside=beside)).aligned(wanted.numbers)
    own = given.numbering
    if not sparse and not own.first <= wanted.first <= wanted.last <= own.last:
        absent = wanted.first if wanted.first < own.first else wanted.last
        raise TableError(f"no column '{absent}'; the columns are {table.listed()}")
    if strict:
        is_odd = (own.numbers < wanted.first) | (own.numbers > wanted.last)
        refuse_unknown([name for name in map(str, own.numbers[is_odd]) if name not in beside])
    return given.aligned(wanted.numbers)


def beside_numbered(X: Matrix, numbering: Numbering, blocks: list[Any], rows: Array) -> Matrix:
    """Return some rows of numbered columns, with blocks of further features on their right."""
    if len(rows) < X.shape[0]:
        X = X[rows]
    missing = np.isnan(X.data)
    if missing.any():
        place = int(np.argmax(missing))
        row, number = int(rows[row_of_entry(X, place) - 1]) + 1, numbering.numbers[X.indices[place]]
        raise TableError(f"column '{number}', row {row}: no value, and this column of the fit had no missing ones")
    if not blocks:
        return X
    widths = sum(block.n_features if isinstance(block, OneHot) else block.shape[1] for block in blocks)
    return require("scipy.sparse", "cli").hstack([X, sparse_of(blocks, len(rows), widths)], format="csr")


def _compressed(indices: Array, width: int) -> tuple[Array, Array]:
    """Return the columns that have entries, and the places of the indices among them."""
    if width > _FEW_EMPTY * (len(indices) + 1):
        numbers, places = np.unique(indices, return_inverse=True)
        return numbers.astype(np.int64), places
    occurs = np.zeros(width, bool)
    occurs[indices] = True
    place = np.cumsum(occurs, dtype=np.int32 if width < 2**31 else np.int64) - 1
    return np.flatnonzero(occurs), place[indices]


def _csr(data: Array, indices: Array, indptr: Array, width: int) -> Any:
    return require("scipy.sparse", "cli").csr_array((data, indices, indptr), shape=(len(indptr) - 1, width))
