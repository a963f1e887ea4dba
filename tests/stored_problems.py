"""What the tests of a narrow X share: its bits, random problems, and what the reference says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cases import LOSSES, Problem
from steepest import reference
from steepest.arrays.device import numpy_dtype
from storages import FORMATS, bits_of, rounded, unit_of

SIZES = [1, 7, 31, 33, 129, 1000]
SETTINGS = [{}, {"intercept": False, "weighted": True}, {"weighted": True, "alpha": 0.3, "l1_ratio": 0.4}]


def fenced(bits, storage, order="C", offset=1):
    """A read-only X of these bits, off the start of a buffer of NaN or of 85: nothing beyond it may be used."""
    beyond = FORMATS[storage].special[2] if storage in FORMATS else 0x55
    buffer = np.full(bits.size + offset + 64, beyond, bits.dtype)
    part = buffer[offset : offset + bits.size]
    copy = part.reshape(bits.shape, order=order)
    copy[...] = bits
    X = copy.view(numpy_dtype(storage))
    X.flags.writeable = False
    return X


class Numbers(NamedTuple):
    """The bits of X, what they are worth in float32, targets and weights; read-only."""

    bits: Any
    X: Any
    y: Any
    s: Any


@lru_cache(maxsize=len(SIZES))
def numbers_of(loss, n, d, storage, seed):
    """The same numbers for every level, order and setting."""
    X, y, s = Problem(loss, n, d, dtype=np.float32, weighted=True, seed=seed).data
    numbers = Numbers(bits_of(X, storage), rounded(X, storage)[1], y, s)
    for array in numbers:
        array.flags.writeable = False
    return numbers


@dataclass(frozen=True)
class Stored(Problem):
    """A problem whose X has a narrow storage; its formulas see the same numbers in float32."""

    storage: str = "float16"
    dtype: type = np.float32
    offset: int = 1

    @property
    def numbers(self):
        return numbers_of(self.loss, self.n, self.d, self.storage, self.seed)

    @property
    def data(self):
        _, X, y, s = self.numbers
        return X, y, s if self.weighted else np.ones_like(s)

    @property
    def w0(self):
        return (super().w0 / np.sqrt(self.d) / unit_of(self.storage)).astype(np.float32)  # scores are moderate

    @property
    def options(self):
        return {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}

    @property
    def objective(self):
        bits, _, y, s = self.numbers
        X = fenced(bits, self.storage, self.order, self.offset)
        return LOSSES[self.loss][0](X, y, sample_weight=s if self.weighted else None, **self.options)

    @property
    def direction(self):
        return np.cos(np.arange(self.w0.size)).astype(np.float32)


class Expected(NamedTuple):
    value: float
    gradient: Any
    product: Any


@lru_cache(maxsize=len(SIZES) * len(SETTINGS))
def expected_of(problem):
    """The reference's answers at w0, asked for with order "C": they are the same for every level and order."""
    X, y, s = problem.data
    w, v = problem.w0.astype(float), problem.direction.astype(float)
    value, gradient = problem.value_and_gradient(problem.w0)
    X = np.hstack([X.astype(float), np.ones((problem.n, int(problem.intercept)))])
    curvature = LOSSES[problem.loss].formula.curvature(X @ w, y)
    product = X.T @ (s * (X @ v) * curvature / s.sum(dtype=float))
    return Expected(value, gradient, product + problem.alpha * (1 - problem.l1_ratio) * problem.penalised * v)


@lru_cache(maxsize=len(SIZES) * len(SETTINGS))
def hessian_of(problem):
    X, y, s = problem.data
    return getattr(reference, f"{problem.loss}_hessian")(X, y, problem.w0, sample_weight=s, **problem.options)
