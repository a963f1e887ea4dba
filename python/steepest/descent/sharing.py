"""Optimizers and stopping rules that several runs use at once: only one run may change each of these objects."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Iterator

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
    with _claimed(optimizer) as free:
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


@contextlib.contextmanager
def settings_of_run(settings: RunSettings) -> Iterator[RunSettings]:
    """Give the run stopping rules that no other run asks: copies of those that are in another run."""
    with contextlib.ExitStack() as stack:
        rules = [rule if stack.enter_context(_claimed(rule)) else copy.deepcopy(rule) for rule in settings.stop]
        yield dataclasses.replace(settings, stop=rules)


@contextlib.contextmanager
def _claimed(thing: object) -> Iterator[bool]:
    """Claim an object for the length of the block; yield whether no other block has claimed it."""
    with _lock:
        free = id(thing) not in _used
        _used.add(id(thing))
    try:
        yield free
    finally:
        if free:
            with _lock:
                _used.discard(id(thing))
