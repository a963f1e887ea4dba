"""`find_learning_rate`: raise the rate step by step, watch the loss, and say which rate to take."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import check_count, check_number, check_start, describe
from ..descent.arguments import batches, seed_of
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability, Objective, check_objective, missing, supports
from ..objectives.softmax import vector_of
from ..optimizers.base import Optimizer
from ..optimizers.runner import Runner
from ..optimizers.runners import NativeRunner, runner_for

__all__ = ["LearningRateCurve", "check_tuned", "find_learning_rate"]

_BATCH_SIZE = 256
_SMOOTHING = 0.8  # weight of the average before, at each new loss
_FALL, _MARGIN = 0.9, 10.0  # of the rule for the suggestion


@dataclass(frozen=True, eq=False)
class LearningRateCurve:
    """What `find_learning_rate` saw; the arrays hold a row a step, up to where the loss diverged.

    Attributes
    ----------
    learning_rates : array of shape (n,), float64
        The rate of each step, rising geometrically.
    losses : array of shape (n,), float64
        The objective on the rows of the step, penalty included, before it.
    smoothed_losses : array of shape (n,), float64
        The same without most of the noise of the batches; see the notes of `find_learning_rate`.
    suggestion : float
        The learning rate to take.
    diverged : bool
        Whether the loss diverged before the highest rate.
    """

    learning_rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed_losses: NDArray[np.float64]
    suggestion: float
    diverged: bool

    def __repr__(self) -> str:
        first, last = self.learning_rates[[0, -1]]
        return (
            f"LearningRateCurve(suggestion={self.suggestion:.3g}, {len(self.losses)} rates from {first:.3g} to "
            f"{last:.3g}, diverged={self.diverged})"
        )


def find_learning_rate(
    objective: Objective,
    optimizer: Optimizer,
    *,
    w0: Any = None,
    batch_size: int | None = _BATCH_SIZE,
    lowest: float = 1e-7,
    highest: float = 10.0,
    n_steps: int = 200,
    divergence: float = 4.0,
    random_state: Any = None,
) -> LearningRateCurve:
    """Suggest a learning rate from a run in which it rises until the loss diverges (the range test of Smith 2017).

    Objective, optimizer and w0 stay as they are: the steps are those of a fresh optimizer with the same rule and
    hyperparameters, from a copy of w0. The optimizer's own learning rate plays no part.

    Parameters
    ----------
    objective : LeastSquares, Logistic, Softmax or Function
        What to minimise. Of one that is not native, such as a Function, each step takes a whole evaluation.
    optimizer : optimizer
        Whose rule and hyperparameters are taken.
    w0 : array of shape (n_parameters,), the dtype of the objective, optional
        Where to start, zeros if not given.
    batch_size : int, optional
        Rows of a step, None or n_samples for all. The suggestion is for this size. To be left out, or None, for an
        objective that is not native.
    lowest, highest : float
        The first and the last rate, above 0.
    n_steps : int
        Steps from one to the other, at least 10. Fewer than about 100 leave little between a good rate and a bad one.
    divergence : float
        Above 1: the test ends where the smoothed loss has risen above the start's by (divergence - 1) times the start's
        absolute value, or times the fall so far if that is more; or where a loss is not finite.
    random_state : None, int, SeedSequence or NumPy generator
        Decides the order of the rows, as in `minimize`.

    Returns
    -------
    LearningRateCurve

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, shape or range; no rate brought the loss below the start's.
    NotImplementedError
        The objective is on a CUDA device.

    Notes
    -----
    What is averaged is the change of the loss since the start on the same rows, which cancels most of what differs
    between batches: smoothed_losses are the mean of the losses at w0 plus an exponential average of that change,
    corrected for its bias.

    The suggestion is the rate at which the smoothed loss has made 90% of its fall, but at most a tenth of the rate of
    its lowest value.
    """
    check_tuned(objective, optimizer)
    if supports(objective, Capability.BATCHES) and not supports(objective, Capability.SAMPLE):
        raise missing(objective, Capability.SAMPLE, "find_learning_rate", "copy X and y to the host")
    lowest = check_number("lowest", lowest, above=0.0)
    highest = check_number("highest", highest, above=lowest)
    rates = np.geomspace(lowest, highest, check_count("n_steps", n_steps, 10))
    divergence = check_number("divergence", divergence, above=1.0)
    whole = not supports(objective, Capability.BATCHES) and isinstance(batch_size, int) and batch_size == _BATCH_SIZE
    size = 0 if whole else batches(objective, batch_size)[0]
    w = check_start(vector_of(objective, "w0", w0), objective.n_parameters, objective.dtype)
    twin = copy.copy(optimizer)
    twin.reset()
    steps = _steps(objective, twin, w, size, seed_of(random_state))
    losses, smoothed, diverged = _raise_rate(steps, rates, divergence)
    rates = rates[: len(losses)]
    noise = 8 * float(np.finfo(objective.dtype).eps) * abs(smoothed[0])
    if smoothed.min() >= smoothed[0] - noise:
        raise ValueError(_no_fall(lowest, highest, diverged))
    return LearningRateCurve(rates, losses, smoothed, _suggestion(rates, smoothed), diverged)


def check_tuned(objective: Any, optimizer: Any) -> None:
    """Check what a learning rate is looked for."""
    check_objective(objective)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an optimizer such as st.Adam(), got {describe(optimizer)}")


def _steps(
    objective: Any, optimizer: Optimizer, w: NDArray[Any], batch_size: int, seed: int
) -> Iterator[tuple[Runner, float, float]]:
    """Yield what takes the next step, and the loss of its rows now and at the start."""
    if batch_size:
        start = w.copy()
        for rows in _batches_of(objective, batch_size, seed):
            native = objective.native_batch(rows)
            runner = NativeRunner(native, optimizer, w)
            yield runner, runner.evaluate().value, native.value(start)
            optimizer.n_steps = runner.n_steps
    else:
        whole = runner_for(objective, optimizer, w)
        first = loss = whole.evaluate().value
        while True:
            yield whole, loss, first
            loss = whole.evaluate().value


def _batches_of(objective: DataObjective, batch_size: int, seed: int) -> Iterator[NDArray[np.uint32]]:
    epoch = 0
    while True:
        order = _core.row_order(objective.n_samples, seed, epoch)
        epoch += 1
        for first in range(0, len(order), batch_size):
            yield order[first : first + batch_size]


def _raise_rate(
    steps: Iterator[tuple[Runner, float, float]], rates: NDArray[np.float64], divergence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Take the steps; return the losses, smoothed ones, and whether they diverged."""
    losses: list[float] = []
    starts: list[float] = []
    changes: list[float] = []
    average, diverged = 0.0, False
    for rate, (runner, loss, start) in zip(rates, steps, strict=False):
        if not losses and not math.isfinite(start):
            raise ValueError(f"objective must be finite at w0, got {start}; look for nan and infinity in X and w0")
        if not (math.isfinite(loss) and math.isfinite(start)):
            diverged = True
            break
        losses.append(loss)
        starts.append(start)
        average = _SMOOTHING * average + (1 - _SMOOTHING) * (loss - start)
        changes.append(average / (1 - _SMOOTHING ** len(losses)))
        if changes[-1] > (divergence - 1) * max(abs(float(np.mean(starts))), -min(changes)):
            diverged = True
            break
        runner.run(np.array([rate]), math.inf, None)
    return np.array(losses), float(np.mean(starts)) + np.array(changes), diverged


def _suggestion(rates: NDArray[np.float64], smoothed: NDArray[np.float64]) -> float:
    lowest = int(np.argmin(smoothed))
    fallen = smoothed <= smoothed[0] + _FALL * (smoothed[lowest] - smoothed[0])
    return float(min(rates[np.argmax(fallen)], rates[lowest] / _MARGIN))


def _no_fall(lowest: float, highest: float, diverged: bool) -> str:
    minimum = "or another w0 if that is a minimum"
    if diverged:
        remedy = f"it only rose from there: try lowest={lowest * 1e-4:.3g}, scale the features, {minimum}"
        return f"lowest must be a rate that brings the loss below the start's, got {lowest:g}; {remedy}"
    remedy = f"no rate from {lowest:g} on did: try highest={highest * 1e3:.3g}, {minimum}"
    return f"highest must be a rate that brings the loss below the start's, got {highest:g}; {remedy}"
