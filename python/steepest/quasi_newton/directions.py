"""The line that a step of QuasiNewton is searched along: without a penalty, by a proximal point, or in an orthant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import dot
from ..working_sets.proximal_point import proximal_point
from .active import ActiveMetric
from .lbfgs import LBFGSHistory
from .line_search import Iterate
from .metric import DenseMetric
from .proximal import orthant_direction, pseudo_gradient
from .resolved import Resolved

__all__ = ["Line", "line_from"]

Vector: TypeAlias = NDArray[np.float64]


class Line(NamedTuple):
    """A share of the whole step to the point there, and the predicted change of the objective over the whole step."""

    along: Callable[[float], NDArray[Any]]
    slope: float


def line_from(
    iterate: Iterate, history: LBFGSHistory, l1: float, penalised: Vector, resolved: Resolved | None = None
) -> Line:
    """Return the line that a metric and its history give.

    Parameters
    ----------
    iterate : Iterate
        Where it begins.
    history : LBFGSHistory
        With the metric.
    l1 : float
        Factor of the L1 norm in the objective.
    penalised : array of shape (n_parameters,)
        1 for each parameter that is in the norm, 0 for the others.
    resolved : Resolved, optional
        The directions that the columns tell apart. A line without a penalty keeps to them.
    """
    if l1 == 0.0:
        return _smooth(iterate, history, resolved)
    if isinstance(history.metric, ActiveMetric):
        return _proximal_in_active(iterate, history.metric, l1, penalised)
    if isinstance(history.metric, DenseMetric):
        return _proximal(iterate, history.metric, l1, penalised)
    return _in_orthant(iterate, history, l1, penalised)


def _smooth(iterate: Iterate, history: LBFGSHistory, resolved: Resolved | None) -> Line:
    if resolved is None:
        direction = history.direction(iterate.gradient)
    else:
        direction = resolved.step(history.direction(resolved.gradient(iterate.gradient)))

    def along(share: float) -> NDArray[Any]:
        moved = np.multiply(direction, share, out=history.scratch)
        moved += iterate.w
        return moved.astype(iterate.w.dtype)

    return Line(along, dot(direction, iterate.gradient))


def _proximal(iterate: Iterate, metric: DenseMetric, l1: float, penalised: Vector) -> Line:
    """Return the line to the minimum of the metric's quadratic model with the penalty (Lee, Sun, Saunders 2014)."""
    w, dtype = iterate.w.astype(np.float64), iterate.w.dtype
    point = proximal_point(metric.matrix, iterate.gradient, w, l1 * penalised)
    direction = point - w
    lower = l1 * float(np.abs(point) @ penalised - np.abs(w) @ penalised)
    return Line(
        lambda share: (point if share == 1.0 else w + share * direction).astype(dtype),
        float(direction @ iterate.gradient) + lower,
    )


def _proximal_in_active(iterate: Iterate, metric: ActiveMetric, l1: float, penalised: Vector) -> Line:
    """Return the line to the minimum of the model with the penalty, over the active parameters."""
    active, penalty = metric.active, l1 * penalised[metric.active]
    w, gradient = iterate.w[active].astype(np.float64), iterate.gradient[active]
    point = proximal_point(metric.matrix, gradient, w, penalty, exact=False)
    direction = point - w

    def along(share: float) -> NDArray[Any]:
        moved = iterate.w.copy()
        moved[active] = point if share == 1.0 else w + share * direction
        return moved

    return Line(along, dot(direction, gradient) + dot(np.abs(point) - np.abs(w), penalty))


def _in_orthant(iterate: Iterate, history: LBFGSHistory, l1: float, penalised: Vector) -> Line:
    """Return the line that ends where a penalised parameter would change its sign (Andrew, Gao 2007)."""
    w, dtype = iterate.w.astype(np.float64), iterate.w.dtype
    pseudo = pseudo_gradient(iterate.gradient, w, l1 * penalised)
    direction = orthant_direction(history.direction(pseudo), pseudo)
    sign = np.where(w != 0, np.sign(w), -np.sign(pseudo))

    def along(share: float) -> NDArray[Any]:
        moved = w + share * direction
        return np.where((moved * sign > 0) | (penalised == 0), moved, 0.0).astype(dtype)

    return Line(along, dot(direction, pseudo))
