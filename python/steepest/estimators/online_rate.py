"""The learning rate of `partial_fit` from the largest curvature of all rows so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.hessian import Hessian
from ..arrays.sparse import CSRView
from ..arrays.table import Table
from ..objectives.data import LOSSES, DataObjective
from ..objectives.penalty_weight import factors_of
from ..optimizers.curvature_rule import CurvatureRule
from ..optimizers.schedules import Schedule
from .features import Features
from .rows import Rows
from .scaling import Scaling

__all__ = ["curvature_of", "schedule_for"]

Vector = NDArray[np.float64]
_DENSE_PARAMETERS = 64  # of one score; up to so many, all eigenvalues cost less than a few passes
_FIRST, _LATER = 30, 6  # products of the power iteration, before and after a direction is known
_BLOCK_ELEMENTS = 1 << 18
_LARGEST_RATE = 1e300
_NUDGE = 1e-4  # of a score, relative: for the difference of two slopes


@dataclass(frozen=True)
class InverseRootDecay(Schedule):
    """The rates ``learning_rate / sqrt(1 + t / every)`` at step t.

    They suit a stream of any length and condition. Rates that fall like 1 / t end nearer to the minimum, but in badly
    conditioned directions they stop before it.

    Nemirovski, Juditsky, Lan, Shapiro, "Robust Stochastic Approximation Approach to Stochastic Programming", SIAM
    Journal on Optimization 19, 2009.
    """

    learning_rate: float
    every: float = 100.0

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.learning_rate / np.sqrt(1.0 + t / self.every), np.float64)


def schedule_for(rule: CurvatureRule, curvature: float) -> InverseRootDecay:
    """Return the learning rates of a rule, for steps on rows of at most this curvature.

    The first rate is 1 / curvature, times 1 - mu if velocities add up. Twice this rate would still lower the expected
    distance to the minimum, see `curvature_of`.
    """
    if not math.isfinite(curvature):
        raise ValueError(
            "X must have rows of finite curvature for learning_rate='auto', got rows whose squares overflow; change "
            "the units so that columns and weights are near 1, or give a number"
        )
    mu = float(getattr(rule, "momentum", 0.0))
    adds_up = mu and getattr(rule, "velocity", "") != "average"
    rate = (1.0 - mu if adds_up else 1.0) / curvature if curvature > 0.0 else 1.0  # without curvature no step moves
    return InverseRootDecay(min(rate, _LARGEST_RATE))


def curvature_of(
    objective: DataObjective, w: NDArray[Any], rows: Rows, scaling: Scaling | None, batch_size: int, last: Vector | None
) -> tuple[float, Vector | None]:
    """Return the curvature of mini-batch steps over some rows, and its direction.

    It is the largest eigenvalue of C = mean(s c x x^T), plus the largest s c |x|^2 of a row over the batch size, for
    rows x with weights s and second derivatives of at most c. A batch B has E[B^2] <= (that sum) C. The expected
    squared distance to a minimum without noise therefore falls at rates below 2 / (that sum).

    Parameters
    ----------
    objective : DataObjective
        The loss over the rows.
    w : array of shape (n_parameters,)
        The parameters, at which losses without a largest second derivative are looked at.
    rows : Rows
        The rows of the objective.
    scaling : Scaling or None
        The scaling of the columns.
    batch_size : int
        Rows of a step.
    last : array, optional
        The direction that the call before returned.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        norms = squared_norms(rows.X, scaling) + objective.intercept
        bends = _second_derivatives(objective, w, rows.X, scaling)
        heights = bends * norms if rows.loss_weight is None else bends * norms * rows.loss_weight
        if rows.loss_weight is not None:
            heights = heights[rows.loss_weight > 0]
        steepest = float(heights.max())
        if len(norms) == 1:
            return 2.0 * steepest + _largest_l2(objective), None
        size, direction = _largest(objective, rows, scaling, last)
    size *= float(np.max(bends))
    return min(size, steepest) + steepest / min(batch_size, len(norms)) + _largest_l2(objective), direction


def _largest_l2(objective: DataObjective) -> float:
    return objective.penalty.l2 * float(factors_of(objective).max())


def _largest(
    objective: DataObjective, rows: Rows, scaling: Scaling | None, last: Vector | None
) -> tuple[float, Vector | None]:
    """Return the largest eigenvalue of mean(s x x^T), and its direction where it was found by power iteration."""
    squares = LOSSES["least_squares"](
        rows.X,
        np.zeros_like(rows.y),
        sample_weight=rows.loss_weight,
        intercept=objective.intercept,
        centre=None if scaling is None else scaling.centre,
        scale=None if scaling is None else scaling.scale,
    )
    mean_weight = 1.0 if rows.loss_weight is None else rows.total() / len(rows.y)
    hessian = Hessian(squares, np.zeros(squares.n_parameters, squares.dtype))
    if squares.n_parameters <= _DENSE_PARAMETERS:
        matrix = hessian.matrix()
        if not np.isfinite(matrix).all():
            return math.inf, None
        return 0.5 * mean_weight * float(np.linalg.eigvalsh(matrix)[-1]), None
    known = last is not None and len(last) == squares.n_parameters
    size, direction = hessian.largest(last if known else None, _LATER if known else _FIRST)
    return 0.5 * mean_weight * size, direction


def squared_norms(X: Features, scaling: Scaling | None) -> Vector:
    """Return the squared norm of every row of the columns that a fit descends on."""
    if isinstance(X, Table):
        X = X.as_csr()
    if isinstance(X, CSRView):
        values, everywhere = X.widened.astype(np.float64), 0.0
        if scaling is None:
            terms = values**2
        else:
            centre, scale = scaling.centre[X.indices], scaling.scale[X.indices]
            terms = values * (values - 2.0 * centre) / scale**2
            everywhere = float(np.sum((scaling.centre / scaling.scale) ** 2))
        return np.maximum(_sums_of_rows(X, terms) + everywhere, 0.0)
    squares = np.empty(len(X), np.float64)
    size = max(1, _BLOCK_ELEMENTS // X.shape[1])
    for first in range(0, len(X), size):
        part = X[first : first + size].astype(np.float64)
        if scaling is not None:
            part = (part - scaling.centre) / scaling.scale
        np.einsum("ij,ij->i", part, part, out=squares[first : first + size])
    return squares


def _sums_of_rows(X: CSRView, terms: Vector) -> Vector:
    return np.asarray(np.bincount(X.rows_of_entries(), terms, minlength=X.shape[0]), np.float64)


def _second_derivatives(objective: DataObjective, w: NDArray[Any], X: Features, scaling: Scaling | None) -> Vector:
    """Return for every row a bound of the loss's second derivative; if there is none, its largest value known.

    That is the larger one of the value at w and the value at the best constant.
    """
    if math.isfinite(objective.largest_curvature):
        return np.full(len(X), objective.largest_curvature)
    coefficients = w[None, : objective.n_features].astype(np.float64)
    intercepts = w[-1:].astype(np.float64) if objective.intercept else np.zeros(1)
    if scaling is not None:
        coefficients, intercepts = scaling.to_original(coefficients, intercepts)
    scores = _product(X, coefficients[0]) + intercepts
    places = [scores, np.broadcast_to(objective.constant_model()[-1] if objective.intercept else 0.0, scores.shape)]
    return np.maximum(*(_differences(objective, place) for place in places))


def _product(X: Features, w: Vector) -> Vector:
    if isinstance(X, CSRView):
        return _sums_of_rows(X, X.widened.astype(np.float64) * w[X.indices])
    return np.asarray(X @ w, np.float64)


def _differences(objective: DataObjective, scores: Vector) -> Vector:
    nudge = _NUDGE * (1.0 + np.abs(scores))
    y = objective.targets.astype(np.float64)
    change = objective.row_slopes(scores + nudge, y) - objective.row_slopes(scores - nudge, y)
    return np.asarray(np.abs(change) / (2.0 * nudge))
