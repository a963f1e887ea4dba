"""Where the arrays of gpu_first.py live: tensors of torch on a GPU, or our own arrays over the emulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from steepest.arrays.device import BFLOAT16

Array = NDArray[Any]
BLOCK_ELEMENTS = 1 << 26  # of X that the reference widens to float64 at once


class Library(Protocol):
    """A library that draws arrays, computes with them in float64, and lends them to steepest."""

    name: str
    xp: Any  # the functions exp, log1p, abs, sqrt, concatenate and arange

    def normal(self, shape: tuple[int, ...], storage: str, seed: int) -> Any:
        """Draw standard normal numbers."""

    def cast(self, array: Any, storage: str) -> Any:
        """Copy an array to another type."""

    def zeros(self, n: int) -> Any:
        """Make float64 zeros."""

    def put(self, array: Array) -> Any:
        """Copy an array of NumPy."""

    def lend(self, array: Any) -> Any:
        """Pass an array of this library, in C or F order, to steepest, on the device."""

    def host(self, array: Any) -> Array:
        """Copy an array of this library, or what steepest returned for one, to the host."""

    def seconds(self, call: harness.Call, loops: int) -> float:
        """Make the calls one after the other; return the seconds of one, when all their work is done."""


class Tensors:
    """Tensors of torch, timed by its events; on the CPU, which only the tests use, by the clock."""

    name = "torch"

    def __init__(self, torch: Any, device: str = "cuda") -> None:
        self.xp = self.torch = torch
        self.device = device

    def normal(self, shape: tuple[int, ...], storage: str, seed: int) -> Any:
        """Draw standard normal numbers on the device."""
        torch = self.torch
        generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(shape, generator=generator, device=self.device, dtype=getattr(torch, storage))

    def cast(self, array: Any, storage: str) -> Any:
        """Copy an array to another type."""
        return array.to(getattr(self.torch, storage))

    def zeros(self, n: int) -> Any:
        """Make float64 zeros."""
        return self.torch.zeros(n, dtype=self.torch.float64, device=self.device)

    def put(self, array: Array) -> Any:
        """Copy an array of NumPy."""
        return self.torch.from_numpy(array.copy()).to(self.device)

    def lend(self, array: Any) -> Any:
        """Pass a tensor as it is."""
        return array

    def host(self, array: Any) -> Array:
        """Copy a tensor to the host."""
        result: Array = array.detach().to("cpu", self.torch.float64).numpy()
        return result

    def seconds(self, call: harness.Call, loops: int) -> float:
        """Time calls between two events."""
        if self.device == "cpu":
            return clocked(call, loops)
        start, stop = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(loops):
            call()
        stop.record()
        stop.synchronize()
        return float(start.elapsed_time(stop)) / 1e3 / loops


class OwnArrays:
    """Arrays of NumPy and their copies on the emulated device, where a rehearsal runs; the clock measures nothing."""

    name = "steepest"
    xp: Any = np

    def normal(self, shape: tuple[int, ...], storage: str, seed: int) -> Any:
        """Draw standard normal numbers."""
        return self.cast(np.random.default_rng(seed).standard_normal(shape), storage)

    def cast(self, array: Any, storage: str) -> Any:
        """Copy an array to another type; to bfloat16 and back by the bits, as NumPy has no such numbers."""
        if array.dtype == BFLOAT16:
            array = (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        if storage == "bfloat16":
            bits = array.astype(np.float32, order="A").view(np.uint32) >> 16
            return bits.astype(np.uint16).view(BFLOAT16)
        return array.astype(storage)

    def zeros(self, n: int) -> Any:
        """Make float64 zeros."""
        return np.zeros(n)

    def put(self, array: Array) -> Any:
        """Copy an array of NumPy."""
        return array.copy()

    def lend(self, array: Any) -> Any:
        """Copy an array to the device, in its order."""
        return st.DeviceArray.from_numpy(array) if array.flags.c_contiguous else Turned(array)

    def host(self, array: Any) -> Array:
        """Copy an array to the host."""
        result: Array = (array.numpy() if isinstance(array, st.DeviceArray) else array).astype(np.float64)
        return result

    def seconds(self, call: harness.Call, loops: int) -> float:
        """Time calls by the clock."""
        return clocked(call, loops)


class Turned:
    """An array in F order on the device."""

    def __init__(self, array: Array) -> None:
        self.there = st.DeviceArray.from_numpy(array.T)
        strides = (array.itemsize, array.itemsize * array.shape[0])
        self.__cuda_array_interface__ = {
            **self.there.__cuda_array_interface__,
            "shape": array.shape,
            "strides": strides,
        }


def clocked(call: harness.Call, loops: int) -> float:
    """Time calls by the clock."""
    start = time.perf_counter()
    for _ in range(loops):
        call()
    return (time.perf_counter() - start) / loops


def timer(arrays: Library, call: harness.Call, enough: float) -> harness.Timer:
    """Make a function that measures the seconds of a call, over as many calls as take some `enough` seconds."""
    loops = 0

    def sample() -> float:
        nonlocal loops
        if not loops:
            call()  # what is made at a first call
            loops = max(1, min(100_000, int(enough / max(arrays.seconds(call, 1), 1e-9))))
        return arrays.seconds(call, loops)

    return sample


def blocks(X: Any) -> Iterator[slice]:
    """Cut the rows into blocks that fit in float64."""
    n, d = X.shape
    rows = max(1, BLOCK_ELEMENTS // d)
    yield from (slice(first, min(first + rows, n)) for first in range(0, n, rows))


def logistic(arrays: Library, X: Any, y: Any, w: Array) -> tuple[float, Array]:
    """Value and gradient of the mean logistic loss in float64, the intercept last, made where X is."""
    xp, n = arrays.xp, X.shape[0]
    coef, bias = arrays.cast(arrays.put(w[:-1]), "float64"), float(w[-1])
    value, slopes, gradient = 0.0, 0.0, arrays.zeros(len(w) - 1)
    for rows in blocks(X):
        block, targets = arrays.cast(X[rows], "float64"), arrays.cast(y[rows], "float64")
        z = block @ coef + bias
        value += float((xp.log1p(xp.exp(-abs(z))) + (z + abs(z)) / 2 - targets * z).sum())
        slope = 1 / (1 + xp.exp(-z)) - targets
        slopes += float(slope.sum())
        gradient += block.T @ slope
    return value / n, np.append(arrays.host(gradient), slopes) / n


def adam(arrays: Library, X: Any, y: Any, orders: Sequence[Array], batch: int, rate: float) -> Array:
    """Run epochs of Adam over the rows in the given orders in float64, by the formulas of the reference."""
    w, t = np.zeros(X.shape[1] + 1), 0
    state: dict[str, Array] = {}
    for order in orders:
        for first in range(0, len(order), batch):
            t += 1
            rows = arrays.put(order[first : first + batch].astype(np.int64))
            w, state = st.reference.adam(w, logistic(arrays, X[rows], y[rows], w)[1], state, t, rate)
    return w


def usable(name: str, seen: Callable[[Any], bool] = lambda module: bool(module.cuda.is_available())) -> Any:
    """Import a library, or return None where it cannot be imported or sees no device."""
    try:
        module = harness.peer(name)
        return module if module is not None and seen(module) else None
    except Exception:  # whatever a package or a driver that does not fit makes it raise
        return None
