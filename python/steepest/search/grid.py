"""`grid_search`: the same run for each of several learning rates, in parallel threads."""

from __future__ import annotations

import copy
import inspect
import math
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from .. import _core
from ..arrays.checks import check_count, check_flag, describe
from ..descent.arguments import seed_of, several
from ..descent.minimize import minimize
from ..descent.result import Result
from ..descent.stopping import StopRule
from ..descent.supervision import Supervision, supervised
from ..extras import require
from ..objectives.protocol import Capability, Objective, missing, supports, team_of
from ..optimizers.base import Optimizer
from ..optimizers.runner import StopReason
from ..optimizers.schedules import ScheduleLike
from ..runtime import own_threads
from ..warnings import DivergenceWarning
from .range_test import check_tuned

__all__ = ["GridSearch", "grid_search"]

_HINTS = dict.fromkeys(("epochs", "n_epochs", "max_iter", "n_iter"), "max_epochs=...") | dict.fromkeys(
    ("lr", "rates", "learning_rate"), "learning_rates=..."
)
_LOOK_SECONDS = 0.05  # between two looks at the runs: Ctrl-C does not end a wait on every platform
_END_SECONDS = 0.15  # that the runs have to end after Ctrl-C
_RISE = 3.0  # a run diverged if its loss rose by more than this times the loss at the start
_HEAD = ["", "learning rate", "loss", "validation loss", "epochs", "stopped by"]


@dataclass(frozen=True, eq=False)
class GridSearch:
    """The runs of `grid_search`. Printing it gives a table of them.

    Attributes
    ----------
    learning_rates : tuple of float or schedule
        The rates, in the order in which they were given.
    results : tuple of Result
        The run of each rate, in the same order. The stop_reason "diverged" marks a rate that is too high.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.eye(2), np.array([1.0, 2.0]), intercept=False)
    >>> search = st.grid_search(objective, st.GradientDescent(0.1), [0.01, 0.5, 1e200])
    >>> search.best_learning_rate, search.best_index
    (0.5, 1)
    >>> [result.stop_reason for result in search.results]
    ['max_epochs', 'max_epochs', 'diverged']
    """

    learning_rates: tuple[float | str | ScheduleLike, ...]
    results: tuple[Result, ...]

    @property
    def best_index(self) -> int | None:
        """The index of the best run: the lowest validation loss if there is validation, otherwise the lowest value.

        A run that diverged is left out. So is a run whose value exceeds the value at the start by more than three times
        the size of the latter, as happens on the way to an overflow. None if every run is left out.
        """
        scores = [_score(result) for result in self.results]
        best = int(np.argmin(scores))
        return best if scores[best] < math.inf else None

    @property
    def best(self) -> Result | None:
        """The best run, or None."""
        return None if self.best_index is None else self.results[self.best_index]

    @property
    def best_learning_rate(self) -> float | str | ScheduleLike | None:
        """The rate of the best run, or None."""
        return None if self.best_index is None else self.learning_rates[self.best_index]

    def __repr__(self) -> str:
        return _table([_HEAD, *(self._cells(place) for place in range(len(self.results)))])

    def _cells(self, place: int) -> list[str]:
        rate, result = self.learning_rates[place], self.results[place]
        validation = f"{_validation_loss(result):.6g}" if "validation_loss" in result.history else ""
        return [
            "best" if place == self.best_index else "",
            f"{rate:g}" if isinstance(rate, Real) else str(rate),
            f"{result.value:.6g}",
            validation,
            str(result.n_epochs),
            result.stop_reason,
        ]


def grid_search(
    objective: Objective,
    optimizer: Optimizer,
    learning_rates: Iterable[float | str | ScheduleLike] = (0.001, 0.01, 0.1, 1.0),
    *,
    n_jobs: int | None = None,
    **options: Any,
) -> GridSearch:
    """Run `minimize` once for each of several learning rates, with the same budget and the same order of rows.

    The optimizer does not change. Each run has its own copy of the optimizer, with its rate, and of the rules in
    ``stop``.

    Parameters
    ----------
    objective : a loss such as LeastSquares, a Function or any other `Objective`
        The objective to minimise.
    optimizer : optimizer
        The rule and its hyperparameters.
    learning_rates : iterable of float or schedule
        At least one rate. "auto" is a rate too, if the optimizer takes it.
    n_jobs : int, optional
        Number of runs at a time, each in its own thread. By default there are as many runs as the kernels have threads,
        but a single one for an objective that cannot evaluate single rows, such as a Function, and for one on a CUDA
        device. A CUDA device takes one run at a time only. If there are several runs at a time, the kernels of each run
        use one thread. Results do not depend on n_jobs.
    **options
        Options of `minimize`, including ``w0``. Each run is ``minimize(objective, optimizer=copy, **options)``.
        Callbacks are called from the threads of the runs. With ``progress``, the bar counts runs.

    Returns
    -------
    GridSearch

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or shape or is out of range, here or in `minimize`. The first error ends all
        runs.
    NotImplementedError
        n_jobs is above 1 for an objective on a CUDA device.
    KeyboardInterrupt
        Ctrl-C was pressed; it is raised within 0.2 s. A run that is evaluating the objective ends after the evaluation.

    Warns
    -----
    DivergenceWarning
        No run lowered the loss, so there is no best run. A single run that diverges does not warn, since a grid may
        well hold a rate that is too high.

    Examples
    --------
    The loss is (w - 1)^2. With a rate of 0.5, descent reaches its minimum in one step.

    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.ones((1, 1)), np.ones(1), intercept=False)
    >>> search = st.grid_search(objective, st.GradientDescent(0.1), [0.25, 0.5, 0.75], max_epochs=2)
    >>> search
          learning rate    loss  epochs  stopped by
                   0.25  0.0625       2  max_epochs
    best            0.5       0       2  max_epochs
                   0.75  0.0625       2  max_epochs
    """
    check_tuned(objective, optimizer)
    rates = _rates(learning_rates)
    of_one_run = {"objective", "optimizer", "checkpoint", "checkpoint_seconds"}
    known = inspect.signature(minimize).parameters.keys() - of_one_run
    for name in options.keys() - known:
        hint = f"; use {_HINTS[name]}" if name in _HINTS else ""
        raise TypeError(f"options must be those of minimize, {', '.join(sorted(known))}, got {name}{hint}")
    workers = min(_workers(objective, n_jobs), len(rates))
    options["stop"] = several("stop", options.get("stop", ()), StopRule, "rules of st.stop")
    options["callbacks"] = several("callbacks", options.get("callbacks", ()), Callable, "callables")  # type: ignore[arg-type]
    options["random_state"] = _repeatable(options.get("random_state"), objective)
    progress = check_flag("progress", options.pop("progress", False))
    cancel = threading.Event()
    jobs = [_job(objective, _copy(optimizer, rate), options, cancel) for rate in rates]
    bar = require("tqdm", "progress").tqdm(total=len(jobs), unit="run") if progress else None
    try:
        done = bar.update if bar is not None else lambda: None
        results = list(_in_turn(jobs, done)) if workers == 1 else _in_threads(jobs, workers, cancel, done)
    finally:
        if bar is not None:
            bar.close()
    search = GridSearch(rates, tuple(results))
    if search.best_index is None:
        warnings.warn(_none_fell(search), DivergenceWarning, stacklevel=2)
    return search


def _rates(learning_rates: Any) -> tuple[float | str | ScheduleLike, ...]:
    if isinstance(learning_rates, str) or not isinstance(learning_rates, Iterable):
        expected = "learning_rates must be an iterable of numbers above 0 and schedules"
        raise TypeError(f"{expected}, got {describe(learning_rates)}")
    rates = tuple(learning_rates)
    if not rates:
        raise ValueError("learning_rates must hold at least one rate, got none")
    return rates


def _workers(objective: Objective, n_jobs: Any) -> int:
    if not team_of(objective).is_alone:
        if n_jobs not in (None, 1):
            raise ValueError(f"n_jobs must be None or 1 for data that several processes hold, got {n_jobs!r}")
        return 1  # all of them run the same jobs in the same order
    able = supports(objective, Capability.THREADS)
    if n_jobs is None:
        return _core.threads_in_use() if able and supports(objective, Capability.STEPS) else 1
    count = check_count("n_jobs", n_jobs, 1)
    if count > 1 and not able:
        raise missing(objective, Capability.THREADS, f"n_jobs={n_jobs}", "use n_jobs=None or 1", ValueError)
    return count


def _repeatable(random_state: Any, objective: Objective) -> Any:
    """Return a random state that gives every run the same seed; the seed of a generator, or of None, is drawn once."""
    drawn = random_state is None or isinstance(
        random_state, np.random.Generator | np.random.BitGenerator | np.random.RandomState
    )
    return seed_of(random_state, objective) if drawn else random_state


def _copy(optimizer: Optimizer, rate: Any) -> Optimizer:
    twin = copy.copy(optimizer)
    twin.load_state_dict(optimizer.state_dict())  # copies of the arrays
    try:
        twin.learning_rate = rate
    except (TypeError, ValueError) as error:
        raise type(error)(f"learning_rates: {error}") from None
    return twin


def _job(
    objective: Objective, optimizer: Optimizer, options: dict[str, Any], cancel: threading.Event
) -> Callable[[], Result]:
    own = {**options, "stop": copy.deepcopy(options["stop"])}

    def run() -> Result:
        with supervised(Supervision(warns=False, cancelled=cancel.is_set)):
            result = minimize(objective, optimizer=optimizer, **own)
        if result.stop_reason == StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        return result

    return run


def _in_turn(jobs: list[Callable[[], Result]], done: Callable[[], Any]) -> Iterator[Result]:
    for job in jobs:
        yield job()
        done()


def _in_threads(
    jobs: list[Callable[[], Result]], workers: int, cancel: threading.Event, done: Callable[[], Any]
) -> list[Result]:
    pool = ThreadPoolExecutor(workers, "steepest")
    futures: list[Future[Result]] = []
    try:
        for job in jobs:  # the first job already runs: an error or Ctrl-C in this loop must end it
            futures.append(pool.submit(_with_one_thread, job))
        waiting = set(futures)
        while waiting:
            ended, waiting = wait(waiting, _LOOK_SECONDS, FIRST_COMPLETED)
            for future in ended:
                future.result()
                done()
    except BaseException:
        cancel.set()
        pool.shutdown(wait=False, cancel_futures=True)
        wait(futures, _END_SECONDS)
        raise
    pool.shutdown()
    return [future.result() for future in futures]


def _with_one_thread(job: Callable[[], Result]) -> Result:
    """Return the result of a job whose kernels use one thread."""
    with own_threads(1):
        return job()


def _table(rows: list[list[str]]) -> str:
    """Return a table with aligned columns; a column that is empty below its head is left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in zip(*columns, strict=True)
    )
    return "\n".join(lines)


def _score(result: Result) -> float:
    start = float(result.history["loss"][0])
    if result.stop_reason == StopReason.DIVERGED or not result.value - start <= _RISE * abs(start):
        return math.inf
    return _validation_loss(result) if "validation_loss" in result.history else result.value


def _validation_loss(result: Result) -> float:
    """Return the validation loss of the result's w, which is the lowest one."""
    return float(np.nanmin(result.history["validation_loss"]))


def _none_fell(search: GridSearch) -> str:
    lowest = min(result.history["learning_rate"][0] for result in search.results)
    return (
        f"no run lowered the loss, even at the lowest learning rate, {lowest:.3g}: try {lowest / 100:.3g} and less, or "
        "st.find_learning_rate; features scaled to mean 0 and deviation 1 allow larger rates"
    )
