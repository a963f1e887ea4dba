"""The duality gap of a loss beside an elastic-net penalty: how far a point is above the minimum, at most."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import dot
from ..objectives.data import DataObjective
from ..objectives.loss import RowTerms

__all__ = ["Dual", "ElasticNet", "duality_gap"]

Vector: TypeAlias = NDArray[np.float64]

_STEPS = 12  # of the search for the best dual point


class ElasticNet(NamedTuple):
    """The penalty sum_j l1_j |w_j| + l2_j w_j^2 / 2 over w_j >= lower_j, whose bounds are 0 or -infinity.

    All arrays have the shape (d,). Infinity in l1 leaves a column out.
    """

    l1: Vector
    l2: Vector
    lower: Vector

    def value(self, w: Vector) -> float:
        """Return the penalty of coefficients of shape (..., d)."""
        used, columns = _places(w != 0.0)
        some = w.ravel()[used]
        return dot(self.l1[columns], np.abs(some)) + 0.5 * dot(self.l2[columns], some * some)

    def of(self, columns: NDArray[Any]) -> ElasticNet:
        """Return the penalty of some columns."""
        return ElasticNet(self.l1[columns], self.l2[columns], self.lower[columns])

    @property
    def positive(self) -> NDArray[np.bool_] | None:
        """Which coefficients have a bound; None if none has."""
        bounded = self.lower == 0.0
        return bounded if bounded.any() else None

    def pull(self, gradient: Vector) -> Vector:
        """Return how strongly the loss pulls each coefficient away from 0, where it may go."""
        bounded = self.positive
        return np.abs(gradient) if bounded is None else np.where(bounded, np.maximum(-gradient, 0.0), np.abs(gradient))

    def subgradient(self, w: Vector, gradient: Vector) -> Vector:
        """Return the smallest subgradient at w, from the gradient of the loss."""
        at_zero = np.copysign(np.maximum(self.pull(gradient) - self.l1, 0.0), gradient)
        l1 = np.where(np.isinf(self.l1), 0.0, self.l1)
        return np.where(w == 0.0, at_zero, gradient + self.l2 * w + l1 * np.sign(w))


class Dual(NamedTuple):
    """A duality gap, and the share of the slopes that is the dual point."""

    gap: float
    share: float


def duality_gap(
    objective: DataObjective,
    terms: RowTerms,
    y: Vector,
    shares: Vector,
    w: Vector,
    gradient: Vector,
    net: ElasticNet,
    reach: Vector | None = None,
) -> Dual:
    """Return the duality gap at w, and the dual point.

    Of F(w, b) = sum_i a_i loss(x_i . w + b, y_i) + penalty(w), with a_i the shares of the weights, the dual is ::

        D(u) = - sum_i a_i loss*(u_i) - penalty*(-X^T (a u)),    where sum_i a_i u_i = 0 with an intercept

    (Fenchel's duality: Rockafellar, Convex Analysis, 1970, section 31). The slopes r_i at the best intercept satisfy
    the equality, and so does kappa r for each kappa. Where a column has an L1 penalty alone, its penalty* is infinite
    unless kappa abs(gradient_j) <= l1_j; kappa, at most 1, makes this true of all columns (Fercoq, Gramfort, Salmon,
    "Mind the Duality Gap: Safer Rules for the Lasso", ICML 2015; Ndiaye, Fercoq, Gramfort, Salmon, "Gap Safe Screening
    Rules for Sparsity Enforcing Penalties", Journal of Machine Learning Research 18, 2017). Beside an L2 penalty,
    penalty* is finite, and kappa is searched for.

    F - D is added up term by term: of each row loss(z) + loss*(u) - u z, of each column penalty(w) + penalty*(c) - c w.
    No term is below 0. Those of rows are computed without cancellation. Of columns, the totals of the penalty and of
    c w are added, which nearly cancel near the minimum. There the gap is known to some 1e-16 of the penalty.

    Parameters
    ----------
    objective : DataObjective
        The loss.
    terms : RowTerms
        At w and the best intercept.
    y, shares : arrays of shape (n,)
        The targets, and the weights over their sum.
    w, gradient : arrays of shape (n_scores, m)
        Coefficients, and the gradient of the loss. Columns that are not among these m must be known to be 0 at the
        minimum, or not be part of the problem.
    net : ElasticNet
        Of these m columns.
    reach : array of shape (m,), optional
        For columns without a penalty, whose gradient is to be 0: how far their coefficients may be from the minimum.
        The gap grows by this times the gradient. Without it these columns are left out.
    """
    penalised, apart = (net.l1 > 0.0) | (net.l2 > 0.0), 0.0
    if not penalised.all():
        if reach is not None:
            pulls, own = net.of(~penalised).pull(gradient[:, ~penalised]), np.abs(gradient[:, ~penalised])
            left = np.where(w[:, ~penalised] == 0.0, pulls, own)
            apart = float(np.sum(left * reach[~penalised]))
        w, gradient, net = w[:, penalised], gradient[:, penalised], net.of(penalised)
    pull, smooth = net.pull(gradient), net.l2 > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.fmin(net.l1 / pull, 1.0)  # 1 for 0 / 0
    inner = outer = float(ratio.min(initial=1.0))
    if smooth.any():
        outer = float(ratio[:, ~smooth].min(initial=1.0))
    used, _ = _places(w != 0.0)
    penalty, along = net.value(w), dot(gradient.ravel()[used], w.ravel()[used])
    beyond, columns = _places(smooth & (pull > net.l1))
    over, l1, l2 = pull.ravel()[beyond], net.l1[columns], net.l2[columns]

    def gap(share: float) -> float:
        rows = float(np.sum(shares * objective.young_residuals(terms, y, share)))
        columns = penalty + share * along + 0.5 * float(np.sum(np.maximum(share * over - l1, 0.0) ** 2 / l2))
        return max(rows, 0.0) + max(columns, 0.0) + apart

    if not math.isfinite(penalty + along):
        return Dual(math.inf, 0.0)
    return _smallest(gap, inner, outer)


def _places(which: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where a table is true: places in the flat table, and columns."""
    places = np.flatnonzero(which)
    return places, places % which.shape[-1]


def _smallest(gap: Any, low: float, high: float) -> Dual:
    """Return the smallest value of a convex function between two numbers, or near it: any is a bound."""
    best = min(Dual(gap(share), share) for share in {low, high})
    if low == high:
        return best
    for _ in range(_STEPS):
        a, b = low + (high - low) / 3.0, high - (high - low) / 3.0
        at_a, at_b = gap(a), gap(b)
        best = min(best, Dual(at_a, a), Dual(at_b, b))
        low, high = (low, b) if at_a <= at_b else (a, high)
    return best
