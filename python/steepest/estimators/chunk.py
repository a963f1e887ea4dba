"""The steps of one call of `partial_fit`, over a chunk of rows."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..descent.arguments import seed_of
from ..descent.record import RunSettings
from ..descent.result import Result
from ..descent.run import Run
from ..descent.supervision import quiet
from ..extras import require
from ..objectives.columns import Columns
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability, missing, supports
from ..optimizers.base import Optimizer
from ..optimizers.chunks import ChunkRunner
from ..optimizers.curvature_rule import CurvatureRule
from ..optimizers.runner import StepPlan, StopReason
from ..warnings import levels_outside
from .choice import ONLINE_BATCH, chooses_rate, online_optimizer
from .features import taken
from .online import Online
from .online_rate import curvature_of, schedule_for
from .rows import Parameters, Rows
from .scaling import Scaling, standardising
from .training import Training
from .units import Units

__all__ = ["steps_over"]

Array = NDArray[Any]
_FAR_ABOVE = 100.0  # times the largest loss of zeros; no loss that steps have lowered is above it


def steps_over(
    training: Training, rows: Rows, before: Online, start: Parameters | None, seed: int
) -> tuple[Result, Parameters, Online]:
    """Take the steps of one epoch over some rows, from the state that the last call has left.

    Parameters
    ----------
    training : Training
        The settings and the loss.
    rows : Rows
        The rows in the original units.
    before : Online
        The state. It keeps its values: an error leaves the estimator with it. Steps that its ``w`` misses are taken.
    start : Parameters or None
        The parameters that the estimator has. None means zeros.
    seed : int
        Seed of the order of the rows.
    """
    online = _with_optimizer(training, before)
    units = _units(training, rows, online)
    online.weight += rows.total()
    rows, scaling = units.rows(rows, keeps_weights=True), None
    if training.settings.standardize:
        columns = Columns.of(rows.X, rows.sample_weight)
        online.columns = columns if online.columns is None else online.columns.with_more(columns)
        scaling = standardising(online.columns, training.settings.fit_intercept)
    alpha = training.alpha(online.weight)
    objective = training.bind(rows, scaling, alpha, units)
    w = _own_parameters(training, online, start, units, scaling, objective)
    batch_size = min(training.settings.batch_size or ONLINE_BATCH, len(rows.y))
    with _rates(objective, w, rows, scaling, batch_size, online):
        result = _run(training, objective, w, online, units, batch_size, seed)
    if online.behind is not None and scaling is not None:  # the next call has another
        online.behind.settle()
        online.behind = None
    if online.behind is not None:
        one = training.bind(_one_of(rows), None, alpha, units)
        online.behind.go_on_over(one.native, 1, False, 0, 1.0)
    parameters = training.parameters(result.w, units, scaling)
    online.w, online.exact = (w if scaling is None else None), parameters
    online.units = units
    units.restore(result)
    _warn(training, result, objective, online)
    return result, parameters, online


def _one_of(rows: Rows) -> Rows:
    """Return a copy of one row, for a descent that is kept: its rows stay alive with it."""
    return Rows(taken(rows.X, np.arange(1)), rows.y[:1].copy(), None, None)


def _with_optimizer(training: Training, before: Online) -> Online:
    """Return a state whose optimizer the steps may change. Another rate does not forget the steps so far."""
    settings = training.settings
    same_rule = before.optimizer is not None and _alike(before.made_from, settings.optimizer)
    if same_rule and _alike(before.learning_rate, settings.learning_rate):
        assert before.optimizer is not None
        if before.behind is None:
            return dataclasses.replace(before, optimizer=before.optimizer.twin())
        online, settled = dataclasses.replace(before), before.settled()
        before.w, before.optimizer, before.behind = settled.w, settled.optimizer, None
        return online
    own, optimizer = before.settled(), online_optimizer(settings)
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer must be one that takes steps for partial_fit, got {optimizer!r}")
    if same_rule:
        optimizer.load_state_dict(own.optimizer.state_dict())
    return dataclasses.replace(
        own, optimizer=optimizer, made_from=settings.optimizer, learning_rate=settings.learning_rate
    )


def _alike(one: Any, other: Any) -> bool:
    return one is other or bool(type(one) is type(other) and one == other)


def _units(training: Training, rows: Rows, online: Online) -> Units:
    """Return units that suit all targets so far."""
    if not (training.has_target_units and chooses_rate(training.settings)):
        return Units(None, 0.0, 0, rows.X.dtype, rows.X.dtype)
    targets = Columns.of(rows.y[:, None], rows.loss_weight)
    online.targets = targets if online.targets is None else online.targets.with_more(targets)
    return Units.of_stream(online.targets, rows.X.dtype, training.centres)


def _own_parameters(
    training: Training,
    online: Online,
    start: Parameters | None,
    units: Units,
    scaling: Scaling | None,
    objective: DataObjective,
) -> Array:
    """Return the array that the steps change: the one that the last steps reached, if its units are still right."""
    kept = start is not None and online.has_stored(start)
    fits = online.w is not None and (online.w.size, online.w.dtype) == (objective.n_parameters, objective.dtype)
    goes_on = kept and fits and scaling is None and units == online.units
    if online.behind is not None and not (goes_on and online.penalty == objective.penalty):
        settled = online.settled()
        online.w, online.optimizer, online.behind = settled.w, settled.optimizer, None
    online.penalty = objective.penalty
    if goes_on and online.w is not None:
        return online.w if online.behind is not None else online.w.copy()
    if online.units is not None and units.target != online.units.target:
        _to_units(online.optimizer, online.units.target - units.target)
    exact = online.exact if kept and online.exact is not None else start
    found = training.start(exact, units, scaling, objective)
    return np.zeros(objective.n_parameters, objective.dtype) if found is None else found


def _to_units(optimizer: Optimizer, exponent: int) -> None:
    """Take an optimizer's state to gradients in other units, which are 2^exponent times those of the steps so far."""
    optimizer.map_state(lambda name, array: np.ldexp(array, 2 * exponent if name.startswith("square") else exponent))


@contextmanager
def _rates(
    objective: DataObjective, w: Array, rows: Rows, scaling: Scaling | None, batch_size: int, online: Online
) -> Iterator[None]:
    """Give a rule without a rate the one that suits the largest curvature of all calls."""
    optimizer = online.optimizer
    if not (isinstance(optimizer, CurvatureRule) and optimizer.is_auto):
        yield
        return
    found, online.direction = curvature_of(objective, w, rows, scaling, batch_size, online.direction)
    online.curvature = max(online.curvature, found)
    optimizer.learning_rate = schedule_for(optimizer, online.curvature)
    try:
        yield
    finally:
        optimizer.learning_rate = "auto"


def _run(
    training: Training, objective: DataObjective, w: Array, online: Online, units: Units, batch_size: int, seed: int
) -> Result:
    """Take the steps of an epoch, which change w and the optimizer. Keep a descent whose parameters miss steps."""
    settings, n_rows = training.settings, objective.n_samples
    if not supports(objective, Capability.BATCHES):
        raise missing(objective, Capability.BATCHES, "partial_fit", "use fit", ValueError)
    shuffled = settings.shuffle and batch_size < n_rows
    plan = StepPlan(batch_size, shuffled, seed_of(seed) if shuffled else 0)
    with settings.in_threads(), quiet():
        runner = ChunkRunner(objective.native, online.optimizer, w, plan, online.behind)
        run = Run(objective, online.optimizer, runner.parameters, _run_settings(training, units, plan, n_rows), runner)
        result = run.result()
    online.behind = None
    if result.stop_reason == StopReason.DIVERGED:
        online.optimizer.forget()
        w[:] = runner.parameters
    elif runner.descent.is_behind:
        online.behind = runner.descent
    return result


def _run_settings(training: Training, units: Units, plan: StepPlan, n_rows: int) -> RunSettings:
    return RunSettings(
        batch_size=plan.batch_size,
        steps_per_epoch=math.ceil(n_rows / plan.batch_size),
        max_epochs=1,
        max_seconds=math.inf,
        evaluate_every=1,
        stop=(),
        callbacks=[units.callback(each) for each in training.settings.callbacks],
        validation=None,
        diagnose=True,
        constrained=False,
        record_path=False,
    )


def _warn(training: Training, result: Result, objective: DataObjective, online: Online) -> None:
    """Warn of a run that diverged, and of steps that took the loss far above that of zeros."""
    assert online.units is not None
    losses = result.history["loss"]
    if objective.is_of_counts or result.stop_reason == StopReason.DIVERGED:  # losses of counts have no zero
        training.warn(result, expected_to_converge=False, some_rows=True)
        return
    of_zeros = online.units.squared(float(objective.value(np.zeros(objective.n_parameters, objective.dtype))))
    online.null_loss = max(online.null_loss, of_zeros)
    if losses[-1] > losses[0] and losses[-1] > _FAR_ABOVE * online.null_loss:
        warnings.warn(
            f"The fit does not converge: the loss on the rows of this call rose from {losses[0]:.6g} to "
            f"{losses[-1]:.6g}, far above the {online.null_loss:.6g} of a model of zeros; take a lower learning rate",
            require("sklearn.exceptions", "sklearn").ConvergenceWarning,
            stacklevel=levels_outside(),
        )
        return
    training.warn(result, expected_to_converge=False, some_rows=True)
