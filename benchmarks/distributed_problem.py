"""The rows of bench_distributed: a function of their number, so that any process can draw its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALPHA", "draw", "expected", "shared"]

Array = NDArray[Any]
ALPHA = 1e-3
_NUMBERS = 2**22  # of a part, about
_DRAWN = 2**12  # rows that have a seed of their own


def draw(start: int, stop: int, columns: int) -> Array:
    """Return some rows of X with their targets in a last column."""
    found = np.empty((stop - start, columns + 1), np.float32)
    slopes = np.random.default_rng(0).standard_normal(columns, np.float32) / np.float32(np.sqrt(columns))
    for at in range(start, stop, _DRAWN):
        block, random = found[at - start : at - start + _DRAWN], np.random.default_rng([1, at])
        block[:, :columns] = random.standard_normal((len(block), columns), np.float32)
        block[:, columns] = block[:, :columns] @ slopes + random.logistic(size=len(block)) > 0
    return found


def shared(rows: int, columns: int, rank: int, ranks: int) -> list[tuple[int, int]]:
    """Return where the parts of a rank begin and end. The cuts depend on the numbers of rows and columns alone."""
    size = 1 << (_NUMBERS // columns).bit_length() - 1
    size = size if rows >= 4 * size else min(256, rows)
    cuts = [(at, min(at + size, rows)) for at in range(0, rows, size)]
    return cuts[len(cuts) * rank // ranks : len(cuts) * (rank + 1) // ranks]


def expected(rows: int, columns: int, w: Array) -> Array:
    """Compute the gradient in float64 by NumPy, part by part."""
    total, w = np.zeros(columns + 1), w.astype(np.float64)
    for start, stop in shared(rows, columns, 0, 1):
        block = draw(start, stop, columns).astype(np.float64)
        slopes = 1 / (1 + np.exp(-(block[:, :-1] @ w[:-1] + w[-1]))) - block[:, -1]
        total[:-1] += block[:, :-1].T @ slopes
        total[-1] += slopes.sum()
    total /= rows
    total[:-1] += ALPHA * w[:-1]
    return total
