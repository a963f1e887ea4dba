"""The number of threads, and what this installation is made of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any

from . import _core
from .checks import check_count
from .device import status

__all__ = ["Info", "info", "threads"]


class threads:
    """Set how many threads the kernels use, at once or for a ``with`` block.

    ``st.threads(4)`` holds until the next call; ``with st.threads(1): ...`` until the block ends. Results do not depend
    on it. A limit set through threadpoolctl holds as well.

    Parameters
    ----------
    n : int or None
        1 to 1024; None for as many as OpenMP offers, or all cores where the compiler had no OpenMP.
    """

    def __init__(self, n: int | None) -> None:
        wanted = 0 if n is None else check_count("n_threads", n, 1, _core.max_threads)
        self._before = _core.threads_setting()
        _core.set_threads(wanted)

    def __enter__(self) -> threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _core.set_threads(self._before)


@contextlib.contextmanager
def own_threads(n: int | None) -> Iterator[None]:
    """Set how many threads the kernels use for calls of this thread in the block: 0 for all, None for no change."""
    before = _core.own_threads_setting()
    if n is not None:
        _core.set_own_threads(n)
    try:
        yield
    finally:
        _core.set_own_threads(before)


class Info(dict[str, Any]):
    """What `info` returns: a dict that prints as a small table."""

    def __str__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{name:{width}}  {', '.join(v) if isinstance(v, list) else v}" for name, v in self.items())

    __repr__ = __str__


def installed_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("steepest")
    except PackageNotFoundError:
        return "0+not.installed"


def info() -> Info:
    """Return the version, the ISA levels built, supported here and chosen, the threads, and the state of CUDA."""
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
