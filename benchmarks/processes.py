"""Contenders in processes of their own: while one of them runs, the system has stopped all others.

A library's worker threads spin for a while after a call, its allocator keeps what it freed, and its settings of OpenMP
or of the processor's rounding stay. In a process of its own a contender gets none of this from another.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import harness

_ENDS_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
_PATIENCE = 5.0  # seconds for a process that has ended to be seen as such
_CAN_STOP = hasattr(signal, "SIGSTOP") and hasattr(os, "waitid")


class Failed(Exception):
    """A contender raised an error, took too long, or its process died; the message says which."""


class Here:
    """An object in this process, asked as one in its own process is."""

    lingers = True  # threads of it may still spin after a call

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        self._made = make(*arguments)

    def ask(self, method: str, *arguments: Any, limit: float | None = None) -> Any:
        """Call a method of the object. A call in this process cannot be cut short, so `limit` does nothing."""
        return getattr(self._made, method)(*arguments)

    def close(self) -> None:
        """Let the object go."""
        self._made = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Apart(Here):
    """An object in a process of its own, which runs only while the object is asked.

    Parameters
    ----------
    make : callable
        A function or class of a module, which the new process imports.
    *arguments
        What `make` is called with; they are pickled.

    Raises
    ------
    Failed
        `make` raised an error, or the process died.
    harness.WrongAnswer
        `make` raised it.
    """

    lingers = not _CAN_STOP

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getpid(), make, arguments), daemon=True)
        self._process.start()
        theirs.close()
        atexit.register(self.close)  # a stopped process would outlive this one
        try:
            self._answer(None)
        except BaseException:
            self.close()
            raise
        self._pause()

    def ask(self, method: str, *arguments: Any, limit: float | None = None) -> Any:
        """Let the process go on, call a method of its object, and stop the process again.

        Raises
        ------
        Failed
            The method raised an error, took longer than `limit` seconds, or the process died. After the last two the
            process is gone.
        harness.WrongAnswer
            The method raised it.
        """
        if not self._process.is_alive():
            raise Failed(self._death())
        self._signal("SIGCONT")
        with contextlib.suppress(BrokenPipeError):  # `_answer` says why
            self._pipe.send((method, arguments))
        answer = self._answer(limit)
        self._pause()
        return answer

    def close(self) -> None:
        """End the process."""
        atexit.unregister(self.close)
        self._process.kill()
        self._process.join(_PATIENCE)
        self._pipe.close()

    def _answer(self, limit: float | None) -> Any:
        try:
            if not self._pipe.poll(limit):
                self.close()
                raise Failed(f"over {limit:.3g} s")
            wrong, failure, answer = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise Failed(self._death()) from None
        if failure:
            self._pause()
            raise harness.WrongAnswer(failure) if wrong else Failed(failure)
        return answer

    def _death(self) -> str:
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"its process died: {signal.Signals(-code).name}"
        return f"its process ended with code {code}"

    def _pause(self) -> None:
        """Stop the process with all its threads, and wait until it has stopped."""
        if _CAN_STOP and self._process.is_alive() and self._process.pid:
            self._signal("SIGSTOP")
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _signal(self, name: str) -> None:
        if _CAN_STOP and self._process.pid:
            os.kill(self._process.pid, getattr(signal, name))


def start(make: Callable[..., Any], *arguments: Any, together: bool) -> Here:
    """Make an object in a process of its own, or in this one where contenders are to be together."""
    return Here(make, *arguments) if together else Apart(make, *arguments)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add `--together` to the options of a benchmark."""
    words = "time all contenders in this process, where the threads of one can disturb another (to find errors)"
    parser.add_argument("--together", action="store_true", help=words)


def _serve(pipe: Connection, parent: int, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Make the object, then answer every message with (is a wrong answer, what went wrong, result)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    _end_with(parent)
    made = _tried(pipe, lambda: make(*arguments), lambda _: None)
    while made is not None:
        try:
            method, given = pipe.recv()
        except EOFError:
            return
        _tried(pipe, lambda: getattr(made, method)(*given), lambda answer: answer)  # noqa: B023


def _tried(pipe: Connection, call: Callable[[], Any], shown: Callable[[Any], Any]) -> Any:
    try:
        found = call()
        pipe.send((False, "", shown(found)))
    except harness.WrongAnswer as error:
        pipe.send((True, str(error), None))
    except Exception as error:
        pipe.send((False, f"{type(error).__name__}: {error}".partition("\n")[0], None))
    else:
        return found
    return None


def _end_with(parent: int) -> None:
    """Ask the system to end this process when its parent ends, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ENDS_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
