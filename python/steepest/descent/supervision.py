"""What a caller of `minimize` inside the package asks of the runs in its thread: silence, and an end on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Supervision", "supervised", "supervision"]


@dataclass(frozen=True)
class Supervision:
    """Who watches over a run.

    Attributes
    ----------
    warns : bool
        Whether the run warns by itself; its Result says all in any case.
    cancelled : callable or None
        Asked before every slice of a run, at least every 0.1 s of steps; True ends the run as Ctrl-C does.
    """

    warns: bool = True
    cancelled: Callable[[], bool] | None = None

    def check(self) -> None:
        """Raise KeyboardInterrupt if the run is cancelled."""
        if self.cancelled is not None and self.cancelled():
            raise KeyboardInterrupt


_NONE = Supervision()
_CURRENT: ContextVar[Supervision] = ContextVar("supervision", default=_NONE)


def supervision() -> Supervision:
    """Return that of the thread this is called in."""
    return _CURRENT.get()


@contextmanager
def supervised(by: Supervision) -> Iterator[None]:
    """Put the runs of a ``with`` block, in this thread, under a supervision."""
    token = _CURRENT.set(by)
    try:
        yield
    finally:
        _CURRENT.reset(token)
