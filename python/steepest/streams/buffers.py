"""Memory for the arrays of parts, used again once nobody refers to an array in it."""

from __future__ import annotations

import mmap
from collections import deque
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Buffers"]

_LEAST = 1 << 20  # smaller arrays are cheap to make
_MOST = 4  # unused buffers of a size that are kept


class Buffers:
    """Makes arrays. Fresh memory is slow, since the system clears each page of it at the first use.

    Examples
    --------
    >>> from steepest.streams.buffers import Buffers
    >>> buffers = Buffers()
    >>> first = buffers.empty((1024, 256), "float64")
    >>> address = first.ctypes.data
    >>> del first  # its memory is free for the next array
    >>> buffers.empty((1024, 256), "float64").ctypes.data == address
    True
    """

    @classmethod
    def of(cls, source: Any) -> Buffers:
        """Return the buffers of a source, which all passes over it share."""
        found: Buffers = vars(source).setdefault("_buffers", cls())
        return found

    def __init__(self) -> None:
        self._free: dict[int, deque[mmap.mmap]] = {}

    def empty(self, shape: tuple[int, ...], dtype: Any, most: int | None = None) -> NDArray[Any]:
        """Return an array of undefined content, aligned to a page if it is large.

        `most` is the largest number of elements of such arrays. They share buffers of that size.
        """
        dtype = np.dtype(dtype)
        n_bytes = prod(shape) * dtype.itemsize
        size = n_bytes if most is None else most * dtype.itemsize
        if size < _LEAST:
            return np.empty(shape, dtype)
        free = self._free.setdefault(size, deque(maxlen=_MOST))
        try:
            buffer = free.popleft()
        except IndexError:
            buffer = _fresh(size)
        found: NDArray[Any] = np.asarray(_Lease(buffer, n_bytes, free)).view(dtype)
        return found.reshape(shape)


def _fresh(n_bytes: int) -> mmap.mmap:
    """Return fresh memory, in large pages where the system has them: it then clears fewer of them, and faster.

    Only private memory gets large pages everywhere.
    """
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    found = mmap.mmap(-1, n_bytes, **private)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # of a system without large pages
            found.madvise(mmap.MADV_HUGEPAGE)
    return found


class _Lease:
    """What the arrays in a buffer refer to. When the last of them goes, it gives the buffer back."""

    def __init__(self, buffer: mmap.mmap, n_bytes: int, free: deque[mmap.mmap]) -> None:
        self._buffer, self._free = buffer, free
        address = np.frombuffer(buffer, np.uint8).ctypes.data
        self.__array_interface__ = {"shape": (n_bytes,), "typestr": "|u1", "data": (address, False), "version": 3}

    def __del__(self) -> None:
        self._free.append(self._buffer)
