"""Dense rows that a pass reads where they lie in a file, without an array of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FileRows", "OpenFile", "Section", "announce"]


class OpenFile:
    """An open file, which is closed once nobody refers to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._file.fileno()

    def __del__(self) -> None:
        self._file.close()


@dataclass
class FileRows:
    """Rows of a part in a section of a file, in C order.

    Attributes
    ----------
    file : any
        It has the descriptor, and keeps the file open.
    offset : int
        The place of the first row, in bytes.
    name : str
        What errors call the file.
    shape : tuple of int
    dtype : numpy.dtype
    check : callable
        It raises an OSError unless the file is as it was.
    load : callable
        It returns the rows as an array, or raises an error that tells what is wrong with the file.
    """

    file: Any
    offset: int
    name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    check: Callable[[], None]
    load: Callable[[], NDArray[Any]] = field(init=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]


class Section(NamedTuple):
    """A `Part` whose X is still in its file."""

    index: int  # type: ignore[assignment]  # hides the method of tuples
    X: FileRows
    y: NDArray[Any]
    weight: NDArray[Any] | None


def announce(rows: FileRows) -> None:
    """Let the system begin to read rows that are wanted soon, unless its page cache holds them."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            n_bytes = rows.size * rows.dtype.itemsize
            os.posix_fadvise(rows.file.fileno(), rows.offset, n_bytes, os.POSIX_FADV_WILLNEED)
