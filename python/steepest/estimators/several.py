"""Several targets at once: one factor of the Hessian for all of them, or else a fit for each over the same X."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import describe
from ..arrays.sparse import CSRView
from ..arrays.table import Table
from ..descent.diagnosis import Diagnosis
from ..descent.result import Result
from ..descent.stopping import GradientNorm
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.rounding import rounding_of_gradient
from ..optimizers.runner import StopReason
from ..quasi_newton.optimizer import QuasiNewton
from .choice import optimizer_for, tolerance
from .features import Features
from .online import Online
from .passes import Passes
from .rows import Parameters, Rows
from .settings import FitSettings, Saved
from .training import Training
from .units import Units

__all__ = ["Outcome", "fit_targets", "stacked"]

Array = NDArray[Any]
_MOST_COLUMNS = 4096
_COLUMNS_PER_TARGET = 400  # beyond these, forming the Hessian of many rows takes longer than a fit for each target
_FEW_ROWS = 3  # rows for each column up to which it does not, however few targets there are
_STEPS = 8
_ROUNDED = 1e-5  # share of the largest slope up to which its rounding loosens the tolerance


class Outcome(NamedTuple):
    """The fit of one target."""

    result: Result
    parameters: Parameters


class _Step(NamedTuple):
    """Parameters, and the value and the norm of the gradient there."""

    w: Array
    value: float
    norm: float


def stacked(outcomes: list[Outcome]) -> Parameters:
    """Return the parameters of all targets: coefficients of shape (k, n_features), and k intercepts."""
    found = [each.parameters for each in outcomes]
    return Parameters(
        np.vstack([each.coefficients for each in found]), np.concatenate([each.intercepts for each in found])
    )


def fit_targets(
    model: Any, settings: FitSettings, X: Features, Y: Array, sample_weight: Array | None, held_out: Any, saved: Saved
) -> list[Outcome]:
    """Fit a model to several targets.

    Parameters
    ----------
    model : LinearRegressor
        The model, whose attributes are not set.
    settings : FitSettings
        Its parameters.
    X, Y, sample_weight : arrays
        The checked rows. Y has shape (n, k).
    held_out : pair or None
        X and the list of the targets of the validation set.
    saved : Saved
        It must not ask for a checkpoint.
    """
    if saved.checkpoint is not None:
        raise ValueError(
            f"checkpoint must be None for y of several targets, got {describe(saved.checkpoint)}; fit a model for each "
            "target, with a checkpoint of its own"
        )
    starts = _starts(model, settings, Y.shape[1])
    targets = [
        model._checked_target(np.ascontiguousarray(Y[:, j]), j, sample_weight, X.dtype) for j in range(Y.shape[1])
    ]
    rows = [Rows(X, y, sample_weight, sample_weight) for y in targets]
    shared = None if held_out is not None else _of_shared_factor(model._training(settings), rows)
    outcomes = []
    for j, start in enumerate(starts):
        if shared is not None and shared[j].result.converged:
            outcomes.append(shared[j])
            continue
        if shared is not None:
            start = shared[j].parameters  # rounding needs the care of QuasiNewton
        validation = None if held_out is None else Rows(held_out[0], held_out[1][j], None, None)
        result, parameters, _ = model._run(settings, rows[j], validation, start, saved)
        if result.stop_reason == StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        outcomes.append(Outcome(result, parameters))
    return outcomes


def _starts(model: Any, settings: FitSettings, k: int) -> list[Parameters | None]:
    """Return the parameters that each target starts from."""
    previous = model._previous_targets() if settings.warm_start else None
    if previous is None:
        return [None] * k
    if len(previous.coefficients) != k:
        raise ValueError(f"y must have {len(previous.coefficients)} target(s) as in the last fit (warm_start), got {k}")
    return [Parameters(previous.coefficients[j : j + 1], previous.intercepts[j : j + 1]) for j in range(k)]


def _of_shared_factor(training: Training, rows: list[Rows]) -> list[Outcome] | None:
    """Return the fits by one factor of the Hessian, converged or not; None if there is none, or none that is fast."""
    if not _may_share(training, rows[0].X, len(rows)):
        return None
    with training.settings.in_threads():
        shared = _Shared.of(training, rows[0])
        return None if shared is None else shared.fit(rows)


def _may_share(training: Training, X: Features, k: int) -> bool:
    """Return whether one factor of the Hessian can serve all targets, and is the faster way."""
    settings = training.settings
    squares = training.loss.constant_curvature and (settings.alpha or 0.0) * settings.l1_ratio == 0.0
    factors = settings.penalty_weight
    bounded = settings.positive or (factors is not None and np.isinf(factors).any())
    plain = not bounded and not settings.early_stopping and not settings.callbacks and settings.max_iter >= _STEPS
    n, d = X.shape
    fast = d <= _COLUMNS_PER_TARGET * k or n <= _FEW_ROWS * d
    singular = n < d and settings.alpha == 0.0
    if not (squares and plain and fast) or d > _MOST_COLUMNS or singular:
        return False
    optimizer = optimizer_for(settings, 1) if settings.batch_size is None else None
    return isinstance(optimizer, QuasiNewton) and tolerance(settings, optimizer, X.dtype) is not None


@dataclass(frozen=True)
class _Shared:
    """What least squares shares among targets: the rows as they are fitted, and the factor of the Hessian.

    The first solution and each refinement take one pass over X, of which `Passes` says what it costs. A target is done
    when its own gradient, over all rows, is as small as the tolerance of an ordinary fit asks for. The corrected
    seminormal equations: Björck, "Numerical Methods for Least Squares Problems", 1996.
    """

    training: Training
    units: Units
    scaling: Any
    objective: DataObjective
    factor: Any
    roots: NDArray[np.float64] | None

    @classmethod
    def of(cls, training: Training, rows: Rows) -> _Shared | None:
        """Return the factor; None if the Hessian is singular or the rows give none."""
        settings, alpha = training.settings, training.alpha(rows.total())
        rescales = alpha == 0.0 or settings.standardize
        plain = Rows(rows.X, np.zeros_like(rows.y), rows.sample_weight, rows.loss_weight)
        units = Units.of_fit(plain, rescales=rescales, exact=True, centres=False, has_target_units=False, keeps=True)
        own = units.rows(plain)
        scaling = training._scaling(own, units, Online(), True, rescales)
        if isinstance(own.X, CSRView) and scaling is not None and scaling.loses_digits(units.dtype):
            units = dataclasses.replace(units, dtype=np.dtype(np.float64))
            own = units.rows(plain)
        objective = training.bind(own, scaling, alpha, units)
        if not objective.native.supports(Capability.HESSIAN):
            return None
        hessian = objective.native.hessian(np.zeros(objective.n_parameters, objective.dtype))
        factor = _core.Cholesky(hessian, 0.0)
        if not factor.definite:
            return None
        sparse = isinstance(own.X, CSRView | Table)
        roots = np.sqrt(np.diag(hessian).astype(np.float64)) if sparse else None
        return cls(training, units, scaling, objective, factor, roots)

    def fit(self, rows: list[Rows]) -> list[Outcome]:
        """Fit all targets. A result has converged if its gradient is small enough."""
        began, centres = time.perf_counter(), self.training.centres
        units = [self.units.of_target(each, centres) for each in rows]
        targets = np.stack([own.targets_of(each) for own, each in zip(units, rows, strict=True)])
        near = self.scaling is None or not self.scaling.loses_digits(self.units.dtype)
        steps = self._descend(Passes.of(self.objective, targets, near))
        seconds = time.perf_counter() - began
        return [self._outcome(own, y, found, seconds) for own, y, found in zip(units, targets, steps, strict=True)]

    def _descend(self, passes: Passes) -> list[list[_Step]]:
        """Return the steps of Newton's method for each target, from zeros until rounding alone is left."""
        k, dtype = len(passes.targets), self.objective.dtype
        steps: list[list[_Step]] = [[] for _ in range(k)]
        active, w = np.arange(k), np.zeros((k, self.objective.n_parameters), dtype)
        before = np.full(k, math.inf)
        for _ in range(_STEPS):
            values, gradients = passes(active, w[active])
            for j, value, gradient in zip(active, values, gradients, strict=True):
                scaled = gradient if self.roots is None else gradient / self.roots
                steps[j].append(_Step(w[j].copy(), float(value), float(np.linalg.norm(scaled))))
            moves = self.factor.solve_all(np.ascontiguousarray(gradients))
            falls = np.einsum("ij,ij->i", gradients, moves)
            goes_on = (falls > 0.0) & (falls < before[active] / 16.0)
            w[active[goes_on]] = (w[active] - moves)[goes_on].astype(dtype)
            before[active], active = falls, active[goes_on]
            if not len(active):
                break
        return steps

    def _outcome(self, units: Units, y: Array, steps: list[_Step], seconds: float) -> Outcome:
        best = min(steps[1:], key=lambda step: step.norm, default=steps[0])
        share, least = tolerance(self.training.settings, QuasiNewton(), units.dtype), 0.0
        assert share is not None
        if self.roots is None:
            objective = self.objective.with_data(self.objective.data.with_targets(y))
            least = rounding_of_gradient(objective, _ROUNDED)
        converged = math.isfinite(best.value) and best.norm <= max(share * steps[0].norm, least)
        n = len(steps)
        history = {
            "epoch": np.arange(n),
            "loss": np.array([step.value for step in steps]),
            "gradient_norm": np.array([step.norm for step in steps]),
            "learning_rate": np.ones(n),
            "seconds": np.linspace(0.0, seconds, n),
        }
        reason = GradientNorm.__name__ if converged else str(StopReason.ROUNDING)
        result = Result(best.w, best.value, converged, reason, n - 1, n - 1, history, diagnosis=Diagnosis())
        units.restore(result)
        return Outcome(result, self.training.parameters(best.w, units, self.scaling))
