"""What a path asks of a solver, the choice of one, and the solver that hands each alpha to `minimize`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..constraints.sets import Box
from ..descent.minimize import minimize
from ..descent.stopping import GradientNorm
from ..descent.supervision import quiet
from ..objectives.data import DataObjective
from ..objectives.rounding import rounding_of_gradient
from ..optimizers.runner import StopReason
from ..quasi_newton.optimizer import QuasiNewton
from ..quasi_newton.proximal import pseudo_gradient
from .factors import penalty_at
from .grid import LEAST_L1_RATIO
from .null_model import NullModel

__all__ = ["EachAlone", "Goal", "Point", "Solver", "largest_subgradient"]

Vector = NDArray[np.float64]

_EPOCHS = 1000
_LEAST = float(np.finfo(np.float64).tiny)  # gap


class Point(NamedTuple):
    """The minimum at one alpha.

    Attributes
    ----------
    w : array of shape (n_parameters,), the dtype of the objective
        The parameters.
    loss : float
        The mean loss, without the penalty.
    gap : float
        About how far the objective lies above its minimum, at most; nan where nothing tells it.
    converged : bool
        Whether it lies as near as the tolerance asks.
    """

    w: NDArray[Any]
    loss: float
    gap: float
    converged: bool


class Goal(NamedTuple):
    """How near to its minimum a fit must come.

    Attributes
    ----------
    gap : float
        The largest distance of the value from its minimum.
    share : float
        The largest element of the subgradient, as a share of alpha. Where alpha is small, a value may lie near its
        minimum though the coefficients are as far from theirs as the penalty moves them; this sees to that.
    least : float
        The rounding of a gradient's element.
    """

    gap: float
    share: float
    least: float

    @classmethod
    def of(cls, objective: DataObjective, null: NullModel, l1_ratio: float, tol: float) -> Goal:
        """Return the goal for a tolerance, a share of the deviance of the null model."""
        least = rounding_of_gradient(objective, 1e-5) / math.sqrt(objective.n_parameters)
        share = math.sqrt(tol) * max(l1_ratio, LEAST_L1_RATIO)
        return cls(max(tol * abs(null.loss - objective.saturated_loss), _LEAST), share, least)

    def subgradient(self, alpha: float) -> float:
        """Return the largest element that a subgradient may have."""
        return max(self.share * alpha, self.least)


def largest_subgradient(gradient: Vector, w: Vector, l1: Vector, positive: NDArray[np.bool_] | None = None) -> float:
    """Return the largest element of the smallest subgradient of a smooth function plus sum l1 |w|."""
    return float(np.abs(pseudo_gradient(gradient, w, l1, positive)).max(initial=0.0))


class Solver(Protocol):
    """Minimises an objective at one alpha after the other, each from the minimum before."""

    n_passes: int
    """The passes over the rows so far."""

    def solve(self, alpha: float) -> Point:
        """Return the minimum at an alpha, which is at most that of the call before."""
        ...


class EachAlone:
    """Runs `QuasiNewton` for each alpha, from the minimum before.

    A run ends when the norm of the smallest subgradient is as small as its largest element must be.
    """

    def __init__(
        self, objective: DataObjective, null: NullModel, l1_ratio: float, goal: Goal, positive: bool = False
    ) -> None:
        self._objective, self._l1_ratio, self._w, self._goal = objective, l1_ratio, null.w, goal
        self._constraint = Box(0.0, math.inf) if positive else None
        self.n_passes = 0

    def solve(self, alpha: float) -> Point:
        """Return the minimum at an alpha."""
        objective = self._objective.with_penalty(alpha, self._l1_ratio)
        goal = GradientNorm(self._goal.subgradient(alpha))
        with quiet():
            options: dict[str, Any] = {"stop": goal, "max_epochs": _EPOCHS, "constraint": self._constraint}
            result = minimize(objective, self._w, QuasiNewton(), **options)
        if result.stop_reason == StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        self.n_passes += result.n_epochs + 1
        self._w = w = result.w.ravel()
        return Point(w, result.value - penalty_at(objective, w, alpha, self._l1_ratio), math.nan, result.converged)
