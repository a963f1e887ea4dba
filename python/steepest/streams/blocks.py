"""Blocks of rows as a source gives them, of any size. They are copied into the arrays of parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from .files import DataError
from .labels import Labels

__all__ = ["ArrayBlock", "Block", "Entries", "Place", "write"]


class Place(NamedTuple):
    """Where a block comes from: a file or another name, and the number of the block's first row there."""

    name: str
    row: int

    def at(self, row: int) -> str:
        """Return the name of a row of the block, for errors."""
        return f"row {self.row + row} of {self.name}"


class Entries(NamedTuple):
    """The entries of some sparse rows."""

    data: NDArray[Any]
    indices: NDArray[Any]
    lengths: NDArray[Any]


class Block(Protocol):
    """Some consecutive rows."""

    place: Place

    def __len__(self) -> int:
        """Return the number of rows."""

    def write_X(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy rows into a dense array."""

    def entries(self, start: int, stop: int) -> Entries:
        """Return rows of a sparse block."""

    def write_y(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy the targets of rows, or their codes."""

    def write_weight(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy the weights of rows."""


def write(out: NDArray[Any], values: NDArray[Any]) -> None:
    """Copy numbers into an array of another dtype. Those that it cannot hold become infinite."""
    with np.errstate(over="ignore"):
        np.copyto(out, values, casting="unsafe")


@dataclass
class ArrayBlock:
    """Rows in arrays in memory."""

    X: NDArray[Any] | CSRView
    y: NDArray[Any]
    weight: NDArray[Any] | None
    place: Place
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.y)

    def write_X(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy rows into a dense array."""
        assert not isinstance(self.X, CSRView)
        write(out, self.X[start:stop])

    def entries(self, start: int, stop: int) -> Entries:
        """Return rows of a sparse block."""
        assert isinstance(self.X, CSRView)
        indptr = self.X.indptr[start : stop + 1]
        first, last = int(indptr[0]), int(indptr[-1])
        return Entries(self.X.data[first:last], self.X.indices[first:last], np.diff(indptr))

    def write_y(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy the targets of rows, or their codes."""
        values = self.y[start:stop]
        if self.labels is None:
            write(out, values)
            return
        listed = values.tolist()
        for at, label in enumerate(listed):
            if not isinstance(label, str):
                raise DataError(f"y must hold text only, got {label!r} in {self.place.at(start + at)}")
        write(out, self.labels.codes(listed))

    def write_weight(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy the weights of rows."""
        assert self.weight is not None
        write(out, self.weight[start:stop])
