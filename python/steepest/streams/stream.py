"""`Stream`: the rows of a source as an ordered list of parts, of which few are in memory at a time."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_count
from .ahead import read_ahead
from .part import Facts, Part, PartReader
from .section import Section
from .source import Budget, Readable, Survey

__all__ = ["Stream"]


class Stream:
    """The rows of a source as an ordered list of parts. `open_stream` makes one.

    Part i always has the same rows. The arrays of a part belong to whoever holds them, and never change.

    Attributes
    ----------
    n_samples, n_features : int
        Numbers of rows and columns.
    n_elements : int
        The numbers that a pass reads: all elements of dense data, the stored entries of sparse data.
    sizes : tuple of int
        The rows of each part, in order.
    dtype : numpy.dtype
        The dtype of computation, float32 or float64. Targets and weights have it.
    storage : str
        The name of the dtype of X.
    is_sparse : bool
        Whether the X of a part is a CSR view.
    has_weights : bool
        Whether rows have weights.
    weight_sum, least_weight : float
        The sum of the weights, and the least of those above 0. Without weights, n_samples and 1.0.
    feature_names : list of str or None
        The names of the columns of X, where the source has some.
    has_target : bool
        Whether the stream has a target. Without one it serves predictions.
    target_dtype : numpy.dtype or None
        The dtype of a target of numbers in the source, which the classes of a classifier get.
    classes : ndarray or None
        The sorted labels of a target that is text, whose codes are in `y`; None for other targets.
    memory : int
        The bytes that the stream may use.
    buffer_parts : int
        The parts whose rows mini-batches mix at a time, by `memory`.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> blocks = [(np.arange(8.0).reshape(4, 2), np.array(["no", "yes", "no", "no"]))]
    >>> stream = st.open_stream(blocks, part_rows=3)
    >>> stream.sizes, stream.classes.tolist()
    ((3, 1), ['no', 'yes'])
    >>> stream.read(0).y
    array([0., 1., 0.])
    >>> [part.X.shape for part in stream.parts()]
    [(3, 2), (1, 2)]
    """

    def __init__(
        self, source: Readable, found: Survey, budget: Budget, progress: Callable[[int], Any] | None = None
    ) -> None:
        facts: Facts = source.facts
        self._progress = progress
        self._source, self._found = source, found
        self._ahead = budget.ahead(found.largest_part)
        self._lock = threading.Lock()
        self._reader: PartReader | None = None
        self.sizes = tuple(found.sizes)
        self.n_samples, self.n_features = sum(found.sizes), facts.n_features
        self.n_elements = sum(found.entries)
        self.dtype, self.storage = facts.dtype, facts.storage.name
        self.is_sparse, self.has_weights = facts.is_sparse, facts.has_weights
        self.weight_sum, self.least_weight = found.weight_sum, found.least_weight
        self.feature_names, self.has_target = facts.feature_names, facts.target is not None
        self.target_dtype = None if source.labels is not None else facts.target
        self.classes: NDArray[Any] | None = None if source.labels is None else source.labels.classes
        self.memory, self.buffer_parts = budget.memory, budget.buffer(found.largest_part)
        self._keeps = bool(source.states) and budget.holds_twice(len(found.sizes) * found.largest_part)
        self._kept: dict[int, Part] = {}
        self.parts_facts = found.facts

    def read(self, index: int) -> Part:
        """Return a part.

        Parameters
        ----------
        index : int
            The number of the part, from 0.

        Returns
        -------
        Part
            A named tuple of `index`, `X`, `y` and `weight`.

        Raises
        ------
        OSError
            A file changed or vanished since the stream was opened.
        ValueError
            A source in memory gives other rows than in the first pass.
        """
        index = check_count("index", index, 0, len(self.sizes) - 1)
        with self._lock:
            if self._reader is None:
                self._reader = self._open(threading.Event())
                weakref.finalize(self, self._reader.close)
            return self._reader.part(index)

    def parts(self, order: Sequence[int] | None = None) -> Iterator[Part]:
        """Yield parts, which a thread reads ahead as far as `memory` allows.

        Closing the iterator ends the thread. Parts that the caller keeps come on top of `memory`.

        Parameters
        ----------
        order : sequence of int, optional
            The numbers of the parts to read. The default is all of them, in order.

        Raises
        ------
        OSError
            A file changed or vanished since the stream was opened.
        ValueError
            The order is not ascending and the source can be read in order only, or a source in memory gives other rows
            than in the first pass.
        """
        last = len(self.sizes) - 1
        indices = range(last + 1) if order is None else [check_count("order", index, 0, last) for index in order]
        if not self._source.any_order and bool(np.any(np.diff(indices) < 0)):
            raise ValueError(
                f"order must ascend, since {self._source.name} can be read from its beginning only; "
                "open_stream(..., cache=folder) allows any order, and mini-batches with shuffle=False need no other"
            )
        found: Any = read_ahead(self._open, indices, self._ahead)
        return found if self._progress is None else _told(found, self._progress)

    def sections(self, order: Sequence[int], in_place: bool = True) -> Iterator[Part | Section]:
        """Yield parts for passes of an objective, which use each part before they take the next one.

        With `in_place`, the X of a part may be a `FileRows`, which the pass reads. If all parts take up to half of
        `memory`, they stay in memory.

        Parameters
        ----------
        order : sequence of int
            The numbers of the parts.
        in_place : bool
            Whether a part may be a section of its file.
        """
        if not self._keeps:
            return self._in_place(order) if in_place and not self.is_sparse else self.parts(order)
        return self._kept_parts(order)

    def _in_place(self, order: Sequence[int]) -> Iterator[Part | Section]:
        found: Any = read_ahead(self._open, order, self._ahead, in_place=True)
        parts: Any = found if self._progress is None else _told(found, self._progress)
        with closing(parts):
            for part in parts:
                if isinstance(part, Section):
                    part.X.load = functools.partial(self._rows, part.index)
                yield part

    def _rows(self, index: int) -> NDArray[Any]:
        found = self.read(index).X
        assert isinstance(found, np.ndarray)
        return found

    def _kept_parts(self, order: Sequence[int]) -> Iterator[Part | Section]:
        """Yield parts in memory. Those that are missing are read first, and the files must be as they were."""
        missing = list(dict.fromkeys(index for index in order if index not in self._kept))
        if not missing and not self._source.is_copy:
            for state in self._source.states:
                state.check()
        fresh = self.parts(missing if self._source.any_order else sorted(missing))
        for index in order:
            if index in self._kept and self._progress is not None:
                self._progress(self.sizes[index])
            while index not in self._kept:
                part = next(fresh)
                self._kept[part.index] = part
            yield self._kept[index]

    def _open(self, stop: threading.Event) -> PartReader:
        return self._source.reader(self._found, stop)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_samples

    def __repr__(self) -> str:
        """Return the shape and the number of parts."""
        kind = "sparse" if self.is_sparse else "dense"
        return f"<Stream of {self.n_samples:,} x {self.n_features:,} {kind} {self.storage} in {len(self.sizes)} parts>"


def _told(parts: Any, progress: Callable[[int], Any]) -> Iterator[Any]:
    """Yield parts. Before each, call a function with the number of its rows."""
    with closing(parts):
        for part in parts:
            progress(len(part.y))
            yield part
