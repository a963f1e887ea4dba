"""Streams of a re-iterable of blocks `(X, y)`, `(X, y, weight)` or `(X,)`, such as a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.device import BFLOAT16
from ..arrays.interop import DeviceView, as_native
from ..arrays.sparse import CSRView, check_entries, csr_view, is_sparse
from .blocks import ArrayBlock, Place
from .files import DataError, FileState
from .labels import Labels
from .part import Facts
from .source import BlockReader, Survey, nearest

__all__ = ["IterableSource", "facts_of_dtype"]

_EXPECTED = "source must yield blocks (X, y) or (X, y, weight), or (X,) for predictions"


def facts_of_dtype(given: np.dtype[Any] | None, found: list[np.dtype[Any]]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Return the dtype of computation and the dtype in which X is stored, for features of some dtypes."""
    if given is not None:
        return given, given
    if all(dtype == np.float16 for dtype in found):
        return np.dtype(np.float32), np.dtype(np.float16)
    narrow = all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in found)
    dtype = np.dtype(np.float32 if narrow else np.float64)
    return dtype, dtype


class IterableSource:
    """Blocks of rows that the user's object yields. A list or another sequence can be read in any order."""

    if_changed = "all passes must give the same rows in the same order (a shuffling loader does not)"
    reserve, is_copy = 0, False  # the blocks are the user's own memory
    n_rows: int | None = None
    name = "source"

    def __init__(self, blocks: Iterable[Any], dtype: np.dtype[Any] | None) -> None:
        if isinstance(blocks, Iterator) or iter(blocks) is blocks:
            raise TypeError(
                f"source must give its blocks anew in each pass, got {type(blocks).__name__}, which is exhausted after "
                "one pass; give a list, or an object whose __iter__ starts again"
            )
        self._given, self._dtype = blocks, dtype
        self.any_order = isinstance(blocks, Sequence)
        self._starts = [0]
        self.states: list[FileState] = []
        self.labels: Labels | None = None
        self._is_text: bool | None = None
        first = next(iter(blocks), None)
        if first is None:
            raise DataError("source has no blocks; is it exhausted?")
        self._set_facts(*self._first(first, blocks))

    def _first(self, first: Any, blocks: Iterable[Any]) -> tuple[Any, int]:
        """Return the first block with rows, and its number."""
        if _n_rows(first) != 0:
            return first, 0
        found = next(((block, number) for number, block in enumerate(blocks) if _n_rows(block) != 0), None)
        if found is None:
            raise DataError("source has no rows")
        return found

    def _set_facts(self, first: Any, number: int) -> None:
        X, y, weight = self._arrays(first, number)
        of_computation, storage = facts_of_dtype(self._dtype, [_plain(X).dtype])
        target = None if len(first) == 1 else y.dtype
        self._named = f"block {number}"  # which others are compared with
        self.facts = Facts(
            X.shape[1], of_computation, storage, isinstance(X, CSRView), weight is not None, target=target
        )
        if _is_text(y):
            self.labels = Labels()

    def start_of(self, row: int) -> int:
        """Return the first row of the block that has a row, or 0 if blocks come in order only."""
        return nearest(self._starts, row) if self.any_order else 0

    def blocks(self, row: int) -> Iterator[ArrayBlock]:
        """Yield blocks from a row on, with which a block begins."""
        number = self._starts.index(row) if row else 0
        given = self._from(number) if number else iter(self._given)
        for block in given:
            n = _n_rows(block)
            checked = None if n == 0 else self._checked(block, number)
            number += 1
            if self.any_order and number == len(self._starts):
                self._starts.append(self._starts[-1] + (0 if checked is None else len(checked)))
            if checked is not None:
                yield checked

    def _from(self, number: int) -> Iterator[Any]:
        assert isinstance(self._given, Sequence)
        for each in range(number, len(self._given)):
            yield self._given[each]

    def _checked(self, block: Any, number: int) -> ArrayBlock:
        X, y, weight = self._arrays(block, number)
        facts, name, other = self.facts, f"block {number}", self._named
        if X.shape[1] != facts.n_features:
            raise DataError(f"{name} must have {facts.n_features} columns, as {other}, got {X.shape[1]}")
        if isinstance(X, CSRView) != facts.is_sparse:
            kinds = ("sparse", "dense") if facts.is_sparse else ("dense", "sparse")
            raise DataError(f"X of {name} must be {kinds[0]}, as in {other}, got a {kinds[1]} one")
        if (weight is not None) != facts.has_weights or (len(block) == 1) != (facts.target is None):
            wanted = "(X,)" if facts.target is None else "(X, y, weight)" if facts.has_weights else "(X, y)"
            raise DataError(f"{name} must be {wanted}, as {other}, got {len(block)} array{'s' * (len(block) > 1)}")
        if _is_text(y) != (self.labels is not None):
            raise DataError(f"y of {name} must hold {'text' if self.labels else 'numbers'}, as {other}, got {y.dtype}")
        facts.note_target(y.dtype)
        values = _plain(X)
        if self._dtype is None and not np.can_cast(values.dtype, facts.storage):
            raise DataError(
                f"X of {name} must fit into {facts.storage}, as {other}, got {values.dtype}; set dtype=np.float64"
            )
        return ArrayBlock(values, y, weight, Place(name, 0), self.labels)

    def _arrays(self, block: Any, number: int) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
        if not isinstance(block, tuple | list) or len(block) not in (1, 2, 3):
            what = f"{type(block).__name__} of {len(block)}" if isinstance(block, tuple | list) else describe(block)
            hint = "; put the arrays into a list of one block: [(X, y)]" if hasattr(block, "dtype") else ""
            raise TypeError(f"{_EXPECTED}, got {what} in block {number}{hint}")
        X = _matrix(block[0], number)
        n = X.shape[0]
        if len(block) == 1:
            return X, np.zeros(n), None
        y = _vector("y", block[1], n, number, text=True)
        return X, y, _vector("weight", block[2], n, number) if len(block) == 3 and block[2] is not None else None

    def reader(self, found: Survey, stop: Event) -> BlockReader:
        """Return a reader of parts."""
        return BlockReader(self, found, stop)


def _matrix(X: Any, number: int) -> NDArray[Any] | CSRView:
    if is_sparse(X):
        if getattr(X, "format", "csr") == "csr" and getattr(X.data, "dtype", np.dtype(object)).kind in "biu":
            X = SimpleNamespace(data=X.data.astype(float), indices=X.indices, indptr=X.indptr, shape=X.shape)
        view = csr_view(X)
        check_entries(view)
        return view
    X = as_native("X", X)
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.size == 0:
        place = "; copy it to host memory" if isinstance(X, DeviceView) else ""
        raise TypeError(
            f"X of block {number} must be a NumPy array of two dimensions with at least one row and one column, or a "
            f"CSR matrix, got {describe(X)}{place}"
        )
    if X.dtype != BFLOAT16 and X.dtype.kind not in "biuf":
        raise TypeError(f"X of block {number} must hold numbers, got {describe(X)}; encode its columns as numbers")
    return X


def _vector(name: str, array: Any, n: int, number: int, text: bool = False) -> NDArray[Any]:
    array = as_native(name, array)
    expected = f"{name} of block {number} must be an array of shape ({n},), one element for each row of X"
    if not isinstance(array, np.ndarray) or array.shape != (n,):
        raise TypeError(f"{expected}, got {describe(array)}")
    if array.dtype.kind not in "biuf" and not (text and array.dtype.kind in "OUT"):
        raise TypeError(f"{expected}, with numbers{' or text' * text}, got {describe(array)}")
    return array


def _n_rows(block: Any) -> int | None:
    """Return the rows of a block that looks like one, else None. Blocks without rows are left out."""
    X = block[0] if isinstance(block, tuple | list) and len(block) in (1, 2, 3) else None
    shape = getattr(X, "shape", ())
    return int(shape[0]) if isinstance(shape, tuple) and len(shape) == 2 else None


def _is_text(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "OUT"


def _plain(X: Any) -> Any:
    """Return an X whose numbers NumPy computes with."""
    if X.dtype != BFLOAT16:
        return X
    if isinstance(X, CSRView):
        return X.with_data(X.widened)
    return (X.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
