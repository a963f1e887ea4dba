"""Numbers for the cases: the same bits with every version of NumPy, from the raw words of a PCG64 generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steepest import _core

Array = NDArray[Any]
BFLOAT16 = np.dtype([("bfloat16", "<u2")])
# An older build has no list of its storages.
STORAGES: dict[str, str] = getattr(_core, "storages", dict.fromkeys(("float32", "float64", "float16", "bfloat16")))
OF_FLOATS = ("float32", "float64")


def bell(seed: int, *shape: int) -> NDArray[np.float64]:
    """Return numbers of mean 0 and deviation 1.2, each the sum of four 16-bit integers over 2^15: exact in float32."""
    words = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    pieces = np.asarray(words).astype("<u8").view("<u2").reshape(-1, 4).astype(np.int64)
    numbers: NDArray[np.float64] = (pieces.sum(axis=1) - 2 * 65535) / 2.0**15
    return numbers.reshape(shape)


def integers(seed: int, n: int, below: int) -> NDArray[np.int64]:
    """Return n integers from 0 to below - 1."""
    return (np.asarray(np.random.PCG64(seed).random_raw(n)) >> np.uint64(40)).astype(np.int64) % below


def offset_of(storage: str) -> float:
    """Return a mean of columns that are far from zero, which the storage holds."""
    if _is_of_integers(storage):
        return float(np.iinfo(storage).max // 2)
    return {"float32": 4096.0, "float64": 2.0**20}.get(storage, 256.0)


def _is_of_integers(storage: str) -> bool:
    return storage.startswith(("int", "uint"))


def arithmetic(storage: str) -> Any:
    """Return the dtype that X of a storage is computed with."""
    return np.float64 if storage == "float64" else np.float32


def stored(X: NDArray[np.float64], storage: str, order: Any = "C") -> Array:
    """Return X as a storage holds it, rounded to nearest, in C or F order; integers of 4 X within their range."""
    if _is_of_integers(storage):
        limits = np.iinfo(storage)
        return np.asarray(np.clip(np.rint(4 * X), limits.min, limits.max).astype(storage), order=order)
    if storage != "bfloat16":
        return np.asarray(X.astype(storage), order=order)
    bits = X.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)
    return np.asarray(rounded.astype("<u2").view(BFLOAT16), order=order)


def root(n: int) -> float:
    """Return a power of two near the square root of n, to divide by without rounding."""
    return float(2 ** (max(n, 1).bit_length() // 2))


@dataclass(frozen=True)
class Sample:
    """Rows, a real target, classes, weights and parameters of one shape, in float64."""

    n: int
    d: int

    @property
    def X(self) -> NDArray[np.float64]:
        """The rows."""
        return bell(1000 + self.d, self.n, self.d)

    def target(self) -> NDArray[np.float64]:
        """Return targets that a linear model explains in part."""
        X = self.X
        return X[:, 0] - 0.5 * X[:, -1] + 0.5 * bell(2, self.n) + 0.25

    def labels(self, k: int) -> NDArray[np.float64]:
        """Return classes 0 ... k - 1 that depend on the rows in part; the last is there from k rows on."""
        found = np.clip(np.floor(self.target() * k / 4 + k / 2), 0, k - 1)
        places = integers(3, self.n, 4) == 0
        found[places] = integers(4, self.n, k)[places]
        found[-1] = k - 1
        return found

    def weights(self) -> NDArray[np.float64]:
        """Return weights of 0 to 2.9, multiples of a tenth of a power of two."""
        return integers(5, self.n, 24) / 8.0 + (1.0 if self.n < 8 else 0.0)

    def parameters(self, size: int, seed: int = 6) -> NDArray[np.float64]:
        """Return parameters whose scores are of order 1."""
        return bell(seed, size) / root(self.d)


def named(prefix: str, items: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the items with the prefix before their names."""
    for name, item in items.items():
        yield f"{prefix}/{name}", item
