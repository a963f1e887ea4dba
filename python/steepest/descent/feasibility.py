"""Checks that the objective, the optimizer and the start of a run go with its constraint."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..constraints.projections import BoxProjection, Projection
from ..constraints.sets import Constraint, Simplex
from ..objectives.protocol import Capability, Layout, Objective, layout_of, missing, penalty_of, supports
from ..optimizers.base import Optimizer
from ..quasi_newton.optimizer import QuasiNewton

__all__ = ["constraint_for", "feasible_start"]


def constraint_for(constraint: Any, objective: Objective, optimizer: Optimizer | QuasiNewton) -> Projection | None:
    """Return the projection of the objective's parameters; first check that objective and optimizer allow it."""
    if constraint is None:
        return None
    if not isinstance(constraint, Constraint):
        raise TypeError(f"constraint must be a st.Box or a st.Simplex, got {describe(constraint)}")
    if not supports(objective, Capability.CONSTRAINT):
        remedy = "make the objective from arrays in the host's memory"
        raise missing(objective, Capability.CONSTRAINT, "constraint", remedy)
    if isinstance(constraint, Simplex):
        _check_simplex(objective, optimizer)
    layout = layout_of(objective)
    if layout.n_scores > 1:
        return _of_every_class(constraint, layout, objective.dtype)
    return constraint.bind("objective", layout.n_features, objective.n_parameters, objective.dtype)


def _of_every_class(constraint: Constraint, layout: Layout, dtype: np.dtype[Any]) -> Projection:
    """Return the bounds of one class's parameters, repeated for every class."""
    n_parameters = layout.n_features + layout.intercept
    bound = constraint.bind("objective's class", layout.n_features, n_parameters, dtype)
    assert isinstance(bound, BoxProjection)
    return BoxProjection(np.tile(bound.lower, layout.n_scores), np.tile(bound.upper, layout.n_scores))


def _check_simplex(objective: Objective, optimizer: Optimizer | QuasiNewton) -> None:
    layout, penalty = layout_of(objective), penalty_of(objective)
    if layout.n_scores > 1:
        raise ValueError(
            f"constraint=st.Simplex needs an objective with one row of coefficients, got a {type(objective).__name__} "
            f"of {layout.n_scores} classes; use a st.Box"
        )
    if penalty.l1 > 0.0:
        raise ValueError(
            "constraint=st.Simplex needs an objective without an L1 penalty, which is constant on the simplex, got "
            f"alpha={penalty.alpha:g} and l1_ratio={penalty.l1_ratio:g}; use l1_ratio=0.0"
        )
    if optimizer.scales_coordinates:
        raise ValueError(
            "constraint=st.Simplex needs an optimizer with one learning rate for all coordinates, got "
            f"{type(optimizer).__name__}, which scales each coordinate and would converge to the wrong point; use "
            "st.GradientDescent or st.Momentum"
        )


def feasible_start(
    projection: Projection | None, objective: Objective, w: NDArray[Any], *, given: bool
) -> NDArray[Any]:
    """Return a start in the set of the constraint.

    That is the projection of w, unless the user gave w: then w must be in the set already.
    """
    if projection is None:
        return w
    if not given:
        return projection.project(w)
    at = projection.outside(w)
    if at is not None:
        layout = layout_of(objective)
        remedy = "constraint.project(w0, intercept=True)" if layout.intercept else "constraint.project(w0)"
        if layout.n_scores > 1:
            remedy = remedy.replace("w0", "row") + " for each row of w0"
        raise ValueError(
            f"w0 must be in the set of the constraint, got {w[at]:g} at index {at}, where the nearest point in it has "
            f"{projection.project(w)[at]:g}; write {remedy}"
        )
    return w
