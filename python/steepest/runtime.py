"""The number of threads, and a description of this installation."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from . import _core
from .arrays.checks import check_count
from .arrays.device import status

__all__ = ["Info", "info", "threads"]


class threads:
    """Set how many threads the kernels use, until the next call or for a ``with`` block.

    ``st.threads(4)`` holds until the next call. ``with st.threads(1): ...`` holds until the block ends. Results do not
    depend on the number of threads. A limit set through threadpoolctl also applies.

    The setting belongs to the process. If blocks overlap in several Python threads, the block entered last decides.
    When all blocks have ended, the number is what it was before.

    Parameters
    ----------
    n : int or None
        Number of threads, from 1 to 1024. None means as many as OpenMP offers, or all cores if the compiler had no
        OpenMP.

    Raises
    ------
    TypeError
        n is neither an integer nor None.
    ValueError
        n is out of range.

    Examples
    --------
    >>> import steepest as st
    >>> before = st.info()["threads"]
    >>> with st.threads(1):
    ...     st.info()["threads"]
    1
    >>> st.info()["threads"] == before
    True
    """

    def __init__(self, n: int | None) -> None:
        self._wanted = 0 if n is None else check_count("n_threads", n, 1, _core.max_threads)
        self._blocks = 0
        with _lock:
            self._take_over()

    def __enter__(self) -> threads:
        with _lock:
            if self in _settings_alive():
                _core.set_threads(self._wanted)
            else:  # a second block of the same object
                self._take_over()
            self._blocks += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _lock:
            alive = _settings_alive()
            self._blocks = max(self._blocks - 1, 0)
            if (
                self._blocks or self not in alive
            ):  # another block of the same object is still open, or the setting has ended
                return
            place = alive.index(self)
            later = alive[place + 1 :]
            del _settings[place]
            if later:
                later[0]._before = self._before
            if not any(setting._blocks for setting in later):
                _core.set_threads(self._before)

    def _take_over(self) -> None:
        self._before = _core.threads_setting()
        _settings_alive()
        _settings.append(weakref.ref(self))
        _core.set_threads(self._wanted)


_lock = threading.RLock()
_settings: list[weakref.ref[threads]] = []  # in the order in which they were made


def _settings_alive() -> list[threads]:
    """Return the settings that still exist, and drop the others."""
    alive = [setting for reference in _settings if (setting := reference()) is not None]
    _settings[:] = [weakref.ref(setting) for setting in alive]
    return alive


@contextlib.contextmanager
def own_threads(n: int | None) -> Iterator[None]:
    """Set how many threads the kernels use for calls from this thread in the block: 0 for all, None for no change."""
    before = _core.own_threads_setting()
    if n is not None:
        _core.set_own_threads(n)
    try:
        yield
    finally:
        _core.set_own_threads(before)


class Info(dict[str, Any]):
    """The result of `info`: a dict that prints as a small table."""

    def __str__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{name:{width}}  {', '.join(v) if isinstance(v, list) else v}" for name, v in self.items())

    __repr__ = __str__


def installed_version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return version("steepest")
    except PackageNotFoundError:
        return "0+not.installed"


def info() -> Info:
    """Return the version, the ISA levels, the number of threads and the CUDA devices of this installation.

    Returns
    -------
    dict
        Printing it gives a table. Its items are:

        ``version`` : str
            The version of steepest.
        ``isa_built``, ``isa_supported`` : list of str
            The ISA levels that the kernels were compiled for, and those that this machine can run.
        ``isa`` : str
            The ISA level in use.
        ``threads`` : int
            The number of threads that the kernels use.
        ``openmp`` : bool
            Whether the kernels were built with OpenMP.
        ``cuda`` : str
            The CUDA devices, or why there are none.

    Examples
    --------
    >>> import steepest as st
    >>> info = st.info()
    >>> print(*info)
    version isa_built isa_supported isa threads openmp cuda
    >>> info["isa"] in info["isa_supported"]
    True
    """
    return Info(
        version=installed_version(),
        isa_built=_core.isa_levels(),
        isa_supported=_core.isa_levels_supported(),
        isa=_core.isa_level(),
        threads=_core.threads_in_use(),
        openmp=_core.built_with_openmp(),
        cuda=status(),
    )


def threads_from_environment() -> None:
    """Take the number of threads from STEEPEST_NUM_THREADS, if it is set."""
    text = os.environ.get("STEEPEST_NUM_THREADS")
    if not text:
        return
    if not text.strip().isdecimal() or not 1 <= int(text) <= _core.max_threads:
        raise ValueError(f"STEEPEST_NUM_THREADS must be an integer from 1 to {_core.max_threads}, got {text!r}")
    threads(int(text))
