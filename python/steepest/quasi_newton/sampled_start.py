"""Where a sample of the rows leads, before the first step over all rows, and the curvature that it gives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.source import Data
from ..optimizers.runner import Runner
from .directions import line_from
from .lbfgs import LBFGSHistory
from .line_search import Iterate
from .metric import DenseMetric, Metric
from .plan import SamplePlan
from .proximal import Kinks
from .resolved import Resolved
from .sample import prior_of

__all__ = ["SEED", "WINDOW", "Evaluator", "SampledStart"]

Vector: TypeAlias = NDArray[np.float64]
Evaluator: TypeAlias = Callable[[NDArray[Any]], Iterate]

SEED = 0  # of the sample's rows: the same run every time
WINDOW = 5  # steps that the pace of a diagonal is taken from
_NEWTON_STEPS = 12  # on the sample, at most
_NEAR_ENOUGH = 1e-3  # share of the start's gradient, on the sample, that is no better than the sample itself
_ROUGHLY = 1e-2  # the same where more rows follow
_SAMPLE_PASSES = 30  # with a diagonal


class SampledStart(Runner):
    """The part of QuasiNewton's runner that works on samples. The runner has its searches, points and metrics."""

    _objective: DataObjective
    _plan: SamplePlan
    _kinks: Kinks
    _samples: bool
    _positive: NDArray[np.bool_] | None
    _resolved: Resolved | None
    _first_hessian: NDArray[Any] | None
    _rows: int
    _goal: float

    def _search(self, evaluate: Evaluator, iterate: Iterate, history: LBFGSHistory) -> Iterate | None:
        raise NotImplementedError

    def _iterate_at(self, native: Any, w: NDArray[Any], value: float, gradient: NDArray[Any]) -> Iterate:
        raise NotImplementedError

    def _evaluate_at(self, native: Any, w: NDArray[Any], prior: Vector | None = None) -> Iterate:
        raise NotImplementedError

    def _metric(self, sample: Any, w: NDArray[Any], prior: Vector | None = None) -> Metric:
        raise NotImplementedError

    def _diagonal(self) -> Metric:
        raise NotImplementedError

    def _lead_of_sample(self, w: NDArray[Any], whole: Iterate | None = None) -> tuple[Iterate, LBFGSHistory]:
        """Return the point to which a sample leads from w, evaluated on its rows, and a metric with its history.

        `whole` is the point w, evaluated on all rows, for a sample that has them all.
        """
        objective, plan = self._objective, self._plan
        if plan.whole:
            data = objective.sample_data(plan.rows, SEED) if self._samples else objective.data
            sample = objective.sample(plan.rows, SEED, data) if self._samples else objective.native
            self._rows = plan.rows
            refines = plan.hessian_rows > plan.rows
            start, metric = self._newton(sample, data, w, whole, refines)
            if refines:
                start, metric = self._refined(start, metric)
            return start, self._history_of(metric)
        metric = self._diagonal()
        if self._positive is None and Resolved.may_be_asked(objective):
            self._resolved = Resolved.of(objective)
        sample = objective.sample(plan.rows, SEED) if self._samples else objective.native
        return self._descend(sample, w, whole, LBFGSHistory(metric))

    def _refined(self, start: Iterate, metric: Metric) -> tuple[Iterate, Metric]:
        """Take two steps on more rows, whose minimum is nearer to that of all, and return their Hessian there.

        The first is by the metric of fewer rows, and leads to where the Hessian is taken. The second is by that.
        """
        self._rows = self._plan.hessian_rows
        sample = self._objective.sample(self._rows, SEED)

        def with_hessian(w: NDArray[Any]) -> Iterate:
            value, gradient, self._first_hessian = sample.value_gradient_and_hessian(w)
            return self._iterate_at(sample, w, value, gradient)

        def stepped(iterate: Iterate, metric: Metric) -> NDArray[Any]:
            line = line_from(iterate, LBFGSHistory(metric), self._kinks, self._resolved)
            return line.along(1.0) if line.slope < 0.0 else iterate.w

        here = self._evaluate_at(sample, start.w)
        nearer = with_hessian(stepped(here, metric))
        if not nearer.value <= here.value:
            nearer = with_hessian(here.w)
        metric = self._metric(sample, nearer.w)
        if sample is self._objective.native:
            return nearer, metric
        return dataclasses.replace(nearer, w=stepped(nearer, metric)), metric

    def _history_of(self, metric: Metric) -> LBFGSHistory:
        """Return the history of a metric whose Hessian is of some rows, for steps over all rows."""
        return LBFGSHistory(metric, self._plan.factor(self._rows) if isinstance(metric, DenseMetric) else 1.0)

    def _newton(
        self, sample: Any, data: Data, w: NDArray[Any], all_rows: Iterate | None, refines: bool
    ) -> tuple[Iterate, Metric]:
        """Take Newton steps on a sample until they are as near to its minimum as that is to the objective's.

        What some columns are in few of the rows says little: these are held near zeros by a prior. Unless more rows
        refine the point, the metric is that at the point.
        """
        whole = sample is self._objective.native
        prior = None
        if not whole and self._objective.supports(Capability.ROWS):
            prior = prior_of(self._objective, data)

        def evaluate(w: NDArray[Any]) -> Iterate:
            return self._evaluate_at(sample, w, prior)

        here = all_rows if whole and all_rows is not None else evaluate(w)
        goal = 0.0 if whole else (_ROUGHLY if refines else _NEAR_ENOUGH) * here.norm
        metric = self._metric(sample, here.w, prior)
        for _ in range(1 if whole else _NEWTON_STEPS):
            found = self._search(evaluate, here, LBFGSHistory(metric))
            if found is None:
                break
            here, ended = found, found.norm <= goal
            if not (self._objective.constant_curvature or (ended and refines)):
                metric = self._metric(sample, here.w, prior)
            if ended:
                break
        return here, metric

    def _descend(
        self, sample: Any, w: NDArray[Any], all_rows: Iterate | None, history: LBFGSHistory
    ) -> tuple[Iterate, LBFGSHistory]:
        """Descend on a sample with a diagonal metric, and with the sample's Hessian from where that pays.

        What is learned of the curvature is kept: it is about that of all rows.
        """
        whole = sample is self._objective.native

        def evaluate(w: NDArray[Any]) -> Iterate:
            return self._evaluate_at(sample, w)

        here = all_rows if whole and all_rows is not None else evaluate(w)
        norms, goal = [here.norm], self._plan.goal(_NEAR_ENOUGH) * here.norm
        for _ in range(1 if whole else _SAMPLE_PASSES):
            found = self._search(evaluate, here, history)
            if found is None:
                break
            history.note(here, found)
            here = found
            norms.append(here.norm)
            if here.norm <= goal:
                break
            if self._rows == 0 and self._hessian_pays(norms):
                self._rows = self._plan.rows
                history = LBFGSHistory(self._metric(sample, here.w))
        return here, history if self._rows == 0 else self._history_of(history.metric)

    def _hessian_pays(self, norms: list[float]) -> bool:
        """Return whether steps by a diagonal fall so slowly on a sample that all rows are better off with a Hessian."""
        if not self._plan.possible or len(norms) <= 2 * WINDOW:
            return False
        return self._steps_left(norms, WINDOW) > self._plan.cost(self._plan.rows) + 2 * WINDOW

    def _steps_left(self, norms: list[float], window: int) -> float:
        """Return how many steps are left at the pace of the last few."""
        fall = math.log(norms[-1 - window] / norms[-1]) / window if norms[-1 - window] > norms[-1] else 0.0
        return math.log(norms[-1] / (self._goal * norms[0])) / fall if fall > 0.0 else math.inf
