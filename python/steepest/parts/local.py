"""`LocalEngine`: parts in this process, which computes with one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from .engine import Question
from .tree import Tree

__all__ = ["LocalEngine"]


class LocalEngine:
    """An engine over parts in this process, one after the other: a list, or a stream that reads them.

    Parameters
    ----------
    n : int
        Number of parts.
    parts : callable
        Called with indices in rising order, it yields the parts at these, each with its ``index``.
    in_place : callable, optional
        The same for questions with ``is_pass``, which read the rows once, in order: they may be in files.
    """

    def __init__(
        self,
        n: int,
        parts: Callable[[Iterable[int]], Iterable[Any]],
        in_place: Callable[[Iterable[int]], Iterable[Any]] | None = None,
    ) -> None:
        self._n, self._parts, self._in_place = n, parts, in_place or parts

    def n_parts(self) -> int:
        """Return the number of parts."""
        return self._n

    def reduce(self, question: Question, *arrays: NDArray[Any]) -> Any:
        """Ask the parts, and return the total of their answers."""
        tree = Tree(self._n, question.add)
        asked = range(self._n) if question.asks is None else sorted(question.asks)
        read = self._in_place if getattr(question, "is_pass", False) else self._parts
        for part in read(asked):
            tree.put(part.index, question.of(part, *arrays))
        if question.asks is not None:
            for index in range(self._n):
                if index not in question.asks:
                    tree.put(index, None)
        return tree.total()

    def close(self) -> None:
        """Do nothing: the engine keeps nothing."""
