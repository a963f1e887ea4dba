"""What is asked of each part, and how the answers of two parts are added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView, joined
from ..parts.facts import Facts
from ..streams.section import FileRows
from .columns import Columns
from .dense import DenseData
from .file_data import FileData, in_memory
from .held import HostRows
from .source import Terms
from .sparse import SparseData

__all__ = ["AskColumns", "AskDigests", "AskFacts", "AskRows", "AskSums", "HeldPart", "joined_part"]

_BOUND = 4  # objects that a part keeps
_METHODS = {"gradient": "sums", "hessian_product": "product_sums", "hessian": "hessian_sums"}


class HeldPart:
    """A part in this process: its rows, and the native objectives and prepared parts that are asked of it.

    Parameters
    ----------
    index : int
        Its place among the parts.
    X : array of shape (n, n_features), CSRView or FileRows
    y : array of shape (n,)
    weight : array of shape (n,), or None
    """

    def __init__(
        self, index: int, X: NDArray[Any] | CSRView | FileRows, y: NDArray[Any], weight: NDArray[Any] | None = None
    ) -> None:
        self.index = index
        total = float(len(y)) if weight is None else float(weight.sum(dtype=np.float64))
        kind: Any = SparseData if isinstance(X, CSRView) else FileData if isinstance(X, FileRows) else DenseData
        self.data: HostRows = kind(X, y, weight, total)
        self._bound: dict[str, Any] = {}

    def bound(self, key: str, terms: Terms, shift: float) -> Any:
        """Return the native objective of these rows, whose targets are moved by ``shift``. It is kept under a key."""
        return self.kept(key, lambda: (self.data if shift == 0.0 else self.data.shifted(shift)).bind(terms))

    def passed(self, method: str, key: str, terms: Terms, shift: float, *arrays: NDArray[Any]) -> Any:
        """Return what a method of the native objective answers.

        If rows in a file are not as they were, they are read as an array, which tells what is wrong with the file.
        """
        if isinstance(self.data, FileData):
            try:
                found = getattr(self.bound(key, terms, shift), method)(*arrays)
                self.data.X.check()
                return found
            except TimeoutError:  # an OSError, but that of a signal's handler, which ends the pass
                raise
            except OSError:
                self.data = in_memory(self.data)
                self._bound.clear()
        return getattr(self.bound(key, terms, shift), method)(*arrays)

    def kept(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what is kept under a key, which is made first if need be. The part keeps the last few."""
        if key not in self._bound:
            if len(self._bound) == _BOUND:
                del self._bound[next(iter(self._bound))]
            self._bound[key] = make()
        return self._bound[key]

    def taken(self, index: NDArray[Any]) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
        """Return copies of some rows: X, targets and weights, each as the part holds them."""
        X = self.data.X
        rows = X.take(index) if isinstance(X, CSRView) else np.ascontiguousarray(X[index])
        return rows, *self.data.of_rows(index, None)[:2]


@dataclass(frozen=True)
class AskFacts:
    """Asks for `Facts`."""

    asks: frozenset[int] | None = None

    def of(self, part: HeldPart) -> Facts:
        return Facts.of(part.data.X, part.data.targets, part.data.weights)

    def add(self, first: Facts, second: Facts) -> Facts:
        return first.with_more(second)


@dataclass(frozen=True)
class AskDigests:
    """Asks for the digests of the data: a list with those of each part."""

    asks: frozenset[int] | None = None

    def of(self, part: HeldPart) -> list[dict[str, str]]:
        return [part.data.digests()]

    def add(self, first: list[dict[str, str]], second: list[dict[str, str]]) -> list[dict[str, str]]:
        return first + second


@dataclass(frozen=True, eq=False)
class AskSums:
    """Asks for the sums of a pass, which has a name of ``parts_source``.

    Attributes
    ----------
    starts : array of int64
        The number of each part's first row, and that of all rows.
    """

    work: str
    key: str
    terms: Terms
    starts: NDArray[np.int64]
    shift: float = 0.0
    asks: frozenset[int] | None = None

    @property
    def is_pass(self) -> bool:
        """Whether the rows are read once, in order, and nothing else is asked of them."""
        return self.work in ("gradient", "hessian_product")

    def of(self, part: HeldPart, *arrays: NDArray[Any]) -> Any:
        if self.work == "batch":
            w, rows = arrays
            start, stop = self.starts[part.index : part.index + 2]
            local = (rows[(rows >= start) & (rows < stop)] - start).astype(np.uint32)
            return part.bound(self.key, self.terms, self.shift).sums(w, local) if len(local) else None
        found = part.passed(_METHODS[self.work], self.key, self.terms, self.shift, *arrays)
        if self.work == "hessian":  # whose array goes on with the blocks of single chunks of rows
            row, block, values = found
            k = self.terms.n_scores
            return row, block, values[: k * (k + 1) // 2 * block]
        return found

    def add(self, first: Any, second: Any) -> Any:
        if self.work == "hessian":
            return (*first[:2], np.add(first[2], second[2], out=first[2]))
        (weight, loss, slopes, gradient), other = first, second
        np.add(slopes, other[2], out=slopes)
        np.add(gradient, other[3], out=gradient)
        return weight + other[0], loss + other[1], slopes, gradient


@dataclass(frozen=True)
class AskColumns:
    """Asks for the means and deviations of the columns."""

    asks: frozenset[int] | None = None

    def of(self, part: HeldPart) -> Columns | None:
        data = part.data
        if data.weight_sum == 0.0:
            return None
        mean, deviation = data.column_statistics()
        return Columns(data.weight_sum, mean, deviation)

    def add(self, first: Columns, second: Columns) -> Columns:
        return first.with_more(second)


@dataclass(frozen=True, eq=False)
class AskRows:
    """Asks for copies of rows, which have sorted numbers."""

    index: NDArray[np.int64]
    starts: NDArray[np.int64]
    asks: frozenset[int] | None = None

    @classmethod
    def at(cls, index: NDArray[np.int64], starts: NDArray[np.int64]) -> AskRows:
        """Return the question for some rows."""
        return cls(index, starts, frozenset(np.unique(np.searchsorted(starts, index, "right") - 1).tolist()))

    def of(self, part: HeldPart) -> list[Any]:
        start, stop = self.starts[part.index : part.index + 2]
        local = self.index[np.searchsorted(self.index, start) : np.searchsorted(self.index, stop)] - start
        return [part.taken(local)]

    def add(self, first: list[Any], second: list[Any]) -> list[Any]:
        return first + second


def joined_part(parts: list[HeldPart], empty: Callable[..., NDArray[Any]] = np.empty) -> HeldPart:
    """Return the rows of some parts, one after the other, as those of one. `empty` makes the array of dense rows."""
    if len(parts) == 1:
        return parts[0]
    X, y, weight = ([getattr(part.data, name) for part in parts] for name in ("X", "targets", "weights"))
    if isinstance(X[0], CSRView):
        rows: NDArray[Any] | CSRView = joined(X)
    else:
        rows = np.concatenate(X, out=empty((sum(map(len, X)), X[0].shape[1]), X[0].dtype))
    return HeldPart(0, rows, np.concatenate(y), None if weight[0] is None else np.concatenate(weight))
