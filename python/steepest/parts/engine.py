"""`Engine`: where the parts of data are, and who adds up over them. Each engine is a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Engine", "Question"]


class Question(Protocol):
    """What is asked of every part. It is pickled, where parts are in other processes.

    Attributes
    ----------
    asks : frozenset of int, or None
        The parts that are asked. None: all of them.

    A question may have ``is_pass``. If it is True, a part reads its rows once, in order, and may do so from a file.
    """

    @property
    def asks(self) -> frozenset[int] | None: ...

    @property
    def of(self) -> Callable[..., Any]:
        """A method that returns the answer of a part, given as a `HeldPart`, to some arrays."""
        ...

    def add(self, first: Any, second: Any) -> Any:
        """Return the sum of two answers, of which the first belongs to the earlier parts. It may change the first."""
        ...


class Engine(Protocol):
    """Three functions, by which objectives work over parts, wherever these are.

    An engine puts the answers of its parts into a `Tree`: no result then depends on where a part is. Each of its
    processes makes a `Tree` over all n parts, puts in the answers of those that it holds, and None for a part that is
    not asked. It sends the `nodes` to the process that makes the total, which takes them, in any order.

    One process drives: it alone runs the program, and the others only answer. Where all processes run the same program
    instead, each of them calls `reduce`, and the engine has an attribute ``team``, a `Team`, which decides what does
    not follow from totals. An engine that hands its questions on to another has that one as its ``engine``.
    """

    def n_parts(self) -> int:
        """Return the number of parts."""
        ...

    def reduce(self, question: Question, *arrays: NDArray[np.generic]) -> Any:
        """Ask the parts, and return the total of their answers.

        Every process that may go on from the total gets the same bits. A part that cannot answer is an error that
        names who holds it, within a time that the engine knows; it never waits for ever.
        """
        ...

    def close(self) -> None:
        """Let go of what the engine keeps: threads, files, and objects in other processes."""
        ...
