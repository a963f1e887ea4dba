"""Supervision of runs by other parts of the package: they can silence the warnings of a run, and cancel it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Supervision", "quiet", "supervised", "supervision"]


@dataclass(frozen=True)
class Supervision:
    """How the runs of a thread are supervised.

    Attributes
    ----------
    warns : bool
        Whether the run issues warnings. Its Result holds the diagnosis in any case.
    cancelled : callable or None
        Called before every slice of a run, that is at least every 0.1 s. If it returns True, the run ends as after
        Ctrl-C.
    """

    warns: bool = True
    cancelled: Callable[[], bool] | None = None

    def is_cancelled(self) -> bool:
        """Return whether the run is cancelled."""
        return self.cancelled is not None and self.cancelled()

    def check(self) -> None:
        """Raise KeyboardInterrupt if the run is cancelled."""
        if self.is_cancelled():
            raise KeyboardInterrupt


_NONE = Supervision()
_CURRENT: ContextVar[Supervision] = ContextVar("supervision", default=_NONE)


def supervision() -> Supervision:
    """Return the supervision of the current thread."""
    return _CURRENT.get()


@contextmanager
def supervised(by: Supervision) -> Iterator[None]:
    """Apply a supervision to the runs of a ``with`` block in this thread."""
    token = _CURRENT.set(by)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def quiet() -> AbstractContextManager[None]:
    """Silence the warnings of the runs of a ``with`` block in this thread. They can be cancelled as before."""
    return supervised(Supervision(warns=False, cancelled=supervision().cancelled))
