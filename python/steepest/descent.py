"""`minimize`: the loop of epochs, its records, and the reasons to end it."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_count, check_number, check_start, describe
from .extras import require
from .objectives import DataObjective, Objective
from .optimizers import Adam, Optimizer
from .result import DivergenceWarning, Result
from .runners import runner_for
from .stopping import NoImprovement, Progress, StopRule

__all__ = ["minimize", "seed_of"]

Callback = Callable[[Progress], Any]

_SLICE_SECONDS = 0.1  # the longest time between two returns to Python
_BLOCK_STEPS = 16384  # learning rates handed to the native loop at once
_PATH_ELEMENTS = 1 << 20  # and elements of the path
_MAX_INDEXED_ROWS = 2**32 - 1


def seed_of(random_state: Any) -> int:
    """Return the 64-bit seed of None (fresh entropy), an int, a SeedSequence or a NumPy generator."""
    try:
        return int(np.random.default_rng(random_state).integers(2**64, dtype=np.uint64))
    except (TypeError, ValueError):
        expected = "None, an integer of at least 0, a SeedSequence or a NumPy generator"
        raise ValueError(f"random_state must be {expected}, got {describe(random_state)}") from None


def minimize(
    objective: Objective,
    w0: NDArray[Any] | None = None,
    optimizer: Optimizer | None = None,
    *,
    batch_size: int | None = None,
    max_epochs: int = 100,
    max_seconds: float | None = None,
    stop: StopRule | Iterable[StopRule] = (),
    validation: Any = None,
    shuffle: bool = True,
    random_state: Any = None,
    callbacks: Callback | Iterable[Callback] = (),
    progress: bool = False,
    record_path: bool = False,
    evaluate_every: int = 1,
    reset: bool = True,
) -> Result:
    """Minimise an objective by gradient descent.

    Parameters
    ----------
    objective : LeastSquares, Logistic or Function
        What to minimise.
    w0 : array of shape (n_parameters,), the dtype of the objective, optional
        Where to start, zeros if not given. It is not changed.
    optimizer : optimizer, optional
        The update rule, Adam() if not given. It holds the state of the run afterwards.
    batch_size : int, optional
        Rows of a step: None for all (batch descent), 1 for stochastic, more for mini-batch descent. The last batch of
        an epoch has what is left. More than all rows are all rows.
    max_epochs : int
        Passes over the data, at least 0.
    max_seconds : float, optional
        Time after which no further step is taken.
    stop : stopping rule or several
        Rules of ``st.stop``, asked after every evaluated epoch; the first to fire ends the run.
    validation : objective or tuple (X, y) or (X, y, sample_weight), optional
        Data whose mean loss, without penalty, is followed; the w of its lowest value is returned.
    shuffle : bool
        Whether every epoch takes the rows in a new random order (without replacement).
    random_state : None, int, SeedSequence or NumPy generator
        Decides the orders; the same number gives the same bits on any number of threads.
    callbacks : callable or several
        Called with a `Progress` after every evaluated epoch, the start included; True ends the run.
    progress : bool
        Whether to show a bar with the loss (needs tqdm).
    record_path : bool
        Whether to keep the parameters after every step.
    evaluate_every : int
        Epochs between two evaluations of the whole objective; batch descent has them for nothing.
    reset : bool
        Whether the optimizer starts afresh; with False it goes on from its state.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, shape or range; a start where the objective is not finite.

    Notes
    -----
    A run whose loss is no longer finite ends at once with a `DivergenceWarning`. Ctrl-C ends it within 0.2 s; what was
    reached is returned, with ``stop_reason="interrupted"``.
    """
    if not isinstance(objective, Objective):
        raise TypeError(f"objective must be a LeastSquares, Logistic or Function, got {describe(objective)}")
    optimizer = Adam() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an optimizer such as st.Adam(), got {describe(optimizer)}")
    if reset:
        optimizer.reset()
    w = check_start(w0, objective.n_parameters, objective.dtype)
    run = _Run(optimizer, w, record_path)
    run.batch_size, run.steps_per_epoch = _batches(objective, batch_size)
    run.max_epochs = check_count("max_epochs", max_epochs, 0)
    run.max_seconds = math.inf if max_seconds is None else check_number("max_seconds", max_seconds, least=0.0)
    run.evaluate_every = check_count("evaluate_every", evaluate_every, 1)
    run.stop = _several("stop", stop, StopRule, "rules of st.stop")
    run.callbacks = _several("callbacks", callbacks, Callable, "callables")  # type: ignore[arg-type]
    run.validation = _validation(objective, validation)
    if run.validation is None and any(isinstance(rule, NoImprovement) for rule in run.stop):
        raise ValueError("stop holds NoImprovement, which needs validation data, got validation=None")
    run.objective = objective
    run.runner = runner_for(objective, optimizer, w, run.batch_size, bool(shuffle), seed_of(random_state))
    if progress:
        run.bar = require("tqdm", "progress").tqdm(total=run.max_epochs, unit="epoch")
    return run.result()


def _batches(objective: Objective, batch_size: int | None) -> tuple[int, int]:
    """Return the rows of a step (0: all) and the steps of an epoch."""
    if batch_size is None:
        return 0, 1
    size = check_count("batch_size", batch_size, 1)
    if not isinstance(objective, DataObjective):
        kind = type(objective).__name__
        raise ValueError(f"batch_size must be None for a {kind}, which has no rows, got {batch_size}")
    if objective.n_samples > _MAX_INDEXED_ROWS:
        raise ValueError(f"batch_size must be None for more than {_MAX_INDEXED_ROWS:,} rows, got {batch_size}")
    return size, -(-objective.n_samples // size)


def _several(name: str, value: Any, kind: type, expected: str) -> Sequence[Any]:
    items = [value] if isinstance(value, kind) else list(value) if isinstance(value, Iterable) else None
    if items is None or not all(isinstance(item, kind) for item in items):
        raise TypeError(f"{name} must be {expected}, one or several, got {value!r}")
    return items


def _validation(objective: Objective, validation: Any) -> Any:
    if isinstance(validation, DataObjective):
        v = validation
        found: Any = type(v)(v.X, v.y, sample_weight=v.sample_weight, intercept=v.intercept)
    elif validation is None or (isinstance(validation, Objective) and hasattr(validation, "value")):
        found = validation
    elif isinstance(validation, tuple) and len(validation) in (2, 3) and isinstance(objective, DataObjective):
        X, y, *weight = validation
        try:
            found = type(objective)(X, y, sample_weight=weight[0] if weight else None, intercept=objective.intercept)
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation: {error}") from None
    else:
        expected = "an objective or a tuple (X, y) or (X, y, sample_weight)"
        raise TypeError(f"validation must be {expected}, got {describe(validation)}")
    if found is not None and (found.n_parameters, found.dtype) != (objective.n_parameters, objective.dtype):
        raise ValueError(
            f"validation must have {objective.n_parameters} parameters of {objective.dtype} as the objective has, got "
            f"{found.n_parameters} of {found.dtype}"
        )
    return found


class _Run:
    """One call of minimize."""

    objective: Any
    runner: Any
    batch_size: int
    steps_per_epoch: int
    max_epochs: int
    max_seconds: float
    evaluate_every: int
    stop: Sequence[StopRule]
    callbacks: Sequence[Callback]
    validation: Any

    def __init__(self, optimizer: Optimizer, w: NDArray[Any], record_path: bool) -> None:
        self.optimizer, self.w = optimizer, w
        self.bar: Any = None
        self.n_epochs = 0
        self.first_step = optimizer.n_steps
        self.rows: list[tuple[float, ...]] = []
        self.path: list[NDArray[Any]] | None = [w[None].copy()] if record_path else None
        self.previous_w: NDArray[Any] | None = None
        self.best_w: NDArray[Any] | None = None
        self.best_row = 0
        self.evaluation_seconds = 0.0
        self.evaluated_steps = -1

    def result(self) -> Result:
        self.started = time.perf_counter()
        for rule in self.stop:
            rule.reset()
        try:
            reason = self._loop()
        except KeyboardInterrupt:
            reason = "interrupted"
        finally:
            self.optimizer.n_steps = self.runner.n_steps
            if self.bar is not None:
                self.bar.close()
        if reason == "interrupted":
            self.n_epochs = (self.runner.n_steps - self.first_step) // self.steps_per_epoch
        value = self._final_value(reason)
        if reason == "diverged":
            self._warn()
        names = ["epoch", "loss", "gradient_norm", "learning_rate", "seconds", "validation_loss"]
        names = names if self.validation is not None else names[:-1]
        columns = np.array(self.rows, dtype=np.float64).reshape(-1, len(names)).T
        history: dict[str, NDArray[Any]] = dict(zip(names, columns, strict=True))
        history["epoch"] = history["epoch"].astype(np.int64)
        return Result(
            w=self.w if self.best_w is None else self.best_w,
            value=value,
            converged=reason not in ("max_epochs", "max_seconds", "diverged", "callback", "interrupted"),
            stop_reason=reason,
            n_epochs=self.n_epochs,
            n_steps=self.runner.n_steps - self.first_step,
            history=history,
            path=None if self.path is None else np.concatenate(self.path),
            best_epoch=None if self.best_w is None else int(history["epoch"][self.best_row]),
        )

    def _loop(self) -> str:
        reason = self._evaluate()
        while reason is None:
            if self.n_epochs >= self.max_epochs:
                return "max_epochs"
            if time.perf_counter() - self.started >= self.max_seconds:
                return "max_seconds"
            ended = self._epoch()
            if ended == "diverged":
                return ended
            self.n_epochs += ended is None
            last = ended is not None or self.n_epochs == self.max_epochs
            if last or self.n_epochs % self.evaluate_every == 0:
                reason = self._evaluate()
            if self.bar is not None:
                self.bar.update(ended is None)
            reason = reason or ended
        return reason

    def _epoch(self) -> str | None:
        """Take the steps of an epoch; return why it ended early, if it did."""
        while True:
            now = time.perf_counter() - self.started
            if now >= self.max_seconds:
                return "max_seconds"
            n = min(_BLOCK_STEPS, self.steps_per_epoch, max(_PATH_ELEMENTS // self.w.size, 1))
            path = None if self.path is None else np.empty((n, self.w.size), self.w.dtype)
            rates = self.optimizer.rates(self.runner.n_steps, n)
            before = self.runner.n_steps
            try:
                _, done, diverged = self.runner.run(rates, min(_SLICE_SECONDS, self.max_seconds - now), path)
            finally:
                if path is not None and self.path is not None:
                    self.path.append(path[: self.runner.n_steps - before])
            if diverged:
                return "diverged"
            if done:
                return None

    def _evaluate(self) -> str | None:
        """Note where the run stands; return the reason to end it here, if there is one."""
        start = time.perf_counter()
        loss, gradient_norm = self.runner.evaluate()
        self.evaluation_seconds = time.perf_counter() - start
        if not math.isfinite(loss):
            if not self.rows:
                raise ValueError(f"objective must be finite at w0, got {loss}; look for nan and infinity in X and w0")
            self.runner.restore()
            return "diverged"
        self.evaluated_steps = self.runner.n_steps
        rate = float(self.optimizer.rates(self.runner.n_steps, 1)[0])
        seconds = time.perf_counter() - self.started
        row: tuple[float, ...] = (self.n_epochs, loss, gradient_norm, rate, seconds)
        if self.validation is not None:
            row += (self.validation.value(self.w),)
        self.rows.append(row)
        if self.validation is not None and (self.best_w is None or row[5] < self.rows[self.best_row][5]):
            self.best_row, self.best_w = len(self.rows) - 1, self.w.copy()
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{loss:.6g}", refresh=False)
        return self._ask(row) if self.stop or self.callbacks else None

    def _ask(self, row: tuple[float, ...]) -> str | None:
        w = self.w.copy()
        change = None if self.previous_w is None else float(np.linalg.norm(w - self.previous_w))
        self.previous_w = w
        _, loss, norm, rate, seconds, *validation = row
        steps = self.runner.n_steps - self.first_step
        validation_loss = validation[0] if validation else None
        progress = Progress(self.n_epochs, steps, w.copy(), loss, norm, rate, seconds, validation_loss, change)
        fired = [type(rule).__name__ for rule in self.stop if rule(progress)]
        ended = [answer is True or answer is np.True_ for answer in (callback(progress) for callback in self.callbacks)]
        return fired[0] if fired else "callback" if any(ended) else None

    def _final_value(self, reason: str) -> float:
        if self.best_w is not None:
            return self.rows[self.best_row][1]
        if reason == "diverged" or self.evaluated_steps == self.runner.n_steps:
            return self.rows[-1][1]
        if reason == "interrupted" and not 0.0 < self.evaluation_seconds < 0.5 * _SLICE_SECONDS:
            return math.nan
        return float(self.objective.value_and_gradient(self.w)[0])

    def _warn(self) -> None:
        rate = self.rows[-1][3]
        advice = f"try a learning rate of {rate / 10:.3g}"
        eigenvalue = _largest_eigenvalue(self.objective, self.w)
        largest = None if eigenvalue is None else self.optimizer.largest_stable_rate(eigenvalue)
        if largest is not None:
            advice = f"the largest stable learning rate at the last finite w is about {largest:.3g}"
        warnings.warn(
            f"the run diverged in epoch {self.n_epochs + 1} at learning rate {rate:.3g}: {advice}; scaling the "
            "features to mean 0 and deviation 1 allows larger ones",
            DivergenceWarning,
            stacklevel=4,
        )


def _largest_eigenvalue(objective: Any, w: NDArray[Any], iterations: int = 30, seconds: float = 0.5) -> float | None:
    """Estimate the Hessian's largest eigenvalue by power iteration; None without a Hessian or one above 0."""
    v = np.random.default_rng(0).standard_normal(w.size).astype(w.dtype)
    eigenvalue, end = 0.0, time.perf_counter() + seconds
    for iteration in range(iterations):
        v /= np.linalg.norm(v)
        try:
            product = objective.hessian_product(w, v)
        except (TypeError, AttributeError):
            return None
        eigenvalue, v = float(v @ product), product
        if not eigenvalue > 0.0 or (iteration > 4 and time.perf_counter() > end):
            break
    return eigenvalue if eigenvalue > 0.0 and math.isfinite(eigenvalue) else None
