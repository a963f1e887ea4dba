"""Products of NumPy on one thread: the number of BLAS's threads may change their last bits."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

from ..extras import require

__all__ = ["on_one_thread"]


def on_one_thread() -> AbstractContextManager[Any]:
    """Return the context in which a product of NumPy takes one thread; several threads may each take products."""
    found: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return found


@functools.cache
def _controller() -> Any:
    """Return what looked for the libraries of BLAS. A look takes milliseconds, and NumPy has its library by now."""
    return require("threadpoolctl", "sklearn").ThreadpoolController()
