"""`runner_for`: the runner that an objective's data and a plan of steps ask for."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..objectives.protocol import Capability, device_of_objective, penalty_of, supports
from .buffered import buffered_runner
from .runner import Runner, StepPlan
from .runners import WHOLE_DATA, DeviceRunner, NativeRunner, PythonRunner, Stepper

__all__ = ["runner_for"]


def runner_for(objective: Any, optimizer: Stepper, w: NDArray[Any], plan: StepPlan = WHOLE_DATA) -> Runner:
    """Return the runner that changes w by the steps of an optimizer."""
    device = device_of_objective(objective)
    if not supports(objective, Capability.STEPS):
        if device is not None:
            kind = type(objective).__name__
            raise TypeError(f"objective must not have a value_and_gradient of its own on a CUDA device, got {kind}")
        if penalty_of(objective).l1 > 0.0:
            raise TypeError(
                "objective must be without an L1 penalty if it has a value_and_gradient of its own, since the gradient "
                f"leaves that penalty out, got {objective!r}; use l1_ratio=0.0"
            )
        return PythonRunner(objective, optimizer, w, plan.projection)
    if plan.batch_size and supports(objective, Capability.BUFFERS):
        return buffered_runner(objective, optimizer, w, plan)
    if device is None:
        return NativeRunner(objective.native, optimizer, w, plan)
    if plan.projection is not None and plan.batch_size:
        raise NotImplementedError(
            "constraint must be None for mini-batches of data on a CUDA device; use batch_size=None, or make the "
            "objective from arrays in the host's memory"
        )
    if plan.projection is not None or not objective.native.takes_steps:  # what changes parameters is on the host
        return NativeRunner(objective.native.host, optimizer, w, plan)
    seed = plan.seed if plan.shuffle and plan.batch_size else None
    return DeviceRunner(objective.native, optimizer, w, plan.batch_size, seed)
