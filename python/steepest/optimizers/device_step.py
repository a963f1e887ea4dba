"""An optimizer's rule and its state on a device."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.device import DeviceArray, backend, dtype_name
from ..arrays.interop import DeviceView

__all__ = ["DeviceState"]


class DeviceState:
    """The rule of the CUDA module and the state that it changes, in the memory of w's device.

    Parameters
    ----------
    rule : name and hyperparameters
    w : DeviceView
        The parameters, of whose shape and dtype the state is.
    arrays : NumPy arrays, or a number
        The state to go on from, or how many arrays of zeros to start with.
    """

    def __init__(
        self, rule: str, hyperparameters: dict[str, float], w: DeviceView, arrays: tuple[NDArray[Any], ...] | int
    ) -> None:
        self.rule = backend().Rule(rule, **hyperparameters)
        if isinstance(arrays, int):
            self.arrays = tuple(DeviceArray.zeros(w.shape, w.dtype, w.device, w.stream) for _ in range(arrays))
        else:
            self.arrays = tuple(DeviceArray.from_numpy(array, w.device) for array in arrays)

    @property
    def pointers(self) -> tuple[int, ...]:
        """Where its arrays are."""
        return tuple(array.pointer for array in self.arrays)

    def numpy(self) -> tuple[NDArray[Any], ...]:
        """Return copies of its arrays."""
        return tuple(array.numpy() for array in self.arrays)

    def go_on_with(self, w: DeviceView) -> None:
        """Check that w is as in the steps before, and take its stream, after what is still done on another one."""
        for array in self.arrays:
            came, expected = (w.device, w.shape, w.dtype), (array.device, array.shape, dtype_name(array.dtype))
            if came != expected:
                before = f"{expected[2]} of shape {expected[1]} on CUDA device {expected[0]}"
                raise ValueError(f"w must be {before} as in the steps before, got {describe(w)}")
            if array.stream != w.stream:
                array.wait()
                array.stream = w.stream

    def prepare(self, rate: float, t: int, w: DeviceView, gradient: DeviceView) -> tuple[Any, ...]:
        """Return the arguments of the rule's step number t of w, on its stream; the arrays were checked."""
        if gradient.stream != w.stream:
            gradient.wait()
        return w.dtype, w.pointer, gradient.pointer, self.pointers, w.size, rate, t, w.device, w.stream

    def finish(self, w: DeviceView, gradient: DeviceView) -> None:
        """Let the gradient be written again after the step, which may still be under way."""
        if gradient.stream != w.stream:  # there it may be written again as soon as this returns
            w.wait()
