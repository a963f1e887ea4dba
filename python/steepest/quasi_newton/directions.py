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
from .proximal import Kinks, orthant_direction, pseudo_gradient
from .resolved import Resolved

__all__ = ["Line", "line_from"]

Vector: TypeAlias = NDArray[np.float64]


class Line(NamedTuple):
    """A share of the whole step to the point there, and the predicted change of the objective over the whole step."""

    along: Callable[[float], NDArray[Any]]
    slope: float


def line_from(iterate: Iterate, history: LBFGSHistory, kinks: Kinks, resolved: Resolved | None = None) -> Line:
    """Return the line that a metric and its history give.

    Parameters
    ----------
    iterate : Iterate
        Where it begins.
    history : LBFGSHistory
        With the metric.
    kinks : Kinks
        Those of the objective, and where its parameters must be positive.
    resolved : Resolved, optional
        The directions that the columns tell apart. A line without kinks keeps to them.
    """
    if not kinks:
        return _smooth(iterate, history, resolved)
    if isinstance(history.metric, ActiveMetric):
        return _proximal_in_active(iterate, history.metric, kinks)
    if isinstance(history.metric, DenseMetric):
        return _proximal(iterate, history.metric, kinks)
    return _in_orthant(iterate, history, kinks)


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


def _proximal(iterate: Iterate, metric: DenseMetric, kinks: Kinks) -> Line:
    """Return the line to the minimum of the metric's quadratic model with the penalty (Lee, Sun, Saunders 2014)."""
    w, dtype = iterate.w.astype(np.float64), iterate.w.dtype
    l1, penalised, positive = kinks
    point = proximal_point(metric.matrix, iterate.gradient, w, kinks.slopes(), positive=positive)
    direction = point - w
    lower = l1 * float(np.abs(point) @ penalised - np.abs(w) @ penalised)
    return Line(
        lambda share: (point if share == 1.0 else w + share * direction).astype(dtype),
        float(direction @ iterate.gradient) + lower,
    )


def _proximal_in_active(iterate: Iterate, metric: ActiveMetric, kinks: Kinks) -> Line:
    """Return the line to the minimum of the model with the penalty, over the active parameters."""
    active, some = metric.active, kinks.of(metric.active)
    penalty = some.slopes()
    w, gradient = iterate.w[active].astype(np.float64), iterate.gradient[active]
    point = proximal_point(metric.matrix, gradient, w, penalty, exact=False, positive=some.positive)
    direction = point - w

    def along(share: float) -> NDArray[Any]:
        moved = iterate.w.copy()
        moved[active] = point if share == 1.0 else w + share * direction
        return moved

    return Line(along, dot(direction, gradient) + dot(np.abs(point) - np.abs(w), penalty))


def _in_orthant(iterate: Iterate, history: LBFGSHistory, kinks: Kinks) -> Line:
    """Return the line that ends where a parameter with a kink would change its sign (Andrew, Gao 2007)."""
    w, dtype = iterate.w.astype(np.float64), iterate.w.dtype
    l1, penalised, positive = kinks
    pseudo = pseudo_gradient(iterate.gradient, w, kinks.slopes(), positive)
    direction = orthant_direction(history.direction(pseudo), pseudo)
    sign = np.where(w != 0, np.sign(w), -np.sign(pseudo))

    smooth = penalised == 0 if l1 > 0.0 else np.ones(len(w), bool)
    if positive is not None:
        smooth, sign = smooth & ~positive, np.where(positive, 1.0, sign)

    def along(share: float) -> NDArray[Any]:
        moved = w + share * direction
        return np.where((moved * sign > 0) | smooth, moved, 0.0).astype(dtype)

    return Line(along, dot(direction, pseudo))
