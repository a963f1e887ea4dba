"""The storages of X, as the native module lists them, and what tests must know of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steepest import _core
from steepest.arrays.device import BFLOAT16, numpy_dtype

STORAGES = tuple(_core.storages)
NARROW = tuple(name for name, arithmetic in _core.storages.items() if name != arithmetic)


class Format(NamedTuple):
    """The largest number of a float dtype, about, and the bits of infinities, a quiet and a signalling NaN."""

    largest: float
    special: tuple[int, ...] = ()


FORMATS = {  # of integers NumPy knows all
    "float32": Format(3e38),
    "float64": Format(1.7e308),
    "float16": Format(65504.0, (0x7C00, 0xFC00, 0x7E00, 0x7C01)),
    "bfloat16": Format(3e38, (0x7F80, 0xFF80, 0x7FC0, 0xFF81)),
}
FLOATS = tuple(name for name in STORAGES if name in FORMATS)
LARGEST = {name: FORMATS[name].largest if name in FORMATS else float(np.iinfo(name).max) for name in STORAGES}
TOLERANCE = {name: 1e-13 if _core.storages[name] == "float64" else 2e-6 for name in STORAGES}


def arithmetic(storage):
    """The dtype that X of a storage is computed with."""
    return np.dtype(_core.storages[storage]).type


def bits_dtype(storage):
    """The unsigned integers that have the bits of a storage."""
    return np.dtype(f"u{numpy_dtype(storage).itemsize}")


def values_of(bits, storage):
    """What numbers of these bits are worth, in the dtype of their arithmetic."""
    if storage == "bfloat16":
        return (bits.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return bits.view(numpy_dtype(storage)).astype(arithmetic(storage))


def unit_of(storage):
    """What `rounded` multiplies with, so that integers tell small numbers apart."""
    return 1.0 if storage in FORMATS else 16.0


def rounded(array, storage):
    """The array, in units, as `storage` holds it, and its values in the dtype of its arithmetic."""
    if storage == "bfloat16":
        bits = (np.asarray(array, np.float32).view(np.uint32) + 0x8000) >> 16
        stored = bits.astype(np.uint16).view(BFLOAT16)
    elif storage in FORMATS:
        stored = np.asarray(array, storage)
    else:
        limits = np.iinfo(storage)
        stored = np.clip(np.rint(unit_of(storage) * np.asarray(array, float)), limits.min, limits.max).astype(storage)
    return stored, values_of(stored, storage)


def bits_of(array, storage):
    """The bits of the array as `storage` holds it."""
    return rounded(array, storage)[0].view(bits_dtype(storage))
