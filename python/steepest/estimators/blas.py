"""Products of NumPy on one thread: the number of BLAS's threads may change their last bits."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..extras import require

__all__ = ["on_one_thread"]


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Let the products of NumPy in a block take one thread each.

    The limit belongs to the process. If blocks overlap in several Python threads, it holds until all have ended.
    """
    _blocks.enter()
    try:
        yield
    finally:
        _blocks.leave()


class _Blocks:
    """The blocks that are under way. The first one sets the limit, and the last one takes it back."""

    def __init__(self) -> None:
        self._lock, self._count, self._limit = threading.Lock(), 0, None

    def enter(self) -> None:
        with self._lock:
            if self._count == 0:
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                limit: Any = self._limit
                limit.restore_original_limits()


_blocks = _Blocks()


@functools.cache
def _controller() -> Any:
    """Return what looked for the libraries of BLAS. A look takes milliseconds, and NumPy has its library by now."""
    return require("threadpoolctl", "sklearn").ThreadpoolController()
