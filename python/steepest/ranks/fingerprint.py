"""Numbers that stand for a question and its arrays, by which ranks see whether they ask the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["facts_of", "mark_of"]

_OWN = "key"  # a field by which a process keeps what a question needs; each process has its own
_BLOCK = 1 << 14
_REMEMBERED = 8  # named tuples whose facts are kept: every pass asks with the same one
_named: dict[int, tuple[Any, Any]] = {}
_factors = np.empty(0, np.uint64)


def facts_of(thing: Any) -> Any:
    """Return what is equal for equal questions in all processes, and has a repr."""
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.shape, mark_of(thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        names = [each.name for each in dataclasses.fields(thing) if each.name != _OWN]
        return type(thing).__name__, *(facts_of(getattr(thing, name)) for name in names)
    if isinstance(thing, frozenset):
        return sorted(thing)
    if isinstance(thing, Mapping):
        return sorted((name, facts_of(each)) for name, each in thing.items())
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        if id(thing) not in _named:
            if len(_named) == _REMEMBERED:
                del _named[next(iter(_named))]
            _named[id(thing)] = thing, [facts_of(each) for each in thing]
        return _named[id(thing)][1]
    if isinstance(thing, tuple | list):
        return [facts_of(each) for each in thing]
    return thing


def mark_of(array: NDArray[Any]) -> int:
    """Return a number that tells the bits of an array: each word times an odd number of its place, added up."""
    array = np.ascontiguousarray(array).reshape(-1)
    if array.dtype.hasobject or array.dtype.itemsize not in (1, 2, 4, 8):
        array = np.frombuffer(repr(array.tolist()).encode(), np.uint8)
    words = array.view(f"u{array.dtype.itemsize}")
    total = 0
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        factors = _odd(len(block))
        total = total * 31 + int(np.dot(block.astype(np.uint64, copy=False), factors))
        if array.dtype.itemsize == 8:  # an odd number times the highest bit, the sign, is that bit
            total = total * 31 + int(np.dot(block >> np.uint64(32), factors))
    return total % 2**64


def _odd(n: int) -> NDArray[np.uint64]:
    global _factors
    if len(_factors) < n:
        _factors = np.arange(1, 2 * n, 2, dtype=np.uint64)
    return _factors[:n]
