"""The runner of an L1 penalty over wide data, which takes a working set at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.separating_values import SeparatingValues
from ..arrays.norm import norm_of
from ..objectives.conditioned import conditioned
from ..objectives.data import DataObjective
from ..objectives.offset import has_offsets_of_scores
from ..objectives.protocol import Capability
from ..optimizers.runner import Evaluation, Runner, Steps, StopReason
from .solver import Point, WorkingSetSolver

__all__ = ["WorkingSetRunner"]

_WIDE = 4000  # columns
_SPARSE_ROWS = 1 << 15  # of sparse data: a copy of a column has all rows
_STALLED = 3  # working sets in a row that bring down neither the gap nor the gradient
_FALL, _LITTLE = 0.5, 1e-3  # of the gap: a fall of it, and of the value, that counts
_NEAR = {4: 1e-4, 8: 1e-8}  # gap, as a share of the best constant's value, beyond which a run has not converged
_NEEDED = (Capability.COLUMNS, Capability.TARGETS, Capability.STEPS)


class WorkingSetRunner(Runner):
    """Takes the iterations of a run, each of which solves for a working set and looks at all columns.

    Parameters
    ----------
    objective : DataObjective
        One that `takes` accepts.
    w : array of shape (n_parameters,)
        Where the run begins. The run changes it.
    n_steps : int
        Steps before the run.
    scaled : callable, optional
        Takes the objective, and returns an object whose ``of(w, gradient)`` is the scaled norm of a gradient.
    positive : array of bool, shape (n_parameters,), optional
        Which parameters must be at least 0: the same coefficients of every score.
    """

    def __init__(
        self,
        objective: DataObjective,
        w: NDArray[Any],
        n_steps: int = 0,
        scaled: Callable[[DataObjective], Any] | None = None,
        positive: NDArray[np.bool_] | None = None,
    ) -> None:
        self.parameters = w
        self._given_w = w
        self._objective, self._coordinates = conditioned(objective)
        self._positive, lower = positive, None
        if positive is not None:
            table = positive.reshape(objective.layout.n_scores, -1)
            lower = np.where(table[0, : objective.n_features], 0.0, -np.inf)
        self._solver = WorkingSetSolver(self._objective, lower=lower)
        self._scaled = None if scaled is None else scaled(self._objective)
        self._gradient: NDArray[np.float64] | None = None  # of the smooth part
        self._w = w if self._coordinates is None else self._coordinates.to_inner(w)
        self._n_steps = n_steps
        self._point: Point | None = None
        self._stalled, self._norm, self._least = 0, math.inf, math.inf
        self._separating = SeparatingValues(self._objective, bounded=positive is not None)

    @staticmethod
    def takes(objective: DataObjective) -> bool:
        """Return whether a run over an objective goes by working sets: an L1 penalty over wide data in memory."""
        n, d = objective.n_samples, objective.n_features
        wide = n < d or d > _WIDE
        if not (wide and objective.penalty.l1 > 0.0 and all(objective.supports(each) for each in _NEEDED)):
            return False
        if has_offsets_of_scores(objective):
            return False
        return n <= _SPARSE_ROWS or not objective.supports(Capability.ENTRIES)

    @property
    def n_steps(self) -> int:
        return self._n_steps

    @property
    def duality_gap(self) -> float | None:
        """The duality gap at w; None before the first step."""
        return None if self._point is None else self._point.gap

    def evaluate(self) -> Evaluation:
        """Return the objective and the norm of its smallest subgradient at w."""
        if self._point is None:
            value, gradient = self._objective.native.value_and_gradient(self._w)
            self._gradient = gradient.astype(np.float64)
            return Evaluation(float(value), self._norm_at(self._w, gradient))
        return Evaluation(self._point.value, self._norm)

    def scaled_gradient_norm(self) -> float | None:
        """Return the norm that the diagonal of the Hessian scales, if the rows are sparse."""
        if self._scaled is None or self._gradient is None:
            return None
        return float(self._scaled.of(self._w, self._gradient))

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        """Solve for one working set."""
        before, norm = self._point, self._norm
        if before is None:
            start = self._first()
            same = not (self._objective.intercept or start.any() or self._w.any())  # as `evaluate` was at
            before = self._solver.point(start, self._gradient if same else None)
        found = self._solver.advance(before, 0.0)
        self._go_to(found)
        little = max(4.0 * float(np.finfo(self._objective.dtype).eps) * abs(found.value), _LITTLE * before.gap)
        improved = found.gap < _FALL * before.gap or self._norm < _FALL * norm or found.value < self._least - little
        self._least = min(self._least, found.value)
        self._stalled = 0 if improved else self._stalled + 1
        if self._stalled >= _STALLED or found.gap == 0.0 or (found.settled and not found.grows and not improved):
            self.finished = StopReason.PRECISION
        if self._separating.shows(self._w, found.value):
            self.finished = StopReason.SEPARABLE
        self._n_steps += 1
        if path is not None:
            path[0] = self.parameters
        return Steps(1, True, not math.isfinite(found.value))

    def _first(self) -> NDArray[np.float64]:
        """Return the coefficients to begin with: zeros, where those of w are more than fit a working set."""
        w = self._solver.coefficients(self._w)
        few = np.count_nonzero(w.any(axis=0)) <= max(self._objective.n_samples, 128)
        return w if few else np.zeros_like(w)

    def _go_to(self, found: Point) -> None:
        self._point = found
        self._w[:] = found.parameters
        l2 = self._solver.net.l2
        gradient = found.given.copy()
        table, w = (each.reshape(len(found.w), -1)[:, : len(l2)] for each in (gradient, found.parameters))
        table += (l2 * w).astype(table.dtype)
        self._norm = self._norm_at(found.parameters, gradient)
        self._gradient = gradient.astype(np.float64)
        if self._coordinates is not None:
            self._given_w[:] = self._coordinates.to_raw(found.parameters)

    def _norm_at(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        """Return the norm of the smallest subgradient, from the gradient of the smooth part."""
        if self._positive is None:
            return float(self._objective.native.gradient_norm(w, gradient))
        left, net = gradient.astype(np.float64).reshape(self._objective.layout.n_scores, -1), self._solver.net
        d = len(net.l1)
        smooth = net._replace(l2=np.zeros(d))  # the gradient has that of the square
        left[:, :d] = smooth.subgradient(w.reshape(len(left), -1)[:, :d].astype(np.float64), left[:, :d])
        return norm_of(left)

    def restore(self) -> None:
        """Leave w where it is: only finite points are gone to."""

    def state(self) -> dict[str, Any]:
        """Return the point and all counts. The columns are copied again.

        A point that is found again from its coefficients may differ in the last bits: its scores were added up on the
        way.
        """
        point, of_point = self._point, {}
        if point is not None:
            of_point = {f"point {each.name}": getattr(point, each.name) for each in dataclasses.fields(point)}
        return {
            "n_steps": self._n_steps,
            "stalled": self._stalled,
            "least": self._least,
            "n_looks": self._solver.n_looks,
            "finished": None if self.finished is None else str(self.finished),
            "w": self._w,
            "given_w": self._given_w,
            "alive": np.empty(0, np.intp) if self._solver.alive is None else self._solver.alive,
            **of_point,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._n_steps, self._stalled, self._least = state["n_steps"], state["stalled"], state["least"]
        self.finished = None if state["finished"] is None else StopReason(state["finished"])
        self._w[:], self._given_w[:] = state["w"], state["given_w"]
        if state["alive"].size:
            self._solver.alive = state["alive"]
        if "point w" in state:
            self._go_to(Point(**{each.name: state[f"point {each.name}"] for each in dataclasses.fields(Point)}))
        self._solver.n_looks = state["n_looks"]

    def verdict(self, reason: str) -> str:
        """Return why the run ended: "rounding" where the duality gap is still large."""
        if reason != StopReason.PRECISION or self._point is None:
            return reason
        near = _NEAR[self._objective.dtype.itemsize] * self._solver.scale
        return reason if self._point.gap <= near else StopReason.ROUNDING
