"""The runners of update rules: native for losses of data, on the host or a device, and in Python for any function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.device import DeviceArray, backend
from ..arrays.interop import DeviceView, as_native
from ..arrays.norm import norm_of
from ..constraints.projections import Projection
from ..objectives.device_objective import DeviceObjective
from ..objectives.protocol import Objective
from .device_step import DeviceState
from .runner import Evaluation, Runner, StepPlan, Steps

DESCENTS = {
    _core.Objective32: _core.Descent32,
    _core.Objective64: _core.Descent64,
}
WHOLE_DATA = StepPlan()


class Stepper(Protocol):
    """The members of an optimizer that runners need."""

    n_steps: int
    rule: Any

    def step_at(self, rate: float, w: Any, gradient: Any) -> None: ...

    def state_for(self, w: NDArray[Any]) -> tuple[NDArray[Any], ...]: ...

    def adopt(self, state: tuple[NDArray[Any], ...]) -> None: ...

    def on_device(self, w: DeviceView) -> DeviceState: ...


def _named(state: tuple[NDArray[Any], ...]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an optimizer's state by names for a file."""
    return {f"state{number}": array for number, array in enumerate(state)}


class NativeRunner(Runner):
    """A runner whose steps the native loop takes, for an objective of `_core`."""

    divisible = True

    def __init__(self, native: Any, optimizer: Stepper, w: NDArray[Any], plan: StepPlan = WHOLE_DATA) -> None:
        state = optimizer.state_for(w)
        optimizer.adopt(state)
        projection = None if plan.projection is None else plan.projection.native
        self.parameters, self._arrays = w, {"w": w, **_named(state)}
        self._descent = DESCENTS[type(native)](
            native, optimizer.rule, w, state, optimizer.n_steps, plan.batch_size, plan.shuffle, plan.seed, projection
        )

    @property
    def n_steps(self) -> int:
        return self._descent.n_steps

    def evaluate(self) -> Evaluation:
        return Evaluation(*self._descent.evaluate())

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        return Steps(*self._descent.run(learning_rates, seconds, path))

    def fetch(self) -> None:
        """Bring the parameters up to date that steps from sparse rows have left out."""
        self._descent.settle()

    def restore(self) -> None:
        self._descent.restore()

    def state(self) -> dict[str, Any]:
        return {**self._arrays, **self._descent.state()}

    def resume(self, state: dict[str, Any]) -> None:
        for name, array in self._arrays.items():
            array[:] = state[name]
        self._descent.resume(state)


class PythonRunner(Runner):
    """A runner of full-batch descent in Python, for any objective. An epoch is one step."""

    def __init__(
        self, objective: Objective, optimizer: Stepper, w: NDArray[Any], projection: Projection | None = None
    ) -> None:
        self._objective, self._optimizer, self._w, self._projection = objective, optimizer, w, projection
        self.parameters = w
        self._finite_w = w.copy()
        self._gradient: NDArray[Any] | None = None
        self._finite = True

    @property
    def n_steps(self) -> int:
        return self._optimizer.n_steps

    def evaluate(self) -> Evaluation:
        value, gradient = self._objective.value_and_gradient(self._w.copy())
        self._gradient = np.array(gradient, dtype=self._w.dtype)
        self._finite = math.isfinite(value)
        if self._finite:
            self._finite_w[:] = self._w
        with np.errstate(over="ignore", invalid="ignore"):
            if self._projection is not None:
                return Evaluation(value, self._projection.gradient_norm(self._w, self._gradient))
            return Evaluation(value, norm_of(self._gradient))

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        if self._gradient is None:
            self.evaluate()
        assert self._gradient is not None
        if not self._finite:
            self.restore()
            return Steps(0, False, True)
        gradient, self._gradient, before = self._gradient, None, self.n_steps
        try:
            self._optimizer.step_at(float(learning_rates[0]), self._w, gradient)
        finally:
            if self.n_steps > before:  # the step was taken, even if Ctrl-C interrupted it
                if self._projection is not None:
                    self._w[:] = self._projection.project(self._w)
                if path is not None:
                    path[0] = self._w
        return Steps(1, True, False)

    def restore(self) -> None:
        self._w[:] = self._finite_w
        self._gradient = None

    def state(self) -> dict[str, Any]:
        evaluated = {} if self._gradient is None else {"gradient": self._gradient, "finite": self._finite}
        arrays = _named(self._optimizer.state_for(self._w))
        return {"w": self._w, "finite_w": self._finite_w, "n_steps": self.n_steps, **arrays, **evaluated}

    def resume(self, state: dict[str, Any]) -> None:
        self._w[:], self._finite_w[:] = state["w"], state["finite_w"]
        self._gradient, self._finite = state.get("gradient"), state.get("finite", True)
        self._optimizer.adopt(tuple(state[name] for name in _named(self._optimizer.state_for(self._w))))
        self._optimizer.n_steps = state["n_steps"]


class DeviceRunner(Runner):
    """A runner on a device. The run's w is a copy on the host; `fetch` and every evaluation update it.

    If each step takes all rows and their learning rates are foreseen, the device takes many steps without a return to
    Python. `fetch` undoes those that the run did not ask for; `parameters` and the state are up to date after it.
    """

    def __init__(
        self, objective: DeviceObjective, optimizer: Stepper, w: NDArray[Any], batch_size: int, seed: int | None
    ) -> None:
        self._w, self._objective, self._seed = w, objective, seed
        self.parameters = DeviceArray.from_numpy(w, objective.device)
        self.parameters.stream = objective.stream
        self._state = optimizer.on_device(as_native("w", self.parameters))
        self._descent = backend().Descent(
            objective.native,
            self._state.rule,
            self.parameters.pointer,
            self._state.pointers,
            optimizer.n_steps,
            batch_size,
        )
        self._epoch, self._in_epoch, self._whole = 0, False, batch_size == 0
        self._rates: Callable[[int, int], NDArray[np.float64]] | None = None
        self._last = 0

    @property
    def n_steps(self) -> int:
        return int(self._descent.n_steps)

    def foresee(self, rates: Callable[[int, int], NDArray[np.float64]], last: int) -> None:
        if self._whole:
            self._rates, self._last = rates, last

    def _with_next(self, learning_rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rates, followed by those of the next steps if these can be worked on now."""
        if self._rates is None:
            return learning_rates
        n = min(self._descent.useful_rates, self._last - self.n_steps)
        if n <= len(learning_rates):
            return learning_rates
        try:
            rates = self._rates(self.n_steps, n)
        except Exception:  # a schedule of the user that has no rate for steps that may never come
            return learning_rates
        return np.concatenate([learning_rates, rates[len(learning_rates) :]])

    def fetch(self) -> None:
        """Copy w to the host, after the last step that was asked for."""
        self._descent.settle()
        self._descent.copy_parameters(self._w)

    def evaluate(self) -> Evaluation:
        self._objective.check_memory()
        found = Evaluation(*self._descent.evaluate())
        self._descent.copy_parameters(self._w)
        return found

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        self._objective.check_memory()
        if not self._in_epoch:
            if self._seed is None:
                self._descent.start_epoch(None)
            else:
                self._descent.shuffle_epoch(self._seed, self._epoch)
            self._epoch += 1
            self._in_epoch = True
        steps = Steps(*self._descent.run(self._with_next(learning_rates), seconds, path))
        self._in_epoch = not steps.epoch_ended
        return steps

    def restore(self) -> None:
        self._descent.restore()
        self.fetch()

    def put(self) -> None:
        """Copy w to the device."""
        backend().copy_to_device(self._w, self.parameters.pointer, self.parameters.device, self.parameters.stream)

    def state(self) -> dict[str, Any]:
        raise NotImplementedError("runs on a CUDA device have no checkpoints")

    def resume(self, state: dict[str, Any]) -> None:
        raise NotImplementedError("runs on a CUDA device have no checkpoints")
