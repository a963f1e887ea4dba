"""What a source of rows is, the opening pass over it, and its reader for later passes."""

from __future__ import annotations

import bisect
import itertools
import math
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from ..parts.facts import Facts as PartsFacts
from ..parts.tree import RunningTree
from .assembly import Assembly, Rows, cut
from .blocks import Block
from .buffers import Buffers
from .checks import check_rows, shown_bytes
from .files import DataError, FileState
from .labels import Labels
from .part import Facts, Part, PartReader, part_bytes

__all__ = ["BlockReader", "BlockSource", "Budget", "Readable", "Source", "Stopped", "Survey", "survey"]


class Stopped(Exception):
    """Nobody wants the part any longer."""


class Readable(Protocol):
    """Rows that can be read part by part.

    Attributes
    ----------
    facts : Facts
    states : list of FileState
        The files, if there are any.
    labels : Labels or None
        The classes of a target that is text.
    n_rows : int or None
        None if only a pass can tell.
    reserve : int
        An upper bound of the bytes that a pass needs beyond its parts.
    any_order : bool
        Whether parts can be read in any order at about the same price.
    name : str
        What errors call the source.
    if_changed : str
        What to say where a later pass gives other rows; "" if the source sees to it by itself.
    is_copy : bool
        Whether passes read a copy, so that they do not notice if the files change.
    """

    facts: Facts
    states: list[FileState]
    labels: Labels | None
    n_rows: int | None
    reserve: int
    any_order: bool
    name: str
    if_changed: str
    is_copy: bool

    def reader(self, found: Survey, stop: Event) -> PartReader:
        """Return a reader of parts, which a thread has for itself."""


class Source(Readable, Protocol):
    """Rows in files or in memory, which the opening pass reads in blocks."""

    def blocks(self, row: int) -> Iterator[Block]:
        """Yield blocks. `row`, the first row, is 0 or comes from `start_of`."""


class BlockSource(Source, Protocol):
    """A source whose parts are put together from its blocks."""

    def start_of(self, row: int) -> int:
        """Return the first row of the blocks from which a row is best reached."""


@dataclass
class Survey:
    """What the opening pass found."""

    sizes: list[int]
    entries: list[int]
    checksums: list[int]
    largest_part: int
    weight_sum: float
    least_weight: float
    facts: PartsFacts | None = field(default=None, compare=False)
    """What `steepest.parts` asks of parts. None: it is to ask, as there are too many classes, or an older cache."""

    def settle(self, moved: NDArray[np.intp]) -> None:
        """Take the final codes of targets that are text, by those that they had."""
        if self.facts is not None:
            targets = self.facts.targets.renumbered(moved)
            self.facts = None if targets is None else replace(self.facts, targets=targets)


class Budget:
    """The memory that a stream may use: parts, and what a source reserves."""

    def __init__(self, memory: int, reserve: int, part_rows: int) -> None:
        self.memory, self.reserve, self.part_rows = memory, reserve, part_rows

    def check(self, n_bytes: int, rows: int) -> None:
        """Check that two parts of so many bytes fit: one in use and one that is being read."""
        free = self.memory - self.reserve
        if 2 * n_bytes <= free:
            return
        most = int(rows * free / 2 / n_bytes) if n_bytes and free > 0 else 0
        if most < 1:
            least = 2 * math.ceil(n_bytes / rows) + self.reserve
            raise ValueError(
                f"memory must be at least {shown_bytes(1.01 * least)} for this source, even with part_rows=1, "
                f"got {shown_bytes(self.memory)}"
            )
        fitting = 1 << (most.bit_length() - 1)
        raise ValueError(
            f"two parts must fit into memory={shown_bytes(self.memory)}, but {rows:,} rows take "
            f"{shown_bytes(n_bytes)}; set part_rows={min(fitting, self.part_rows)} or raise memory"
        )

    def buffer(self, largest_part: int) -> int:
        """Return how many parts a buffer may hold, of which a copy is made, beside those that are read ahead.

        A sixteenth of the memory is left for the rows of a batch and for pieces that threads read.
        """
        fitting = (self.memory - self.reserve - self.memory // 16) // max(largest_part, 1)
        return int(max((fitting - self.ahead(largest_part)) // 2, 1))

    def holds_twice(self, n_bytes: int) -> bool:
        """Return whether so many bytes are at most half of what is free."""
        return 2 * n_bytes <= self.memory - self.reserve

    def ahead(self, largest_part: int) -> int:
        """Return how many parts may be read ahead, at most 3. With 0, no thread reads ahead."""
        fitting = (self.memory - self.reserve) // max(largest_part, 1)
        return int(min(max(fitting - 2, 0), 3))


def survey(
    source: Source,
    budget: Budget,
    keep: Callable[[Rows], None] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Survey:
    """Read all rows of a source once, check them and count.

    `keep` is called with the arrays of each part, and `progress` with the number of its rows.
    """
    facts, found = source.facts, Survey([], [], [], 0, 0.0, math.inf)
    known = source.n_rows
    if known is not None and not facts.is_sparse:
        most = min(known, budget.part_rows)
        budget.check(most * facts.row_bytes, most)
    buffers = Buffers()
    taken = [0, 0]  # rows and bytes of the part so far

    def begin(block: Block) -> Assembly:
        taken[:] = [0, 0]
        if known is not None:
            room = known - sum(found.sizes)
        else:
            room = budget.part_rows if found.sizes else max(len(block), 1024)
        entries = 1 << (found.entries[-1] if found.entries else 1000).bit_length()
        return Assembly(facts, min(room, budget.part_rows), entries, buffers)

    def check(block: Block, first: int, rows: Rows) -> None:
        check_rows(facts, block.place, first, rows)
        taken[:] = [taken[0] + len(rows.y), taken[1] + part_bytes(*rows)]
        budget.check(taken[1], taken[0])

    tree = RunningTree(PartsFacts.with_more)
    for rows in cut(source.blocks(0), budget.part_rows, begin, check):
        found.sizes.append(len(rows.y))
        found.entries.append(rows.X.size)
        found.largest_part = max(found.largest_part, part_bytes(*rows))
        found.checksums.append(checksum(rows, source.labels) if source.if_changed else 0)
        tree.put(PartsFacts.of(*rows))
        if keep is not None:
            keep(rows)
        if progress is not None:
            progress(len(rows.y))
        del rows
    if not found.sizes:
        raise DataError(f"{source.name} has no rows")
    found.facts = tree.total()
    found.weight_sum, found.least_weight = found.facts.weight_sum, found.facts.least_weight
    if not 0.0 < found.weight_sum < math.inf:
        raise DataError(f"the weights of {source.name} must have a positive finite sum, got {found.weight_sum:g}")
    return found


def checksum(rows: Rows, labels: Labels | None) -> int:
    """Return a checksum of a part. Targets that are text count by the first codes of their labels."""
    X = rows.X
    arrays = [X.data, X.indices, X.indptr] if isinstance(X, CSRView) else [X]
    arrays += [rows.y if labels is None else labels.first_codes(rows.y)]
    arrays += [] if rows.weight is None else [rows.weight]
    total = 0
    for array in arrays:
        total = zlib.crc32(_bytes(array), total)
    return total


def _bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


class BlockReader:
    """Puts parts together from blocks. It goes on where the part before ended, if that is nearest."""

    def __init__(self, source: BlockSource, found: Survey, stop: Event) -> None:
        self._source, self._found, self._stop = source, found, stop
        self._process = os.getpid()
        self._starts = [0, *itertools.accumulate(found.sizes)]
        self._buffers, self._most = Buffers.of(source), (max(found.sizes), max(found.entries))
        self._blocks: Iterator[Block] | None = None
        self._block: Block | None = None
        self._first = self._end = 0  # the rows of the block

    def part(self, index: int) -> Part:
        """Return a part in memory of its own."""
        start, stop = self._starts[index], self._starts[index + 1]
        try:
            rows = self._rows(start, stop, self._found.entries[index])
        except BaseException:
            self.close()
            raise
        source = self._source
        if source.if_changed and checksum(rows, source.labels) != self._found.checksums[index]:
            what = f"gave other rows in part {index} than in the first pass"
            raise DataError(f"{source.name} {what}; {source.if_changed}")
        return Part(index, *rows)

    def section(self, index: int) -> Part:
        """Return a part: blocks are put together in memory."""
        return self.part(index)

    def _rows(self, start: int, stop: int, n_entries: int) -> Rows:
        if os.getpid() != self._process:  # a fork: the parent goes on in the same files, at the same places
            self.close()
            self._process = os.getpid()
        self._seek(start)
        assembly = Assembly(self._source.facts, stop - start, n_entries, self._buffers, self._most)
        while start < stop:
            if self._block is None or start >= self._end:
                self._advance(stop)
                continue
            last = min(stop, self._end)
            assembly.take(self._block, start - self._first, last - self._first)
            start = last
        return assembly.finish()

    def _seek(self, row: int) -> None:
        if self._blocks is not None and self._first <= row <= self._end:
            return
        best = self._source.start_of(row)
        if self._blocks is None or row < self._first or best > self._end:
            self.close()
            self._blocks, self._first, self._end = self._source.blocks(best), best, best

    def _advance(self, wanted: int) -> None:
        if self._stop.is_set():
            raise Stopped
        assert self._blocks is not None
        self._block = None  # makes room for the next one
        block = next(self._blocks, None)
        if block is None:
            raise DataError(
                f"{self._source.name} ended after {self._end:,} rows; in the first pass it had "
                f"{self._starts[-1]:,}; {self._source.if_changed}".rstrip("; ")
            )
        self._block, self._first, self._end = block, self._end, self._end + len(block)

    def close(self) -> None:
        """Close what is open."""
        if self._blocks is not None and hasattr(self._blocks, "close"):
            self._blocks.close()
        self._blocks = self._block = None


def nearest(starts: list[int], row: int) -> int:
    """Return the last of the sorted starts that is not above a row."""
    return starts[bisect.bisect_right(starts, row) - 1]
