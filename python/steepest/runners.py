"""The two ways to take steps: native, for a loss bound to data, and in Python, for any other function."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import _core
from .objectives import DataObjective, Objective
from .optimizers import Optimizer

_DESCENT = {np.dtype(np.float32): _core.Descent32, np.dtype(np.float64): _core.Descent64}


class Runner(Protocol):
    """Takes the steps of a run and changes its w in place."""

    @property
    def n_steps(self) -> int: ...

    def evaluate(self) -> tuple[float, float]:
        """Return the objective and the norm of its gradient at w."""
        ...

    def run(
        self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None
    ) -> tuple[int, bool, bool]:
        """Take steps until the rates, the seconds or the epoch end: how many, if the epoch did, if w diverged."""
        ...

    def restore(self) -> None:
        """Put w back to where the objective was last evaluated and finite."""
        ...


class PythonRunner:
    """Batch descent of an objective in Python: one step an epoch."""

    def __init__(self, objective: Objective, optimizer: Optimizer, w: NDArray[Any]) -> None:
        self._objective, self._optimizer, self._w = objective, optimizer, w
        self._finite_w = w.copy()
        self._gradient: NDArray[Any] | None = None
        self._finite = True

    @property
    def n_steps(self) -> int:
        return self._optimizer.n_steps

    def evaluate(self) -> tuple[float, float]:
        value, gradient = self._objective.value_and_gradient(self._w.copy())
        self._gradient = np.array(gradient, dtype=self._w.dtype)
        self._finite = math.isfinite(value)
        if self._finite:
            self._finite_w[:] = self._w
        with np.errstate(over="ignore", invalid="ignore"):
            return value, float(np.linalg.norm(self._gradient.astype(np.float64)))

    def run(
        self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None
    ) -> tuple[int, bool, bool]:
        if self._gradient is None:
            self.evaluate()
        assert self._gradient is not None
        if not self._finite:
            self.restore()
            return 0, False, True
        gradient, self._gradient = self._gradient, None
        self._optimizer.step_at(float(learning_rates[0]), self._w, gradient)
        if path is not None:
            path[0] = self._w
        return 1, True, False

    def restore(self) -> None:
        self._w[:] = self._finite_w
        self._gradient = None


def is_native(objective: object) -> bool:
    """Return whether the native loop computes just what the objective's own method does."""
    return (
        isinstance(objective, DataObjective) and type(objective).value_and_gradient is DataObjective.value_and_gradient
    )


def runner_for(
    objective: Objective, optimizer: Optimizer, w: NDArray[Any], batch_size: int, shuffle: bool, seed: int
) -> Runner:
    """Return the runner that changes w; batch_size 0 is all rows."""
    if not is_native(objective):
        return PythonRunner(objective, optimizer, w)
    assert isinstance(objective, DataObjective)
    state = optimizer.state_for(w)
    optimizer.adopt(state)
    descent: Runner = _DESCENT[objective.dtype](
        objective.native, optimizer.rule, w, state, optimizer.n_steps, batch_size, shuffle, seed
    )
    return descent
