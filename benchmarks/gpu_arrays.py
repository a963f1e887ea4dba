"""Where the arrays of bench_cuda.py live (CuPy, torch or our own), how calls on them are timed, and inputs rotated."""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

import harness
import steepest as st

Array = NDArray[Any]
Made = TypeVar("Made")
ROTATED_BYTES = 256 << 20  # of all inputs together: several times the L2 cache
MOST_INPUTS = 64


class Library(Protocol):
    """A library that holds device arrays."""

    name: str

    def put(self, array: Array) -> Any:
        """Copy to the device."""

    def get(self, array: Any) -> Array:
        """Copy to the host."""

    def seconds(self, calls: Sequence[harness.Call]) -> float:
        """Make the calls one after the other; return the seconds until all their work is done."""


class CupyArrays:
    """Arrays of CuPy, timed by its events."""

    name = "cupy"

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy

    def put(self, array: Array) -> Any:
        """Copy to the device."""
        return self.cupy.asarray(array)

    def get(self, array: Any) -> Array:
        """Copy to the host."""
        result: Array = self.cupy.asnumpy(array)
        return result

    def seconds(self, calls: Sequence[harness.Call]) -> float:
        """Time the calls between two events."""
        start, stop = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        start.record()
        for call in calls:
            call()
        stop.record()
        stop.synchronize()
        return float(self.cupy.cuda.get_elapsed_time(start, stop)) / 1e3


class TorchArrays:
    """Tensors of torch, timed by its events; on the CPU, which only the tests use, by the clock."""

    name = "torch"

    def __init__(self, torch: Any, device: str = "cuda") -> None:
        self.torch, self.device = torch, device

    def put(self, array: Array) -> Any:
        """Copy to the device."""
        return self.torch.from_numpy(array.copy()).to(self.device)

    def get(self, array: Any) -> Array:
        """Copy to the host."""
        result: Array = array.detach().cpu().numpy()
        return result

    def seconds(self, calls: Sequence[harness.Call]) -> float:
        """Time the calls between two events."""
        if self.device == "cpu":
            return wall_seconds(calls)
        start, stop = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for call in calls:
            call()
        stop.record()
        stop.synchronize()
        return float(start.elapsed_time(stop)) / 1e3


class OwnArrays:
    """Arrays of steepest, timed by the clock around a wait for the stream."""

    name = "steepest"

    def put(self, array: Array) -> Any:
        """Copy to the device."""
        return st.DeviceArray.from_numpy(array)

    def get(self, array: Any) -> Array:
        """Copy to the host."""
        result: Array = array.numpy()
        return result

    def seconds(self, calls: Sequence[harness.Call]) -> float:
        """Time the calls until their stream is done, which is that of the last array too."""
        last = st.DeviceArray.zeros((1,), "float32")
        last.wait()
        return wall_seconds([*calls, last.wait])


def wall_seconds(calls: Sequence[harness.Call]) -> float:
    """Time calls by the clock."""
    start = time.perf_counter()
    for call in calls:
        call()
    return time.perf_counter() - start


def usable(name: str) -> Any:
    """Import CuPy or torch, or return None where it is not installed or sees no device."""
    module = harness.peer(name)
    if module is None:
        return None
    try:
        seen = module.cuda.is_available()
    except Exception:  # whatever a driver it does not fit makes it raise
        return None
    return module if seen else None


def library() -> Library:
    """Choose the library whose arrays are used: CuPy, else torch, else our own."""
    if cupy := usable("cupy"):
        return CupyArrays(cupy)
    if torch := usable("torch"):
        return TorchArrays(torch)
    return OwnArrays()


def as_tensor(torch: Any, array: Any) -> Any:
    """Look at a device array as a tensor, without a copy."""
    return array if isinstance(array, torch.Tensor) else torch.from_dlpack(array)


def to_host(arrays: Library, array: Any) -> Array:
    """Copy a device array to the host; an array of our own comes where the library has none to offer."""
    result: Array = array.numpy() if isinstance(array, st.DeviceArray) else arrays.get(array)
    return result


def rotated(make: Callable[[], Made], n_bytes: int, quick: bool) -> list[Made]:
    """Make as many inputs of `n_bytes` as exceed the L2 cache together, at most MOST_INPUTS; one with `quick`."""
    return [make() for _ in range(1 if quick else min(math.ceil(ROTATED_BYTES / n_bytes), MOST_INPUTS))]


def timer(arrays: Library, calls: Sequence[harness.Call], options: argparse.Namespace) -> harness.Timer:
    """Make a function that measures seconds a call, over some 20 ms of calls that go round the inputs."""
    turn, loops = itertools.cycle(calls), 0

    def some(n: int) -> float:
        return arrays.seconds(list(itertools.islice(turn, n)))

    def sample() -> float:
        nonlocal loops
        some(len(calls))  # whatever is made at a first call; and the clocks of a GPU rise
        if not loops:
            enough, loops = 0.0005 if options.quick else 0.02, 1
            while (elapsed := some(loops)) < enough / 2:
                loops *= min(10, math.ceil(enough / max(elapsed, 1e-9)))
        return some(loops) / loops

    return sample
