"""`Tree`: the fixed binary tree along which the answers of parts are added, wherever the parts are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

__all__ = ["Node", "RunningTree", "Tree"]


class Node(NamedTuple):
    """A whole subtree's answer: that of the parts from ``place * 2**level`` on, 2**level of them if there are so many.

    Attributes
    ----------
    level, place : int
        A part is at level 0, and its place is its index.
    answer : any
        What the parts answered, added up.
    """

    level: int
    place: int
    answer: Any


class Tree:
    """Adds the answers of n parts. The order of the additions depends on n alone, never on who holds which part.

    At each level, neighbours 2k and 2k + 1 are added; a last one without a neighbour rises as it is. Floating-point
    sums so have the same bits wherever they are made. `_core.add_sums` adds in the same order. Parts in a row keep at
    most log2(n) + 1 answers. A worker sends the `nodes` that its own parts make, and who collects them finishes the
    tree.

    Parameters
    ----------
    n : int
        Number of parts, at least 1.
    add : callable
        Returns the sum of two answers, of which the first belongs to the earlier parts. It may change the first.

    Examples
    --------
    >>> from steepest.parts.tree import Tree
    >>> whole = Tree(3, lambda first, second: f"({first}{second})")
    >>> worker = Tree(3, lambda first, second: f"({first}{second})")
    >>> for index, answer in ((1, "b"), (0, "a")):
    ...     worker.put(index, answer)
    >>> whole.put(2, "c")
    >>> whole.take(worker.nodes)
    >>> whole.total()
    '((ab)c)'
    """

    def __init__(self, n: int, add: Callable[[Any, Any], Any]) -> None:
        self._n, self._add = n, add
        self._nodes: dict[tuple[int, int], Any] = {}

    def put(self, index: int, answer: Any) -> None:
        """Add the answer of a part. None says that the part had nothing to add."""
        self._put(0, index, answer)

    def take(self, nodes: Iterable[Node]) -> None:
        """Add the subtrees of another tree over the same parts."""
        for level, place, answer in nodes:
            self._put(level, place, answer)

    def _put(self, level: int, place: int, answer: Any) -> None:
        while (count := -(-self._n >> level)) > 1:  # nodes of this level
            other = place ^ 1
            if other < count:
                if (level, other) not in self._nodes:
                    break
                neighbour = self._nodes.pop((level, other))
                answer = self._sum(neighbour, answer) if other < place else self._sum(answer, neighbour)
            level, place = level + 1, place >> 1
        if (level, place) in self._nodes:
            raise ValueError(f"a part must answer once, got a second answer of node {place} at level {level}")
        self._nodes[level, place] = answer

    def _sum(self, first: Any, second: Any) -> Any:
        if first is None or second is None:
            return second if first is None else first
        return self._add(first, second)

    @property
    def nodes(self) -> list[Node]:
        """The largest subtrees whose parts have all answered, in the order of their parts."""
        return [Node(*at, self._nodes[at]) for at in sorted(self._nodes, key=lambda at: at[1] << at[0])]

    def total(self) -> Any:
        """Return the sum of all parts' answers.

        Raises
        ------
        ValueError
            Some parts have not answered.
        """
        if len(self._nodes) != 1 or -(-self._n >> (only := next(iter(self._nodes)))[0]) > 1:
            raise ValueError(f"all {self._n} parts must answer, got the subtrees {sorted(self._nodes)}")
        return self._nodes[only]


class RunningTree:
    """Adds the answers of parts that come in order, as a `Tree` does, before their number is known.

    Parameters
    ----------
    add : callable
        As for `Tree`.

    Examples
    --------
    >>> from steepest.parts.tree import RunningTree
    >>> tree = RunningTree(lambda first, second: f"({first}{second})")
    >>> for answer in "abcdefg":
    ...     tree.put(answer)
    >>> tree.total()
    '(((ab)(cd))((ef)g))'
    """

    def __init__(self, add: Callable[[Any, Any], Any]) -> None:
        self._add, self._count = add, 0
        self._subtrees: list[Any] = []  # the largest first: one for each bit of the count

    def put(self, answer: Any) -> None:
        """Add the answer of the next part."""
        size = 1
        while self._count & size:
            answer = self._add(self._subtrees.pop(), answer)
            size *= 2
        self._subtrees.append(answer)
        self._count += 1

    def total(self) -> Any:
        """Return the sum of all answers. No answer may come after it."""
        total = self._subtrees.pop()
        while self._subtrees:
            total = self._add(self._subtrees.pop(), total)
        return total
