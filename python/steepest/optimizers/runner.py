"""The `Runner` protocol, which a run asks for steps, and its types: plans, steps, evaluations and stop reasons."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..constraints.projections import Projection

__all__ = ["Evaluation", "Runner", "StepPlan", "Steps", "StopReason"]


class StopReason(StrEnum):
    """The reason why a run ended. Users see its text in `Result.stop_reason`.

    A stopping rule that a user wrote is not listed here: its reason is the name of its class.
    """

    GRADIENT_NORM = "GradientNorm"
    LOSS_CHANGE = "LossChange"
    PARAMETER_CHANGE = "ParameterChange"
    NO_IMPROVEMENT = "NoImprovement"
    MAX_EPOCHS = "max_epochs"
    MAX_SECONDS = "max_seconds"
    DIVERGED = "diverged"
    CALLBACK = "callback"
    INTERRUPTED = "interrupted"
    PRECISION = "precision"
    ROUNDING = "rounding"
    SEPARABLE = "separable"


class StepPlan(NamedTuple):
    """The way in which a run takes its steps.

    Attributes
    ----------
    batch_size : int
        Rows of a step, 0 for all.
    shuffle : bool
        Whether every epoch takes the rows in a new random order.
    seed : int
        Seed of the random orders.
    projection : Projection or None
        Projection onto the constraint, which follows every step.
    """

    batch_size: int = 0
    shuffle: bool = False
    seed: int = 0
    projection: Projection | None = None


class Evaluation(NamedTuple):
    """The value of the objective at a point, and the norm of its gradient there."""

    value: float
    gradient_norm: float


class Steps(NamedTuple):
    """The outcome of `Runner.run`: the number of steps taken, whether the epoch ended, and whether w diverged."""

    taken: int
    epoch_ended: bool
    diverged: bool


class Runner(Protocol):
    """Takes the steps of a run and changes its w in place.

    Attributes
    ----------
    n_steps : int
        Number of steps of the optimizer, including those before the run.
    parameters : array
        The current parameters, in the form that the objective's methods take: w itself, or its copy on a device.
    finished : StopReason or None
        The reason why no further step is possible. None if one is.
    divisible : bool
        Whether `state` may be called within an epoch, between two calls of `run`.
    """

    parameters: Any
    finished: StopReason | None = None
    divisible: bool = False

    @property
    def n_steps(self) -> int: ...

    @property
    def duality_gap(self) -> float | None:
        """How far the objective at w is above its minimum, at most. None: it is not known."""
        return None

    def evaluate(self) -> Evaluation:
        """Return the value of the objective and the norm of its gradient at w."""
        ...

    def scaled_gradient_norm(self) -> float | None:
        """Return the norm of the gradient at w over the roots of the Hessian's diagonal. None: it is not known."""
        return None

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        """Take steps until the rates, the seconds or the epoch run out.

        The run's w has all of them after `evaluate` or `fetch`.

        Parameters
        ----------
        learning_rates : array of float64
            The learning rate of each step.
        seconds : float
            Time after which no further step begins.
        path : array of shape (len(learning_rates), n_parameters), or None
            Row i receives w after step i.
        """
        ...

    def foresee(self, rates: Callable[[int, int], NDArray[np.float64]], last: int) -> None:
        """Say which learning rates the run will give: ``rates(first, n)`` after ``first`` steps, up to step ``last``.

        The runner may take steps before they are asked for. The run does not see them until then.
        """
        return

    def restore(self) -> None:
        """Set w back to the last point at which the objective was evaluated and finite."""
        ...

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on: numbers, texts and NumPy arrays by name.

        The arrays may be those that the next step changes. A runner without it has no checkpoints.
        """
        kind = type(self).__name__
        raise NotImplementedError(f"{kind} has no checkpoints")

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`: a runner of the same objective, optimizer and plan takes the same next steps."""
        kind = type(self).__name__
        raise NotImplementedError(f"{kind} has no checkpoints")

    def put(self) -> None:
        """Go on from the run's w, changed after `restore`: copy it to `parameters` if they are another array."""
        return

    def fetch(self) -> None:
        """Bring the run's w up to date: copy `parameters` to it if they are another array."""
        return

    def verdict(self, reason: str) -> str:
        """Return the reason why the run ended. `reason` is the run's own; a runner that knows more may replace it."""
        return reason
