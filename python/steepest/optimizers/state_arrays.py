"""Memory of an optimizer's state: large arrays begin at different places of a page."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["copied", "zeros"]

_PAGE_BYTES = 4096
_APART = 1024 + 64  # bytes between the places of two arrays: lines of a cache, and no part of a page
_LARGE = 1 << 17  # bytes from which on memory comes in whole pages


def zeros(shape: tuple[int, ...], dtype: Any, place: int) -> NDArray[Any]:
    """Make an array of zeros for state number ``place``.

    The system gives large arrays whole pages, so each begins at the same place of a page. A step reads and writes the
    same elements of w, of the gradient and of the state. Some processors compare addresses by their place in a page
    first. They may take a load from one array for a load of what they have just stored to another, and wait.
    """
    plain = np.dtype(dtype)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * plain.itemsize
    if n_bytes < _LARGE:
        return np.zeros(shape, plain)
    room = np.zeros(n_bytes + 2 * _PAGE_BYTES, np.uint8)
    first = -room.ctypes.data % _PAGE_BYTES + (place + 1) * _APART % _PAGE_BYTES
    found: NDArray[Any] = room[first : first + n_bytes].view(plain).reshape(shape)
    return found


def copied(array: NDArray[Any], place: int) -> NDArray[Any]:
    """Copy an array to memory for state number ``place``."""
    found = zeros(array.shape, array.dtype, place)
    found[...] = array
    return found
