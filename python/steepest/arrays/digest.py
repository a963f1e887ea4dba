"""Digests of the contents of arrays: equal ones tell that a run goes on with the data that it began with."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categorical import Categorical
from .sparse import CSRView
from .table import Table

__all__ = ["digest_of"]

_BLOCK = 1 << 23  # bytes that are hashed at a time
_SIZE = 32  # hexadecimal digits
_MOST_THREADS = 8


def digest_of(X: Any) -> str:
    """Return a digest of an array, a CSR matrix or a table: its dtype, its shape, its order and its contents.

    SHA-256 of blocks of 8 MiB, in threads. It reads 1 to 2 GB a second on each core.
    """
    whole = hashlib.sha256()
    for part in _parts_of(X):
        whole.update((part if isinstance(part, str) else _of_array(part)).encode())
        whole.update(b"\n")
    return whole.hexdigest()[:_SIZE]


def _parts_of(X: Any) -> list[Any]:
    """Return the arrays and the texts that something consists of."""
    if isinstance(X, CSRView):
        return [f"rows {X.shape}", X.data, X.indices, X.indptr]
    if isinstance(X, Table):
        return [f"table {X.shape} {X.dtype}", *(digest_of(group) for group in X.groups)]
    if isinstance(X, Categorical):
        return [f"codes {X.n_columns} {X.first}", X.codes]
    if isinstance(X, np.ndarray):
        return [X]
    return [f"rows {X.shape}", np.asarray(X.data), np.asarray(X.indices), np.asarray(X.indptr)]  # a CSR of a table


def _of_array(array: NDArray[Any]) -> str:
    """Return the hexadecimal digest of an array in host memory. It is copied if it is not contiguous."""
    order = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else ""
    flat = (array if order else np.ascontiguousarray(array)).reshape(-1, order="A").view(np.uint8)
    blocks = [flat[first : first + _BLOCK] for first in range(0, flat.size, _BLOCK)]
    whole = hashlib.sha256(f"{array.dtype.str} {array.dtype.descr} {array.shape} {order or 'C'}".encode())
    if len(blocks) < 2:
        found = [_of_block(block) for block in blocks]
    else:
        with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
            found = list(pool.map(_of_block, blocks))
    for each in found:
        whole.update(each)
    return whole.hexdigest()


def _of_block(block: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(block.data).digest()
