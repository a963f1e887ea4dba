"""Optimizers and stopping rules that several runs use at once: only one run may change each of these objects."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Iterator, Sequence

from ..optimizers.base import Optimizer
from ..quasi_newton.optimizer import QuasiNewton
from .record import RunSettings

__all__ = ["optimizer_of_run", "settings_of_run"]

_lock = threading.Lock()
_used: set[int] = set()  # identities of the objects that runs are changing


@contextlib.contextmanager
def optimizer_of_run(optimizer: Optimizer | QuasiNewton, reset: bool) -> Iterator[Optimizer | QuasiNewton]:
    """Give the run an optimizer that no other run changes: the user's own, or a copy while that is in another run.

    Parameters
    ----------
    optimizer : optimizer
        The user's. It keeps the state of the run that it takes part in; a copy is dropped after its run.
    reset : bool
        Whether the run starts afresh.

    Raises
    ------
    ValueError
        The run is to go on from a state that another run is changing.
    """
    free = _claim((optimizer,))
    try:
        if free:
            yield optimizer
        elif reset:
            twin = copy.copy(optimizer)
            twin.reset()
            yield twin
        else:
            raise ValueError(
                f"optimizer must be in no other run where reset=False goes on from its state, got {optimizer!r}, which "
                "a run in another thread or around this one is changing; give each run an optimizer of its own"
            )
    finally:
        _release(free)


@contextlib.contextmanager
def settings_of_run(settings: RunSettings) -> Iterator[RunSettings]:
    """Give the run stopping rules that no other run asks: copies of those that are in another run."""
    free = _claim(settings.stop)
    try:
        if len(free) == len(settings.stop):
            yield settings
        else:
            rules = [rule if id(rule) in free else copy.deepcopy(rule) for rule in settings.stop]
            yield dataclasses.replace(settings, stop=rules)
    finally:
        _release(free)


def _claim(things: Sequence[object]) -> list[int]:
    """Claim objects until they are released; return the identities of those that nobody else has claimed."""
    with _lock:
        free = [id(thing) for thing in things if id(thing) not in _used]
        _used.update(free)
    return free


def _release(free: list[int]) -> None:
    with _lock:
        _used.difference_update(free)
