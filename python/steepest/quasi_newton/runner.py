"""How QuasiNewton goes about a run: a sample first, then steps over all rows in the coordinates that it gives."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..analysis.separating_values import SeparatingValues
from ..arrays.norm import norm_of
from ..objectives.conditioned import conditioned
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.rounding import amplified_rounding
from ..objectives.used import UsedColumns
from ..optimizers.runner import Evaluation, Steps, StopReason
from .active import ActiveMetric
from .blocks import SparseBlocks
from .continuing import history_from, iterate_from, state_of_history, state_of_iterate
from .directions import line_from
from .lbfgs import LBFGSHistory, bytes_of_pairs
from .line_search import NOISE, Iterate, backtrack
from .little_data import least_squares_of_little_data
from .majorant import Majorant
from .metric import BlockMetric, DenseMetric, DiagonalMetric, Metric, fix_softmax_gauge, is_nearly_diagonal
from .plan import SamplePlan
from .proximal import Kinks, pseudo_gradient
from .resolved import Resolved
from .sample import check_units, column_squares, mean_block
from .sampled_start import SEED, WINDOW, Evaluator, SampledStart
from .scaled import ScaledNorm, is_judged_scaled
from .verdict import Judge

__all__ = ["QuasiNewtonRunner"]

Vector: TypeAlias = NDArray[np.float64]

_SHORT_WINDOW = 2  # steps that the pace of a whole Hessian is taken from
_CLEARLY, _MOST_STALLED = 0.99, 20  # a fall of the gradient, and steps without one where rounding hides the values
_COUNTS = ("_n_steps", "_stalled", "_lowest", "_largest_value", "_looked", "_rows")


class QuasiNewtonRunner(SampledStart):
    """Takes the iterations of a run."""

    def __init__(
        self,
        objective: DataObjective,
        w: NDArray[Any],
        n_steps: int = 0,
        positive: NDArray[np.bool_] | None = None,
    ) -> None:
        self.parameters = w
        self._is_scaled = is_judged_scaled(objective)
        self._used = UsedColumns.of(objective, w, bytes_of_pairs(w.size, w.dtype))
        if self._used is not None:
            objective, w = self._used.objective, self._used.inner(w)
            positive = None if positive is None else self._used.inner(positive)
        self._given, self._given_w = objective, w
        self._objective, self._coordinates = conditioned(objective)
        self._w = w if self._coordinates is None else self._coordinates.to_inner(w)
        objective, w = self._objective, self._w
        check_units(objective)
        self._n_steps = n_steps
        self._l1, self._positive = objective.penalty.l1, positive
        self._kinks = Kinks.of_objective(objective, positive)
        self._samples = objective.supports(Capability.SAMPLE)
        self._plan = SamplePlan.of(objective)
        self._blocks = SparseBlocks(objective, self._plan)
        self._separating = SeparatingValues(objective, bounded=positive is not None)
        self._majorant = Majorant.of(objective)
        exact = objective.given_eps < 1e-10
        self._ridge = 1e-12 if exact else 1e-6
        self._amplified = amplified_rounding(objective)
        self._eps = float(np.finfo(w.dtype).eps)
        self._iterate: Iterate | None = None
        self._first_hessian: NDArray[Any] | None = None  # of all rows, until it is used
        self._led: tuple[Iterate, LBFGSHistory] | None = None  # where a sample leads, if the first pass went there too
        self._resolved: Resolved | None = None  # where the columns leave some directions to rounding
        self._history: LBFGSHistory | None = None
        self._solved = False  # by QR of all rows, and without a history yet
        self._norms: list[float] = []
        self._best: Iterate | None = None  # of the smallest gradient
        self._stalled = 0  # steps since then, or since the value clearly fell
        self._lowest = math.inf  # the value at that time
        self._largest_value = 0.0
        self._looked = 0  # steps taken when the Hessian was made
        self._rows = 0  # that it is of; 0: a diagonal
        self._goal = 1e-10 if exact else 1e-6
        self._judge = Judge(self._given, objective, self._coordinates, self._goal, bounded=positive is not None)

    @property
    def n_steps(self) -> int:
        return self._n_steps

    def evaluate(self) -> Evaluation:
        """Return the objective and the norm of its (smallest sub)gradient at w."""
        iterate = self._here()
        if self._coordinates is None or self._l1 > 0.0:
            return Evaluation(iterate.value, iterate.norm)
        return Evaluation(iterate.value, self._coordinates.norm(self._subgradient(iterate)))

    def scaled_gradient_norm(self) -> float | None:
        """Return the norm that the diagonal of the Hessian scales, if the rows are sparse."""
        return self._scaled_norm.of(self._here().w, self._here().gradient) if self._is_scaled else None

    @cached_property
    def _scaled_norm(self) -> ScaledNorm:
        return ScaledNorm(self._objective, self._positive)

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        """Take one iteration."""
        iterate = self._here()
        if not (math.isfinite(iterate.value) and math.isfinite(iterate.norm)):
            return Steps(0, False, True)
        if self._solved:
            self._take_metric_of_solution()
        if self._history is None:
            iterate = self._better_start(iterate)
        self._norms = self._norms or [iterate.norm]
        self._largest_value = max(self._largest_value, abs(iterate.value))
        found = (
            self._begin(iterate) if self._history is None else self._step(iterate) or self._step_by_diagonal(iterate)
        )
        if found is None:
            self.finished = StopReason.PRECISION
            best = self._best or iterate
            if best.norm < iterate.norm and best.value <= iterate.value + self._noise(iterate):
                self._go_to(best)
        else:
            self._go_to(found)
            self._stalled += 1
            if self._best is None or found.norm < _CLEARLY * self._best.norm:
                self._best, self._stalled, self._lowest = found, 0, min(self._lowest, found.value)
            elif found.value < self._lowest - self._noise(found):  # values that rounding does not hide still fall
                self._stalled, self._lowest = 0, found.value
            self._norms.append(found.norm)
            if not self._solved:
                self._renew_metric()
        if self._iterate is not None and self._separating.shows(self._iterate.w, self._iterate.value):
            self.finished = StopReason.SEPARABLE
        self._n_steps += 1
        if path is not None:
            path[0] = self.parameters
        return Steps(1, True, False)

    def _go_to(self, found: Iterate) -> None:
        self._iterate = found
        self._w[:] = found.w
        if self._coordinates is not None:
            self._given_w[:] = self._coordinates.to_raw(found.w)
        if self._used is not None:
            self._used.write(self._given_w, self.parameters)

    def restore(self) -> None:
        """Leave w where it is: a line search accepts only finite points."""

    def state(self) -> dict[str, Any]:
        """Return the point, the metric with its pairs, and all counts."""
        if self._solved:
            self._take_metric_of_solution()
        counts = {name: getattr(self, name) for name in _COUNTS}
        state = {**counts, "w": self._w, "given_w": self._given_w, "norms": np.array(self._norms, dtype=np.float64)}
        state["finished"] = None if self.finished is None else str(self.finished)
        if self._history is None:  # before the first step, which the run takes as any other does
            return state
        best = {"best is here": True} if self._best is self._iterate else state_of_iterate("best", self._best)
        state |= {"resolved": self._resolved is not None, **state_of_iterate("here", self._iterate), **best}
        return {**state, **self._blocks.state(), **state_of_history(self._history)}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name in _COUNTS:
            setattr(self, name, state.get(name, math.inf) if name == "_lowest" else state[name])  # older files lack it
        self._w[:], self._given_w[:], self._norms = state["w"], state["given_w"], state["norms"].tolist()
        if self._used is not None:
            self._used.write(self._given_w, self.parameters)
        self.finished = None if state["finished"] is None else StopReason(state["finished"])
        if "kind" not in state:
            self._here()
            return
        self._iterate, self._history = iterate_from("here", state), history_from(state)
        self._best = self._iterate if "best is here" in state else iterate_from("best", state)
        self._resolved = Resolved.of(self._objective) if state["resolved"] else None
        self._blocks.resume(state)

    def verdict(self, reason: str) -> str:
        """Return why the run ended, in the light of where it did."""
        first = self._norms[0] if self._norms else math.nan
        return self._judge.verdict(reason, self._iterate, self._given_w, first, lambda: self._zeros)

    def _better_start(self, iterate: Iterate) -> Iterate:
        """Return zeros if they are better: far out all rows may be saturated, and values and gradients are no measure.

        Where curvature has no bound, the step from zeros may be far too long. An intercept alone is a better start.
        """
        if iterate.w.any() and self._zeros.value < iterate.value:
            iterate = self._zeros
        objective = self._objective
        bounded = not math.isinf(objective.largest_curvature)
        known = objective.supports(Capability.TARGETS) or objective.data.target_facts is not None
        if bounded or not objective.intercept or not known:
            return iterate
        found = self._evaluate_all_rows(self._objective.constant_model())
        return found if found.value < iterate.value else iterate

    @cached_property
    def _zeros(self) -> Iterate:
        return self._evaluate_all_rows(np.zeros_like(self._w))

    def _here(self) -> Iterate:
        if self._iterate is None:
            self._iterate = self._start()
            if not self._iterate.w.any():
                self._zeros = self._iterate
        return self._iterate

    def _start(self) -> Iterate:
        """Evaluate where the run begins.

        If it begins at zeros, the pass does more: it takes the Hessian where the first step needs that of all rows, or
        it evaluates the point to which a sample leads.
        """
        w, native, plan, objective = self._w.copy(), self._objective.native, self._plan, self._objective
        if w.any() or math.isinf(objective.largest_curvature):
            return self._evaluate_all_rows(w)
        if plan.whole and plan.rows == objective.n_samples:
            value, gradient, self._first_hessian = native.value_gradient_and_hessian(w)
            return self._iterate_at(native, w, value, gradient)
        if max(plan.rows, plan.hessian_rows) < objective.n_samples and self._takes_two_points:
            found, history = self._lead_of_sample(w)
            value, gradient, of_found, gradient_of_found = native.values_and_gradients(w, found.w)
            start = self._iterate_at(native, w, value, gradient)
            if math.isfinite(start.norm):
                self._led = self._iterate_at(native, found.w, of_found, gradient_of_found), history
                return start
        return self._evaluate_all_rows(w)

    @property
    def _takes_two_points(self) -> bool:
        two = self._objective.layout.n_scores == 1 and self._objective.native.supports(Capability.TWO_POINTS)
        return self._samples and two

    def _iterate_at(self, native: Any, w: NDArray[Any], value: float, gradient: NDArray[Any]) -> Iterate:
        found = Iterate.at(native, w, value, gradient)
        if self._positive is not None:
            found.norm = norm_of(self._subgradient(found))
        return found

    def _subgradient(self, iterate: Iterate) -> Vector:
        """Return the smallest subgradient, without what a bound holds back."""
        if self._positive is None:
            return iterate.gradient
        w = iterate.w.astype(np.float64)
        return pseudo_gradient(iterate.gradient, w, self._kinks.slopes(), self._positive)

    def _evaluate_at(self, native: Any, w: NDArray[Any], prior: Vector | None = None) -> Iterate:
        value, gradient = native.value_and_gradient(w)
        if prior is not None:
            value, gradient = value + 0.5 * float(prior @ (w * w)), gradient + (prior * w).astype(w.dtype)
        return self._iterate_at(native, w, value, gradient)

    def _evaluate_all_rows(self, w: NDArray[Any]) -> Iterate:
        return self._evaluate_at(self._objective.native, w)

    def _begin(self, iterate: Iterate) -> Iterate:
        """Go where a sample leads, and take its curvature."""
        exact = least_squares_of_little_data(self._objective) if self._positive is None else None
        if exact is not None:
            found = self._evaluate_all_rows(exact.astype(iterate.w.dtype))
            if found.value <= iterate.value:
                self._solved = True
                return found
        led, self._led = self._led, None
        if led is None:
            start, history = self._lead_of_sample(iterate.w, iterate)
            all_rows = (self._plan.rows, self._rows)[self._plan.whole] == self._objective.n_samples
            led = start if all_rows or not self._samples else self._evaluate_all_rows(start.w), history
        found, self._history = led
        return found if found.value < iterate.value else iterate

    def _take_metric_of_solution(self) -> None:
        """Take the curvature where QR led: as a rule it is the minimum, and no step follows."""
        self._solved, self._rows = False, self._objective.n_samples
        metric = self._metric(self._objective.native, self._w) if self._plan.possible else self._diagonal()
        self._history = LBFGSHistory(metric)

    def _curvature(self, rows: int, w: NDArray[Any]) -> Metric:
        self._rows = rows
        return self._metric(self._objective.sample(rows, SEED), w)

    def _metric(self, sample: Any, w: NDArray[Any], prior: Vector | None = None) -> Metric:
        """Return a sample's Hessian; its diagonal alone where the squares of a column overflow."""
        hessian, self._first_hessian = self._first_hessian, None
        if hessian is None:
            hessian = sample.hessian(w)
        if self._majorant is not None:
            hessian = self._majorant.hessian(hessian, w, self._rows, SEED)
        if not np.isfinite(hessian).all():
            return self._diagonal()
        if self._objective.layout.n_scores > 1:
            objective, of_penalty = self._objective, (self._objective.alpha, self._objective.penalty_weight)
            if self._positive is not None:  # beside coefficients that are held at 0, a shift of the others is no gauge
                of_penalty = 1.0, None
            fix_softmax_gauge(hessian, objective.layout, *of_penalty)
        if prior is not None:
            hessian.flat[:: len(w) + 1] += prior
        metric = DenseMetric(hessian, self._ridge)
        asks = self._history is None and self._resolved is None and Resolved.may_be_asked(self._objective)
        asks = asks and self._positive is None
        if asks and metric.is_nearly_singular(self._ridge + self._eps * self._amplified):
            self._resolved = Resolved.of(self._objective)
        return metric

    def _diagonal(self) -> DiagonalMetric:
        self._rows = 0
        part = 1.0 if self._majorant is None else self._majorant.part(self._w)
        return DiagonalMetric(part * column_squares(self._objective, self._plan.rows, SEED))

    def _take_block_metric(self) -> None:
        """Take one matrix for all classes' parameters in place of the diagonal, where it has more to say."""
        self._rows = self._plan.block_rows
        block = mean_block(self._objective, self._w, self._rows, SEED)
        if np.isfinite(block).all() and not is_nearly_diagonal(block):
            self._history, self._looked = LBFGSHistory(BlockMetric(block, self._ridge)), len(self._norms) - 1

    def _step(self, iterate: Iterate) -> Iterate | None:
        """Take a step over all rows; None where rounding allows no further one."""
        assert self._history is not None
        by_slopes = (
            not self._kinks and self._stalled < _MOST_STALLED and not isinstance(self._history.metric, DenseMetric)
        )
        found = self._search(self._evaluate_all_rows, iterate, self._history, by_slopes)
        if found is None and len(self._history):
            self._history.clear()
            found = self._search(self._evaluate_all_rows, iterate, self._history)
        if found is not None:
            self._history.note(iterate, found)
        return found

    def _step_by_diagonal(self, iterate: Iterate) -> Iterate | None:
        """Go on by a diagonal where a curvature misleads; None where rounding is what allows no further step."""
        assert self._history is not None
        if isinstance(self._history.metric, DiagonalMetric) or self._judge.is_near(
            iterate, self._norms[0], lambda: self._zeros
        ):
            return None
        self._history, self._looked = LBFGSHistory(self._diagonal()), len(self._norms) - 1
        return self._step(iterate)

    def _search(
        self, evaluate: Evaluator, iterate: Iterate, history: LBFGSHistory, by_slopes: bool = False
    ) -> Iterate | None:
        """Backtrack along the direction of a metric and its history."""
        line = line_from(iterate, history, self._kinks, self._resolved)
        if not line.slope < 0.0:
            return None
        return backtrack(iterate, line.along, line.slope, evaluate, self._noise(iterate), by_slopes)

    def _noise(self, iterate: Iterate) -> float:
        """Return about the rounding of the objective's value: of the scores, it weighs as the slopes do."""
        noise = NOISE * max(abs(iterate.value), self._size_of_losses)
        if self._objective.constant_curvature:
            noise = NOISE * (abs(iterate.value) + math.sqrt(abs(iterate.value) * self._largest_value))
        return self._eps * self._amplified * noise

    @cached_property
    def _size_of_losses(self) -> float:
        return self._objective.size_of_losses if self._objective.supports(Capability.TARGETS) else 0.0

    def _renew_metric(self) -> None:
        """Take a new Hessian, here or of more rows, or a first one in place of a diagonal, where that pays."""
        assert self._history is not None
        assert self._iterate is not None
        metric = self._history.metric
        if isinstance(metric, ActiveMetric):
            renewed = self._blocks.renewed(metric, self._iterate, self._norms[-1] / self._norms[-2])
            if renewed is not metric:
                self._history, self._looked = LBFGSHistory(renewed or self._diagonal()), len(self._norms) - 1
            return
        plan, norms, window = self._plan, self._norms, WINDOW if self._rows == 0 else _SHORT_WINDOW
        spent = len(norms) - 1 - self._looked
        if spent < window or norms[-1] <= self._goal * norms[0]:
            return
        left = self._steps_left(norms, window)
        block = self._blocks.that_pays(metric, self._iterate, spent, left - 2 * window)
        if block is not None:
            self._history.renew(block)
            self._looked = len(norms) - 1
            return
        if not plan.possible:
            pays = spent >= 0.5 * plan.block_cost and left > plan.block_cost + 2 * window
            if pays and self._rows == 0 and plan.block_rows and not self._kinks:
                self._take_block_metric()
            return
        rows = plan.more_rows(self._rows)
        if rows == self._rows and self._objective.constant_curvature:
            return
        after = window if rows == self._objective.n_samples else 2 * window  # steps: a whole Hessian leaves few
        if spent >= 0.5 * plan.cost(rows) and left > plan.cost(rows) + after:
            self._history = self._history_of(self._curvature(rows, self._w))
            self._looked = len(norms) - 1
