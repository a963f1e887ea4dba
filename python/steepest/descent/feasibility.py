"""Checks of what a constraint asks of the rest of a run: of the objective, of the optimizer and of the start."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..constraints.projections import BoxProjection, Projection
from ..constraints.sets import Constraint, Simplex
from ..objectives.data import DataObjective
from ..objectives.protocol import Objective
from ..objectives.softmax import Softmax
from ..optimizers.base import Optimizer
from ..quasi_newton.optimizer import QuasiNewton

__all__ = ["constraint_for", "feasible_start"]


def constraint_for(constraint: Any, objective: Objective, optimizer: Optimizer | QuasiNewton) -> Projection | None:
    """Return the constraint on the objective's parameters, after it was checked that it goes with the rest."""
    if constraint is None:
        return None
    if not isinstance(constraint, Constraint):
        raise TypeError(f"constraint must be a st.Box or a st.Simplex, got {describe(constraint)}")
    if getattr(objective, "device", None) is not None:
        raise NotImplementedError(
            "constraint is not implemented for an objective on a CUDA device; make the objective of arrays in the "
            "host's memory"
        )
    if isinstance(constraint, Simplex):
        _check_simplex(objective, optimizer)
    n = objective.n_parameters
    if isinstance(objective, Softmax):
        return _of_every_class(constraint, objective)
    n_coefficients = objective.n_features if isinstance(objective, DataObjective) else n
    return constraint.bind("objective", n_coefficients, n, objective.dtype)


def _of_every_class(constraint: Constraint, objective: Softmax) -> Projection:
    """Return the bounds of one class's parameters for each of them."""
    bound = constraint.bind("objective's class", objective.n_features, objective.parameters_shape[1], objective.dtype)
    assert isinstance(bound, BoxProjection)
    return BoxProjection(np.tile(bound.lower, objective.n_classes), np.tile(bound.upper, objective.n_classes))


def _check_simplex(objective: Objective, optimizer: Optimizer | QuasiNewton) -> None:
    if isinstance(objective, Softmax):
        raise ValueError(
            "constraint=st.Simplex needs an objective with one row of coefficients, got a Softmax of "
            f"{objective.n_classes} classes; use a st.Box"
        )
    if isinstance(objective, DataObjective) and objective.alpha * objective.l1_ratio > 0.0:
        raise ValueError(
            "constraint=st.Simplex needs an objective without an L1 penalty, which is constant on the simplex, got "
            f"alpha={objective.alpha:g} and l1_ratio={objective.l1_ratio:g}; use l1_ratio=0.0"
        )
    if optimizer.scales_coordinates:
        raise ValueError(
            "constraint=st.Simplex needs an optimizer with one learning rate for all coordinates, as another comes to "
            f"rest elsewhere than at the optimum, got {type(optimizer).__name__}; use st.GradientDescent or st.Momentum"
        )


def feasible_start(
    projection: Projection | None, objective: Objective, w: NDArray[Any], *, given: bool
) -> NDArray[Any]:
    """Return a start in the set: w if it was given, which must be there, its projection if not."""
    if projection is None:
        return w
    if not given:
        return projection.project(w)
    at = projection.outside(w)
    if at is not None:
        intercept = isinstance(objective, DataObjective) and objective.intercept
        remedy = "constraint.project(w0, intercept=True)" if intercept else "constraint.project(w0)"
        if isinstance(objective, Softmax):
            remedy = remedy.replace("w0", "row") + " for each row of w0"
        raise ValueError(
            f"w0 must be in the set of the constraint, got {w[at]:g} at index {at}, where the nearest point has "
            f"{projection.project(w)[at]:g}; write {remedy}"
        )
    return w
