"""A race of learning rates: short runs from the same start, of which the worst end early."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.protocol import Objective
from ..optimizers.base import Optimizer
from ..optimizers.runner import Runner, StepPlan
from .supervision import supervision

__all__ = ["best_rate"]

_ROUNDS = (0.3, 1.0)  # shares of the steps after which the rates are compared
_KEPT = 2 / 3  # share of the rates that go on after a comparison
_LOOKS = (0.8, 0.85, 0.9, 0.95, 1.0)  # shares of a round after which the loss is evaluated
_SLICE_SECONDS = 0.1  # the longest time between two looks at a cancelled run
_BLOCK_STEPS = 4096
_FEW_STEPS, _SEEDS = 1000, 3  # so few mini-batches may be lucky, so each rate runs with several orders of the rows


class _Entrant:
    """The runs of one rate. The loss is infinite once a run has diverged."""

    def __init__(self, rate: float, runners: list[Runner]) -> None:
        self.rate, self.loss = rate, math.inf
        self._runners, self._taken = runners, [0] * len(runners)

    def run_to(self, n_steps: int) -> None:
        """Take the steps up to a number of steps; set the loss to the mean of the last evaluations on the way."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                loss = float(np.median([self._mean_loss(place, n_steps) for place in range(len(self._runners))]))
        except ArithmeticError:  # of a function in Python, far away
            loss = math.inf
        self.loss = loss if math.isfinite(loss) else math.inf

    def _mean_loss(self, place: int, n_steps: int) -> float:
        losses = []
        for share in _LOOKS:
            if not self._go_on(place, math.ceil(share * n_steps)):
                return math.inf
            losses.append(self._runners[place].evaluate().value)
        return float(np.mean(losses))

    def _go_on(self, place: int, n_steps: int) -> bool:
        """Take the steps of a run up to a number of steps. Return whether it got there."""
        while self._taken[place] < n_steps:
            supervision().check()
            rates = np.full(min(_BLOCK_STEPS, n_steps - self._taken[place]), self.rate)
            steps = self._runners[place].run(rates, _SLICE_SECONDS, None)
            self._taken[place] += steps.taken
            if steps.diverged:
                return False
        return True


def best_rate(
    objective: Objective,
    optimizer: Optimizer,
    w: NDArray[Any],
    rates: NDArray[np.float64],
    plan: StepPlan,
    n_steps: int,
) -> float | None:
    """Return the rate whose runs end at the lowest loss after n_steps; None if all diverge.

    The objective, the optimizer and w do not change. Each run has a fresh optimizer and its own copy of w.
    """
    seeds = range(_SEEDS if plan.batch_size and n_steps <= _FEW_STEPS else 1)
    plans = [plan._replace(seed=(plan.seed + seed) % 2**64) for seed in seeds]
    entrants = [_Entrant(float(rate), [_runner(objective, optimizer, w, each) for each in plans]) for rate in rates]
    for share in _ROUNDS:
        for entrant in entrants:
            entrant.run_to(math.ceil(share * n_steps))
        entrants = sorted((each for each in entrants if each.loss < math.inf), key=lambda each: each.loss)
        if len(entrants) > 1:
            entrants = entrants[: max(2, math.ceil(_KEPT * len(entrants)))]
    return entrants[0].rate if entrants else None


def _runner(objective: Objective, optimizer: Optimizer, w: NDArray[Any], plan: StepPlan) -> Runner:
    twin = copy.copy(optimizer)
    twin.reset()
    return twin.runner(objective, w.copy(), plan)
