"""Streams of a device as numbers, of which one names another stream in each thread."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["LEGACY_STREAM", "ThreadStream", "as_stream", "is_elsewhere", "lasts"]

LEGACY_STREAM = 1  # the legacy default stream, in __cuda_array_interface__ and in DLPack alike
_PER_THREAD = 2  # each thread's own default stream

_here = threading.local()


def _own() -> object:
    """Return what tells this thread from all others. A later thread may have the same `threading.get_ident`."""
    if not hasattr(_here, "own"):
        _here.own = object()
    return _here.own


class ThreadStream(int):
    """The default stream of the thread that made this object. In another thread its number names another stream."""

    thread: object

    def __new__(cls) -> ThreadStream:
        made = super().__new__(cls, _PER_THREAD)
        made.thread = _own()
        return made

    def __eq__(self, other: object) -> bool:
        thread = other.thread if isinstance(other, ThreadStream) else _own()
        return int.__eq__(self, other) is True and self.thread is thread

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__


def as_stream(number: Any) -> int:
    """Return the stream of a number, as a library names it in this thread; the legacy one for 0 and None."""
    return ThreadStream() if number == _PER_THREAD else int(number or LEGACY_STREAM)


def is_elsewhere(stream: int) -> bool:
    """Return whether the stream is another thread's, which no call of this thread can name."""
    return isinstance(stream, ThreadStream) and stream.thread is not _own()


def lasts(stream: int, library: str) -> bool:
    """Return whether a number names one stream for as long as the process lives; torch never destroys its own."""
    return stream == LEGACY_STREAM or (library == "torch" and not isinstance(stream, ThreadStream))
