"""The choice of the solver of a path, by the loss and the shape of the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from .factors import bounded, penalty_factors
from .gram import Gram
from .newton import Newton
from .null_model import NullModel
from .solvers import EachAlone, Goal, Solver
from .wide import WorkingSets

__all__ = ["keeps_hessian", "solver_for"]

_MOST = 2048  # parameters for which a path keeps a Hessian


def keeps_hessian(objective: DataObjective) -> bool:
    """Return whether a path keeps a Hessian."""
    return objective.n_parameters <= _MOST and objective.supports(Capability.HESSIAN)


def solver_for(
    objective: DataObjective,
    null: NullModel,
    l1_ratio: float,
    tol: float,
    positive: bool,
    alphas: NDArray[np.float64],
) -> Solver:
    """Return the solver of a path over some alphas, from the null model on."""
    goal = Goal.of(objective, null, l1_ratio, tol)
    if WorkingSets.takes(objective, l1_ratio):
        return WorkingSets(objective, null, l1_ratio, goal, positive, alphas)
    free = positive and bool((penalty_factors(objective)[bounded(objective)] == 0.0).any())
    keeps = keeps_hessian(objective) and not free  # what is not penalised cannot be eliminated beside a bound
    if keeps and objective.constant_curvature:
        return Gram(objective, null, l1_ratio, goal, positive)
    if keeps:
        return Newton(objective, null, l1_ratio, goal, positive)
    return EachAlone(objective, null, l1_ratio, goal, positive)
