"""A part of the rows of a stream, and what all parts of a stream share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from .section import Section

__all__ = ["Facts", "Part", "PartReader", "index_dtype", "part_bytes"]

_FLOAT64 = np.dtype(np.float64)


class Part(NamedTuple):
    """Some consecutive rows of a stream.

    Attributes
    ----------
    index : int
        The number of the part.
    X : ndarray or CSRView
        A C-contiguous array of shape (n_rows, n_features), or the rows in CSR form.
    y, weight : ndarray
        Vectors with an element for each row. `y` is 0 if the stream has no target. `weight` is None if it has no
        weights.
    """

    index: int  # type: ignore[assignment]  # hides the method of tuples
    X: NDArray[Any] | CSRView
    y: NDArray[Any]
    weight: NDArray[Any] | None


@dataclass
class Facts:
    """What all parts of a stream share. `n_features` of svmlight files grows during the opening pass.

    `target` is the dtype of the targets in the source. None: the source has no target.
    """

    n_features: int
    dtype: np.dtype[Any]
    storage: np.dtype[Any]
    is_sparse: bool = False
    has_weights: bool = False
    feature_names: list[str] | None = None
    target: np.dtype[Any] | None = _FLOAT64

    def note_target(self, found: np.dtype[Any]) -> None:
        """Note the dtype of more targets. Text has one of its own."""
        if self.target is not None and found != self.target:
            self.target = found if found.kind in "OUT" else np.promote_types(found, self.target)

    @property
    def row_bytes(self) -> int:
        """The bytes of a dense row with its target and weight."""
        return self.n_features * self.storage.itemsize + (1 + self.has_weights) * self.dtype.itemsize

    def name_of(self, column: int) -> str:
        """Return how an error calls a column."""
        return f"column {column}" if self.feature_names is None else f"column {self.feature_names[column]!r}"


class PartReader(Protocol):
    """Reads parts for one thread at a time."""

    def part(self, index: int) -> Part:
        """Return a part in memory of its own."""

    def section(self, index: int) -> Part | Section:
        """Return a part whose X is still in its file, if a pass can read it there as well. Else return `part`."""

    def close(self) -> None:
        """Close what is open."""


def index_dtype(n_features: int) -> np.dtype[Any]:
    """Return the dtype of the column numbers of sparse parts."""
    return np.dtype(np.int32 if n_features < 2**31 else np.int64)


def part_bytes(X: NDArray[Any] | CSRView, y: NDArray[Any], weight: NDArray[Any] | None) -> int:
    """Return the bytes of the arrays of a part."""
    of_x = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes if isinstance(X, CSRView) else X.nbytes
    return of_x + y.nbytes + (0 if weight is None else weight.nbytes)
