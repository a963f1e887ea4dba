"""What a run asks of the one that takes its steps, and the words they share: plans, steps, evaluations, ends."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..constraints.projections import Projection

__all__ = ["Evaluation", "Runner", "StepPlan", "Steps", "StopReason"]


class StopReason(StrEnum):
    """Why a run ended; users see the text in `Result.stop_reason`. A stopping rule of a user has its class's name."""

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
    """How the steps of a run are to be taken.

    Attributes
    ----------
    batch_size : int
        Rows of a step; 0: all.
    shuffle : bool
        Whether every epoch takes the rows in a new random order.
    seed : int
        Of these orders.
    projection : Projection or None
        Onto the set that the parameters are kept in.
    """

    batch_size: int = 0
    shuffle: bool = False
    seed: int = 0
    projection: Projection | None = None


class Evaluation(NamedTuple):
    """The objective, and the norm of its gradient, at a point."""

    value: float
    gradient_norm: float


class Steps(NamedTuple):
    """What a call of `Runner.run` did: the number of steps, whether the epoch ended, and whether w diverged."""

    taken: int
    epoch_ended: bool
    diverged: bool


class Runner(Protocol):
    """Takes the steps of a run and changes its w in place.

    Attributes
    ----------
    n_steps : int
        Steps taken, those before the run included.
    parameters : array
        Where the run stands, as the objective's methods take it: w itself, or its twin on a device.
    finished : StopReason or None
        Why there is no further step to take, where that is so.
    """

    parameters: Any
    finished: StopReason | None = None

    @property
    def n_steps(self) -> int: ...

    def evaluate(self) -> Evaluation:
        """Return the objective and the norm of its gradient at w."""
        ...

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        """Take steps until the rates, the seconds or the epoch end; with `path`, write w after each step to a row."""
        ...

    def restore(self) -> None:
        """Put w back to where the objective was last evaluated and finite."""
        ...

    def fetch(self) -> None:
        """Bring the run's w up to date, where `parameters` are elsewhere."""
        return

    def verdict(self, reason: str) -> str:
        """Return why the run ended, in the light of where it did; `reason` is what the run itself knows."""
        return reason
