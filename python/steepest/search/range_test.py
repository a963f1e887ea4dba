"""`find_learning_rate`: raise the rate until the loss diverges, then let the rates below race, and suggest the best."""

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
from ..arrays.hints import hinting
from ..descent.arguments import batches, seed_of
from ..descent.race import best_rate
from ..descent.supervision import Supervision, supervised, supervision
from ..objectives.data import DataObjective, some_of
from ..objectives.protocol import Capability, Objective, check_objective, missing, supports
from ..objectives.softmax import vector_of
from ..optimizers.base import Optimizer
from ..optimizers.runner import Runner, StepPlan
from ..optimizers.runner_for import runner_for
from ..optimizers.runners import NativeRunner

__all__ = ["LearningRateCurve", "check_tuned", "find_learning_rate"]

_RANGE = "lowest=... and highest=..."
_BATCH_SIZE = 256
_SMOOTHING = 0.8  # weight of the old average at each new loss
_FALL, _MARGIN = 0.9, 10.0  # see _rule_of_thumb
_EPOCHS, _WHOLE_EPOCHS = 10, 100  # of a race, with mini-batches and with all rows
_ABOVE, _BELOW = 10.0, 10.0  # a race goes so far above the last rate of the range test, and below the rule of thumb
_RATIO = 10 ** (1 / 3)  # of neighbours in a race


@dataclass(frozen=True, eq=False)
class LearningRateCurve:
    """The losses that `find_learning_rate` measured, and the rate that it suggests.

    The arrays have one element for each step. They end where the loss diverged.

    Attributes
    ----------
    learning_rates : array of shape (n,), float64
        The rate of each step. The rates rise geometrically.
    losses : array of shape (n,), float64
        The objective on the rows of the step, penalty included, before the step.
    smoothed_losses : array of shape (n,), float64
        `losses` without most of the noise of the batches; see the notes of `find_learning_rate`.
    suggestion : float
        The suggested learning rate.
    diverged : bool
        Whether the loss diverged before the highest rate was reached.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.random.default_rng(0).standard_normal((1000, 3))
    >>> objective = st.LeastSquares(X, X @ np.array([1.0, -2.0, 0.5]))
    >>> curve = st.find_learning_rate(objective, st.GradientDescent(0.1), random_state=0)
    >>> curve.diverged, len(curve.losses) == len(curve.learning_rates) < 200
    (True, True)
    >>> bool(curve.smoothed_losses.min() < 0.01 * curve.losses[0])
    True
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


@hinting(**dict.fromkeys(("epochs", "n_epochs", "max_iter"), "max_epochs=..."), seed="random_state=...", lr=_RANGE)
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
    max_epochs: int | None = None,
) -> LearningRateCurve:
    """Suggest a learning rate: raise it until the loss diverges (a range test), then let the rates below race.

    The objective, the optimizer and w0 do not change. The steps start from a copy of w0, and a fresh optimizer with the
    same rule and hyperparameters takes them. The optimizer's own learning rate is not used.

    Parameters
    ----------
    objective : a loss such as LeastSquares, a Function or any other `Objective`
        The objective to minimise. If it cannot evaluate single rows, as a Function cannot, each step evaluates the
        whole objective.
    optimizer : optimizer
        The rule and its hyperparameters.
    w0 : array of shape (n_parameters,), or of a Softmax's parameters_shape, the dtype of the objective, optional
        The start; zeros by default.
    batch_size : int, optional
        Number of rows in a step; None or n_samples for all rows. The suggestion is meant for this batch size. If the
        objective cannot evaluate single rows, leave batch_size out or pass None.
    lowest, highest : float
        The first and the last rate, above 0.
    n_steps : int
        Number of steps from the lowest rate to the highest, at least 10. With fewer than about 100, the rate rises
        from good to bad within a few steps.
    divergence : float
        A factor above 1 that decides when the test ends. It ends when the smoothed loss exceeds the loss at the start
        by (divergence - 1) times the larger of two numbers: the absolute value of the loss at the start, and the fall
        of the loss so far. It also ends when a loss is not finite.
    random_state : None, int, SeedSequence or NumPy generator
        The seed of the order of the rows, as in `minimize`.
    max_epochs : int, optional
        The length of the runs that the suggestion is meant for, and of the race: by default 10 epochs of mini-batches,
        or 100 with all rows. The race costs about ten such runs. With 0 there is no race, and the suggestion is the
        rule of thumb below.

    Returns
    -------
    LearningRateCurve

    Raises
    ------
    TypeError
        An argument has the wrong type.
    ValueError
        An argument has the wrong shape or is out of range, or no rate lowered the loss.
    NotImplementedError
        The objective is on a CUDA device.

    Notes
    -----
    The range test is from Smith, "Cyclical learning rates for training neural networks", 2017.

    Each step compares the loss on its rows with the loss at w0 on the same rows; the difference of the two varies
    little between batches. smoothed_losses is the mean of the losses at w0 plus an exponential moving average of
    this difference, corrected for its bias.

    The rule of thumb is the rate at which the smoothed loss has made 90% of its fall, but at most a tenth of the rate
    at which it is lowest. On data whose columns differ in scale it may be a hundred times too low. So it only says
    where the race begins: three rates a decade, from a tenth of the rule of thumb to ten times the last rate of the
    range test, but at most `highest`. Every rate takes the same steps from w0. The third of them with the highest loss
    ends early. The suggestion is the rate with the lowest loss at the end, averaged over the last fifth of the run. If
    a run has at most 1000 mini-batches, it is repeated with three orders of the rows, and the median counts.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.random.default_rng(0).standard_normal((1000, 3))
    >>> objective = st.LeastSquares(X, X @ np.array([1.0, -2.0, 0.5]))
    >>> curve = st.find_learning_rate(objective, st.GradientDescent(0.1), random_state=0)
    >>> 0.05 < curve.suggestion < 1.0
    True
    >>> result = st.minimize(objective, optimizer=st.GradientDescent(curve.suggestion), batch_size=256, random_state=0)
    >>> print(result.w[:3].round(2))
    [ 1.  -2.   0.5]
    """
    check_tuned(objective, optimizer)
    if supports(objective, Capability.BATCHES) and not supports(objective, Capability.SAMPLE):
        raise missing(objective, Capability.SAMPLE, "find_learning_rate", "copy X and y to host memory")
    lowest = check_number("lowest", lowest, above=0.0)
    highest = check_number("highest", highest, above=lowest)
    rates = np.geomspace(lowest, highest, check_count("n_steps", n_steps, 10))
    divergence = check_number("divergence", divergence, above=1.0)
    by_rows = any(supports(objective, each) for each in (Capability.BATCHES, Capability.BUFFERS))
    whole = not by_rows and isinstance(batch_size, int) and batch_size == _BATCH_SIZE
    size, steps_per_epoch = (0, 1) if whole else batches(objective, batch_size)
    epochs = _race_length(max_epochs, size)
    w = check_start(vector_of(objective, "w0", w0), objective.n_parameters, objective.dtype)
    twin = copy.copy(optimizer)
    twin.reset()
    seed, start = seed_of(random_state, objective), w.copy()
    steps = _steps(_at_hand(objective, len(rates) * size, seed), twin, w, size, seed)
    losses, smoothed, diverged = _raise_rate(steps, rates, divergence)
    rates = rates[: len(losses)]
    noise = 8 * float(np.finfo(objective.dtype).eps) * abs(smoothed[0])
    if smoothed.min() >= smoothed[0] - noise:
        raise ValueError(_no_fall(lowest, highest, diverged))
    suggestion = _rule_of_thumb(rates, smoothed)
    if epochs:
        entrants, plan = _entrants(suggestion, rates[-1], highest), StepPlan(size, shuffle=True, seed=seed)
        with supervised(Supervision(warns=False, cancelled=supervision().cancelled)):
            won = best_rate(objective, twin, start, entrants, plan, epochs * steps_per_epoch)
        suggestion = suggestion if won is None else won
    return LearningRateCurve(rates, losses, smoothed, suggestion, diverged)


def check_tuned(objective: Any, optimizer: Any) -> None:
    """Check the objective and the optimizer of a search for a learning rate."""
    check_objective(objective)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an optimizer such as st.Adam(), got {describe(optimizer)}")


def _steps(
    objective: Any, optimizer: Optimizer, w: NDArray[Any], batch_size: int, seed: int
) -> Iterator[tuple[Runner, float, float]]:
    """Yield the runner of the next step, and the loss on the rows of the step, now and at the start."""
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


def _at_hand(objective: Any, n: int, seed: int) -> Any:
    """Return the objective over about n random rows in memory, if its parts are read one after the other."""
    if n == 0 or not supports(objective, Capability.BUFFERS):
        return objective
    rows = objective.n_samples
    return objective.with_data(objective.data.taken(np.arange(rows) if n >= rows else some_of(rows, n, seed)))


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
    """Take the steps; return the losses, the smoothed losses, and whether the loss diverged."""
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
        runner.fetch()
    return np.array(losses), float(np.mean(starts)) + np.array(changes), diverged


def _race_length(max_epochs: int | None, batch_size: int) -> int:
    if max_epochs is None:
        return _EPOCHS if batch_size else _WHOLE_EPOCHS
    return check_count("max_epochs", max_epochs, 0)


def _entrants(thumb: float, last: float, highest: float) -> NDArray[np.float64]:
    """Return the rates of a race, from the highest down."""
    top, bottom = min(highest, _ABOVE * last), thumb / _BELOW
    return np.asarray(top / _RATIO ** np.arange(math.floor(math.log(top / bottom) / math.log(_RATIO)) + 1))


def _rule_of_thumb(rates: NDArray[np.float64], smoothed: NDArray[np.float64]) -> float:
    lowest = int(np.argmin(smoothed))
    fallen = smoothed <= smoothed[0] + _FALL * (smoothed[lowest] - smoothed[0])
    return float(min(rates[np.argmax(fallen)], rates[lowest] / _MARGIN))


def _no_fall(lowest: float, highest: float, diverged: bool) -> str:
    minimum = "or try another w0 if this one is a minimum"
    if diverged:
        remedy = f"the loss only rose: try lowest={lowest * 1e-4:.3g}, scale the features, {minimum}"
        return f"lowest must be a rate that lowers the loss, got {lowest:g}; {remedy}"
    remedy = f"no rate from {lowest:g} to {highest:g} lowered it: try highest={highest * 1e3:.3g}, {minimum}"
    return f"highest must be a rate that lowers the loss, got {highest:g}; {remedy}"
