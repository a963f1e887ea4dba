"""Sources of text: blocks of whole lines, whose places in the files the opening pass notes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from .blocks import Block, Place
from .files import DataError, FileState
from .labels import Labels
from .part import Facts
from .source import BlockReader, Survey, nearest

__all__ = ["REFUSALS", "Lines", "TextSource", "blocks_of_lines"]

REFUSALS = (OSError, ValueError, OverflowError, EOFError, zlib.error, lzma.LZMAError)
_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_MOST_BLOCKS = 64  # a line of more bytes than so many blocks is none
_SKIP = 1 << 20
_BLOCK = 1 << 20
_FACTOR, _FIXED = 40, 1 << 22  # of the memory that a parser needs, by measurements


class Lines(NamedTuple):
    """Some whole lines of a file: where they begin in its text, as bytes, as a line and as a row."""

    file: int
    offset: int
    line: int
    row: int
    text: bytes


def is_compressed(path: Path) -> bool:
    """Return whether a file is compressed, by its name."""
    return path.suffix.lower() in _OPENERS


def blocks_of_lines(state: FileState, offset: int, size: int, kind: str) -> Iterator[bytes]:
    """Yield the text of a file from an offset on, in blocks of about `size` bytes that end with a line."""
    with ExitStack() as stack:
        with state.reading(kind, REFUSALS):
            file: Any = stack.enter_context(state.open())
            if is_compressed(state.path):
                file = stack.enter_context(_OPENERS[state.path.suffix.lower()](file))
                _skip(file, offset)
            else:
                file.seek(offset)
        rest, parts = b"", 0
        while True:
            with state.reading(kind, REFUSALS):
                more = file.read(size)
            if not more:
                break
            end = more.rfind(b"\n") + 1
            if end == 0:
                rest, parts = rest + more, parts + 1
                if parts > _MOST_BLOCKS:
                    raise DataError(f"{state.path} has a line of more than {len(rest):,} bytes; it is no {kind} file")
                continue
            yield rest + more[:end]
            rest, parts = more[end:], 0
        if rest:
            yield rest


def _skip(file: Any, n_bytes: int) -> None:
    while n_bytes:
        n_bytes -= len(file.read(min(n_bytes, _SKIP))) or n_bytes


class TextSource(ABC):
    """Rows in files of text.

    A class of it sets `facts` and `labels`, and parses blocks of lines.
    """

    facts: Facts
    labels: Labels | None = None
    if_changed, is_copy = "", False
    kind = ""

    def __init__(self, paths: list[Path], memory: int) -> None:
        self.states = [FileState.of(path) for path in paths]
        self.any_order = not any(map(is_compressed, paths))
        self.n_rows: int | None = None
        self.name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} others"
        self.size = min(_BLOCK, max(memory // 128, 1 << 16))
        self.reserve = _FACTOR * self.size + _FIXED
        self._starts: list[int] = []  # the first rows of the blocks whose places are known
        self._places: list[Lines] = []

    @abstractmethod
    def begin_of(self, number: int) -> int:
        """Return the offset of the first row in a file."""

    @abstractmethod
    def parse(self, lines: Lines) -> Block:
        """Return the rows of some lines."""

    def place(self, lines: Lines) -> Place:
        """Return the place of a block, for errors."""
        return Place(str(self.states[lines.file].path), lines.row)

    def start_of(self, row: int) -> int:
        """Return the first row of the block of a row, or 0 for compressed text, which has no way in."""
        return nearest(self._starts, row) if self.any_order else 0

    def blocks(self, row: int) -> Iterator[Block]:
        """Yield blocks from a row on, with which a block begins."""
        at = self._places[self._starts.index(row)] if row else Lines(0, self.begin_of(0), 0, 0, b"")
        for number in range(at.file, len(self.states)):
            lines = at if number == at.file else Lines(number, self.begin_of(number), 0, 0, b"")
            for text in blocks_of_lines(self.states[number], lines.offset, self.size, self.kind):
                if not self._starts or row > self._starts[-1]:
                    self._starts.append(row)
                    self._places.append(lines)
                with self.states[number].reading(self.kind, REFUSALS):
                    block = self.parse(lines._replace(text=text))
                yield block
                n, row = len(block), row + len(block)
                line = lines.line + text.count(b"\n")
                lines = Lines(number, lines.offset + len(text), line, lines.row + n, b"")

    def reader(self, found: Survey, stop: Event) -> BlockReader:
        """Return a reader of parts."""
        return BlockReader(self, found, stop)
