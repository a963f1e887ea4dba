"""`Channel`: what the ranks of a communicator do together, each thing in one round up a binary tree and one down."""

from __future__ import annotations

import atexit
import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from .messages import Mail, Message

__all__ = ["Channel", "RankError", "is_told", "uninterrupted"]

_WELL, _DIFFERENT, _FAILED = range(3)  # of a higher status, all ranks hear
_END = "the end of the program"
_LONG = 200  # characters of a fact in an error
_TOLD = "told_to_all_ranks"  # an attribute of errors

Facts = Mapping[str, str]


class RankError(RuntimeError):
    """Ranks cannot go on together: another rank failed, or they do different things. All ranks raise an error.

    The rank that failed raises the error itself. The others name the rank, and tell its error.
    """


@contextmanager
def uninterrupted(note: Callable[[], None]) -> Iterator[None]:
    """Call ``note`` when Ctrl-C comes in a block, in place of a KeyboardInterrupt. Other handlers are left alone."""
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if mine else None
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: note())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Turn:
    """What a rank has done in an exchange so far."""

    def __init__(self) -> None:
        self.status, self.value = _WELL, None
        self.error: BaseException | None = None

    def take(self, function: Callable[..., Any], *more: Any) -> None:
        """Put what a function makes of the value and more in its place, if all is well."""
        if self.status == _WELL:
            try:
                self.value = function(self.value, *more)
            except BaseException as error:
                self.status, self.error = _FAILED, error

    def message(self, digest: int) -> Message:
        return Message(self.status, digest, self.value if self.status == _WELL else None)


class Channel:
    """The ranks of a communicator, which call `exchange` in the same order.

    A rank says with every exchange what it does. If ranks do different things, or one has failed, all of them raise an
    error in that exchange. A rank whose program has ended takes part in the exchanges of the others until they end too,
    so nobody waits for it.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        It is duplicated, so no message meets those of others.
    """

    def __init__(self, comm: Any) -> None:
        self._comm = comm.Dup()
        self._mail = Mail(self._comm)
        self.rank, self.size = int(comm.rank), int(comm.size)
        self._process, self._lock = os.getpid(), threading.Lock()
        atexit.register(self._leave)

    def exchange(
        self,
        name: str,
        facts: Facts,
        answer: Callable[[], Any],
        combine: Callable[[Any, Any], Any],
        finish: Callable[[Any], Any] = lambda found: found,
    ) -> Any:
        """Return the same result on all ranks.

        Parameters
        ----------
        name : str
            What the ranks do, for an error.
        facts : mapping of str to str
            What must be the same on all ranks, by the words for it. They are compared by a digest.
        answer : callable
            Returns this rank's answer.
        combine : callable
            Returns the sum of two answers, of which the first is that of lower ranks.
        finish : callable
            Makes the result of the sum of all, on rank 0.
        """
        interrupts: list[bool] = []
        note = uninterrupted(lambda: interrupts.append(True)) if self.size > 1 else nullcontext()
        with self._lock, note:
            result = self._exchange(name, facts, answer, combine, finish)
        if interrupts:
            signal.raise_signal(signal.SIGINT)
        return result

    def _exchange(self, name: str, facts: Facts, answer: Any, combine: Any, finish: Any) -> Any:
        turn, step, digest = _Turn(), 1, _digest(name, facts)
        turn.take(lambda _: answer())
        while step < self.size and not self.rank & step:
            if self.rank + step < self.size:
                theirs = self._mail.receive(self.rank + step)
                turn.status = max(turn.status, theirs.status, _WELL if theirs.digest == digest else _DIFFERENT)
                turn.take(combine, theirs.value)
            step *= 2
        if self.rank:
            self._mail.send(turn.message(digest), self.rank - step)
            told = self._mail.broadcast(None)
        else:
            turn.take(finish)
            told = self._mail.broadcast(turn.message(digest))
        if told.status != _WELL:
            self._raise(name, facts, turn.error)
        return told.value

    def _raise(self, name: str, facts: Facts, error: BaseException | None) -> None:
        """Raise this rank's own error, or one that tells of the others. All ranks come here together."""
        mine = None if error is None else f"{type(error).__name__}: {error}".rstrip(": ")
        told = self._comm.allgather((mine, name, dict(facts)))
        if error is not None:
            error.add_note(f"on rank {self.rank} of {self.size}")
        else:
            error = RankError(_failed(told) if any(each[0] for each in told) else _different(told))
        vars(error)[_TOLD] = True
        raise error

    def gather(self, name: str, value: Any) -> list[Any]:
        """Return the values of all ranks, in order."""
        found: list[Any] = self.exchange(name, {}, lambda: [value], lambda first, second: first + second)
        return found

    def _leave(self) -> None:
        """Take part in exchanges until all ranks are here."""
        while os.getpid() == self._process:
            try:
                self.exchange(_END, {}, lambda: None, lambda first, second: None)
            except RankError:
                continue
            except Exception:  # MPI has been finalised
                return
            return


def is_told(error: BaseException) -> bool:
    """Return whether all ranks have raised an error with this one, or with the one that it came from."""
    seen: BaseException | None = error
    while seen is not None:
        if _TOLD in vars(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _digest(name: str, facts: Facts) -> int:
    """Return 64 bits that stand for a name and facts."""
    text = "\n".join((name, *facts, *facts.values()))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _failed(told: list[tuple[str | None, str, Facts]]) -> str:
    """Return which ranks failed, and how."""
    return "; ".join(f"rank {rank} of {len(told)}: {each[0]}" for rank, each in enumerate(told) if each[0])


def _different(told: list[tuple[str | None, str, Facts]]) -> str:
    """Return how ranks differ that do not do the same."""
    _, name, facts = told[0]
    for rank, (_, other, others) in enumerate(told):
        if other != name:
            return f"all ranks must do the same, got {name} on rank 0 and {other} on rank {rank}"
        for what, mine in facts.items():
            if others.get(what) != mine:
                got = f"{mine[:_LONG]} on rank 0 and {others.get(what, 'none')[:_LONG]} on rank {rank}"
                return f"all ranks must have the same {what} at {name}, got {got}"
    return f"all ranks must do the same at {name}"
