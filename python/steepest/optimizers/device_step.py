"""The update rule of an optimizer, with its state, on a device."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.device import DeviceArray, backend, dtype_name
from ..arrays.device_streams import is_elsewhere
from ..arrays.interop import DeviceView

__all__ = ["DeviceState"]

# Libraries that use freed memory again in the order of the stream that the step runs on, or wait for the device first.
_FREED_IN_ORDER = frozenset(("steepest", "torch", "cupy", "numba"))


class DeviceState:
    """An update rule of the CUDA module, with its state in the memory of w's device.

    Parameters
    ----------
    rule : str
        Name of the rule.
    hyperparameters : dict of str to float
        Hyperparameters of the rule.
    w : DeviceView
        The parameters. The state has their shape and dtype.
    arrays : tuple of NumPy arrays, or int
        The state to continue from, or the number of arrays of zeros to start with.
    """

    def __init__(
        self, rule: str, hyperparameters: dict[str, float], w: DeviceView, arrays: tuple[NDArray[Any], ...] | int
    ) -> None:
        self.rule = backend().Rule(rule, **hyperparameters)
        self._kept: list[Any] = []  # views that steps may still be reading
        if isinstance(arrays, int):
            self.arrays = tuple(DeviceArray.zeros(w.shape, w.dtype, w.device, w.stream) for _ in range(arrays))
        else:
            self.arrays = tuple(DeviceArray.from_numpy(array, w.device) for array in arrays)

    @property
    def pointers(self) -> tuple[int, ...]:
        """The addresses of the arrays of the state."""
        return tuple(array.pointer for array in self.arrays)

    def numpy(self) -> tuple[NDArray[Any], ...]:
        """Return copies of the arrays of the state."""
        return tuple(array.numpy() for array in self.arrays)

    def forget(self) -> None:
        """Set the arrays of the state to 0."""
        for array in self.arrays:
            if is_elsewhere(array.stream):
                array.wait()
            backend().fill_zero(array.pointer, array.nbytes, array.device, array.stream)

    def go_on_with(self, w: DeviceView) -> None:
        """Check that w is like the w of the steps before, and move the state to w's stream.

        If the state was used on another stream, its work there is waited for.
        """
        for array in self.arrays:
            came, expected = (w.device, w.shape, w.dtype), (array.device, array.shape, dtype_name(array.dtype))
            if came != expected:
                before = f"{expected[2]} of shape {expected[1]} on CUDA device {expected[0]}"
                raise ValueError(f"w must be {before} as in the steps before, got {describe(w)}")
            if array.stream != w.stream:
                array.wait()
                array.stream = w.stream

    def prepare(self, rate: float, t: int, w: DeviceView, gradient: DeviceView) -> tuple[Any, ...]:
        """Return the arguments of step number t of the rule, on the stream of w. The arrays have been checked."""
        if gradient.stream != w.stream:
            gradient.wait()
        return w.dtype, w.pointer, gradient.pointer, self.pointers, w.size, rate, t, w.device, w.stream

    @staticmethod
    def check_stream(w: DeviceView, gradient: DeviceView) -> None:
        """Raise a RuntimeError during the capture of a CUDA graph: a replay would repeat t and the learning rate."""
        for stream in {w.stream, gradient.stream}:
            backend().refuse_capture("optimizer.step", w.device, stream)

    def finish(self, w: DeviceView, gradient: DeviceView) -> None:
        """Make it safe to write to the gradient again, and to hand its memory on. The step may still be reading it.

        A library whose streams are not ordered with the step's, such as JAX, uses memory again once no view is left.
        Views of its arrays are kept until the step is done; the next step looks, and so does the end of this object.
        """
        if gradient.stream != w.stream:  # its own stream may write to it as soon as this returns
            w.wait()
            return
        foreign = tuple(view for view in (w, gradient) if view.library not in _FREED_IN_ORDER)
        if foreign:
            self._kept = [kept for kept in self._kept if not kept.done]
            self._kept.append(backend().Kept(foreign, w.device, w.stream))
