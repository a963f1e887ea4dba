"""`MPIEngine`: the engine over parts that ranks hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from ..parts.engine import Question
from ..parts.tree import Node, Tree
from .channel import Channel
from .fingerprint import facts_of
from .team import Ranks

__all__ = ["MPIEngine"]


class MPIEngine:
    """An engine over the parts that each rank of a communicator holds.

    The parts of rank 0 come first, then those of rank 1, and so on. `reduce` is a collective: every rank asks its own
    parts, and adds the answers along the tree. The roots of its subtrees go up a binary tree of ranks, whose every
    rank adds what it can. Rank 0 finishes the total, and all ranks get its bytes.

    Parameters
    ----------
    channel : Channel
        The ranks.
    own : range
        The places of this rank's parts among those of all ranks.
    read : callable
        Called with some of these places in rising order, it yields the parts there, each with its ``index``. It is told
        whether they may be in files, as for a question with ``is_pass``.
    n : int
        Number of parts of all ranks.

    Attributes
    ----------
    team : Ranks
        Decides what does not follow from totals.
    """

    def __init__(self, channel: Channel, own: range, read: Callable[[list[int], bool], Iterable[Any]], n: int) -> None:
        self._channel, self._own, self._read, self._n = channel, own, read, n
        self.team = Ranks(channel)

    def n_parts(self) -> int:
        """Return the number of parts of all ranks."""
        return self._n

    def reduce(self, question: Question, *arrays: NDArray[Any]) -> Any:
        """Ask the parts of all ranks, and return the total of their answers. All ranks must call it alike.

        Raises
        ------
        RankError
            Another rank failed, or asks something else.
        """
        name = f"{type(question).__name__} {getattr(question, 'work', '')}".strip()
        facts = {"question": repr((self._n, facts_of(question))), "parameters": repr(facts_of(arrays))}

        def answer() -> list[Node]:
            tree = Tree(self._n, question.add)
            asked = [index for index in self._own if question.asks is None or index in question.asks]
            for part in self._read(asked, getattr(question, "is_pass", False)):
                tree.put(part.index, question.of(part, *arrays))
            for index in set(self._own).difference(asked):
                tree.put(index, None)
            return tree.nodes

        def joined(*each: list[Node]) -> Tree:
            tree = Tree(self._n, question.add)
            for nodes in each:
                tree.take(nodes)
            return tree

        return self._channel.exchange(
            name,
            facts,
            answer,
            lambda first, second: joined(first, second).nodes,
            lambda nodes: joined(nodes).total(),
        )

    def close(self) -> None:
        """Let go of the parts of this rank. The communicator stays."""
        self._own, self._read = range(0), lambda asked, in_place: ()
