"""Parts that a thread reads ahead while the caller computes."""

from __future__ import annotations

import atexit
import queue
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Protocol

from .part import Part, PartReader
from .section import Section
from .source import Stopped

__all__ = ["read_ahead"]

_PATIENCE = 1.0  # seconds between two looks at whether the thread is alive: a forked child has none
_LAST_WAIT = 10.0  # seconds for a thread that is reading while Python ends
_running: weakref.WeakSet[_Thread] = weakref.WeakSet()


class _Opens(Protocol):
    def __call__(self, stop: threading.Event) -> PartReader: ...


def read_ahead(
    open_reader: _Opens, order: Sequence[int], depth: int, in_place: bool = False
) -> Iterator[Part | Section]:
    """Yield parts in an order, `depth` of them read ahead at most. With 0 the caller's thread reads.

    `open_reader` returns a reader, which gives up once the event that it was given is set. With `in_place`, a part may
    be a section of its file.
    """
    if depth == 0:
        reader = open_reader(threading.Event())
        try:
            read = reader.section if in_place else reader.part
            for index in order:
                yield read(index)
        finally:
            reader.close()
        return
    thread = _Thread(open_reader, order, depth, in_place)
    thread.start()
    try:
        for _ in order:
            yield thread.take()
    finally:
        thread.end()


class _Thread(threading.Thread):
    """Reads parts. One permit allows to begin with one part."""

    def __init__(self, open_reader: _Opens, order: Sequence[int], depth: int, in_place: bool) -> None:
        super().__init__(name="steepest-stream", daemon=True)
        self._open_reader, self._order, self._in_place = open_reader, order, in_place
        self._stopped = threading.Event()
        self._permits = threading.Semaphore(depth)
        _running.add(self)
        self._done: queue.SimpleQueue[Part | Section | BaseException] = queue.SimpleQueue()

    def run(self) -> None:
        """Read all parts, or until told to stop."""
        try:
            reader = self._open_reader(self._stopped)
            read = reader.section if self._in_place else reader.part
            try:
                for index in self._order:
                    self._permits.acquire()
                    if self._stopped.is_set():
                        return
                    self._done.put(read(index))
            finally:
                reader.close()
        except Stopped:
            pass
        except BaseException as error:  # the caller's thread raises it
            self._done.put(error)

    def take(self) -> Part | Section:
        """Return the next part, and let the thread begin with another one."""
        while True:
            try:
                found = self._done.get(timeout=_PATIENCE)
                break
            except queue.Empty:
                if not self.is_alive() and self._done.empty():
                    raise RuntimeError(
                        "the thread that reads parts ended; was the process forked? Call parts() again"
                    ) from None
        if isinstance(found, BaseException):
            raise found
        self._permits.release()
        return found

    def end(self) -> None:
        """Stop the thread and wait for it."""
        self.stop()
        while self.is_alive() and threading.current_thread() is not self and not sys.is_finalizing():
            self.join(_PATIENCE)  # while Python ends, no thread runs but the main one

    def stop(self) -> None:
        """Tell the thread to stop, without waiting for it."""
        self._stopped.set()
        self._permits.release()


@atexit.register
def _end_all() -> None:
    """Wait for all threads before Python ends: it would unwind them inside a library, which ends the process."""
    threads = [thread for thread in _running if thread.is_alive()]
    for thread in threads:
        thread.stop()
    for thread in threads:
        thread.join(_LAST_WAIT)
