"""Memory for the arrays of parts, used again once nobody refers to an array in it."""

from __future__ import annotations

import mmap
from collections import deque
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Buffers"]

_LEAST = 1 << 20  # smaller arrays are cheap to make


class Buffers:
    """Makes arrays. Fresh memory is slow, since the system clears each page of it at the first use.

    Parameters
    ----------
    most : int
        The number of unused buffers to keep, at most.

    Examples
    --------
    >>> from steepest.streams.buffers import Buffers
    >>> buffers = Buffers(1)
    >>> first = buffers.empty((1024, 256), "float64")
    >>> address = first.ctypes.data
    >>> del first  # its memory is free for the next array
    >>> buffers.empty((1024, 256), "float64").ctypes.data == address
    True
    """

    def __init__(self, most: int) -> None:
        self._free: deque[mmap.mmap] = deque(maxlen=max(most, 0))  # the oldest leaves where there are too many

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return an array of undefined content, aligned to a page if it is large."""
        dtype = np.dtype(dtype)
        n_bytes = prod(shape) * dtype.itemsize
        if n_bytes < _LEAST or not self._free.maxlen:
            return np.empty(shape, dtype)
        found: NDArray[Any] = np.asarray(_Lease(self._taken(n_bytes), n_bytes, self._free)).view(dtype)
        return found.reshape(shape)

    def _taken(self, n_bytes: int) -> mmap.mmap:
        kept = []
        found = None
        while self._free and found is None:
            buffer = self._free.popleft()
            if n_bytes <= len(buffer) <= 2 * n_bytes:
                found = buffer
            else:
                kept.append(buffer)
        self._free.extend(kept)
        return found or mmap.mmap(-1, n_bytes)


class _Lease:
    """What the arrays in a buffer refer to. When the last of them goes, it gives the buffer back."""

    def __init__(self, buffer: mmap.mmap, n_bytes: int, free: deque[mmap.mmap]) -> None:
        self._buffer, self._free = buffer, free
        address = np.frombuffer(buffer, np.uint8).ctypes.data
        self.__array_interface__ = {"shape": (n_bytes,), "typestr": "|u1", "data": (address, False), "version": 3}

    def __del__(self) -> None:
        self._free.append(self._buffer)
