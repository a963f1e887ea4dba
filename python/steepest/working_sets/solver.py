"""`WorkingSetSolver`: the minimum of a loss beside an L1 penalty, over few of many columns at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from .gap import Dual, ElasticNet
from .gathered import GatheredColumns
from .subproblem import Place, Subproblem

__all__ = ["Point", "Solved", "WorkingSetSolver"]

Vector: TypeAlias = NDArray[np.float64]
Columns: TypeAlias = NDArray[np.intp]

_FIRST = 128  # columns of the first working set
_NEAR = 0.95  # of the penalty: a column that is pulled so strongly is in every working set
_LOOSE, _TIGHT = 0.03, 1e-3  # of the gap, to which a working set is solved: while it grows, and when it has all columns
_MOST = 200  # working sets
_STALLED = 3  # working sets in a row that do not bring the gap down
_FALL = 0.5  # of the gap
_LOOKS = 3  # passes, before columns are screened: their sizes cost one or two
_SLACK = 1e3  # units in the last place
_KEPT = 4  # times the columns of a working set that are kept beside it


class Solved(NamedTuple):
    """The outcome of `WorkingSetSolver.solve`.

    Attributes
    ----------
    w : array of shape (n_parameters,)
        In the objective's dtype and order.
    value, gap : float
        The objective at w, and how far above the minimum that is, at most.
    n_passes, n_sweeps : int
        Passes over all columns, and over those of a working set.
    converged : bool
        Whether the gap is at most what was asked for.
    """

    w: NDArray[Any]
    value: float
    gap: float
    n_passes: int
    n_sweeps: int
    converged: bool


@dataclass
class Point:
    """A point at which all columns were looked at.

    Attributes
    ----------
    w : array of shape (n_scores, d)
    parameters : array of shape (n_parameters,)
        The same with the best intercepts, in the dtype of the objective.
    gradient : array of shape (n_scores, d)
        Of the loss.
    value, gap : float
    share : float
        Of the slopes, at the dual point.
    given : array of shape (n_parameters,)
        The gradient of the loss as the pass gave it.
    """

    w: Vector
    parameters: NDArray[Any]
    gradient: Vector
    value: float
    gap: float
    share: float
    given: NDArray[Any]
    settled: bool = False
    grows: bool = True


class WorkingSetSolver:
    """Minimises a loss beside an L1 penalty over working sets of columns.

    A working set has all coefficients that are not 0 and the columns that the loss pulls most strongly, twice as many
    as the last solution had (Johnson, Guestrin, "Blitz: A Principled Meta-Algorithm for Scaling Sparse Optimization",
    ICML 2015; Massias, Gramfort, Salmon, "Celer: a Fast Solver for the Lasso with Dual Extrapolation", ICML 2018). Its
    columns are copied once. After each solution one pass over all columns finds the duality gap and the next set.

    Parameters
    ----------
    objective : DataObjective
        It supports "columns" and "targets".
    l1, l2 : arrays of shape (n_features,), float64, optional
        Factors of abs(w_j) and of w_j^2 / 2. The default is the penalty of the objective. Infinity in l1 leaves a
        column out.
    lower : array of shape (n_features,), float64, optional
        Lower bounds of the coefficients: 0 or -infinity.
    """

    def __init__(
        self,
        objective: DataObjective,
        *,
        l1: Vector | None = None,
        l2: Vector | None = None,
        lower: Vector | None = None,
    ) -> None:
        self.objective = objective
        self._n, self._d, self._k = objective.n_samples, objective.n_features, objective.layout.n_scores
        weights = objective.penalty_weight
        factors = np.ones(self._d) if weights is None else np.asarray(weights, np.float64)
        ratio = objective.l1_ratio
        own = objective.alpha or 1.0
        self._alpha = objective.alpha
        self._l1 = _times(ratio, factors) if l1 is None else l1 / own
        self._l2 = _times(1.0 - ratio, np.where(np.isinf(factors), 0.0, factors)) if l2 is None else l2 / own
        self._lower = np.full(self._d, -np.inf) if lower is None else lower
        self._y = objective.targets.astype(np.float64)
        weight = np.ones(self._n) if objective.weights is None else objective.weights.astype(np.float64)
        self._shares = weight / objective.weight_sum
        self._native = objective.data.bind(objective.terms._replace(l1=0.0, l2=0.0))
        self._gathered = GatheredColumns(objective, self._shares, objective.intercept)
        self._sub = Subproblem(objective, self._y, self._shares, self._gathered)
        self.n_passes = self.n_sweeps = 0
        self.net = self.net_of(None)
        self.reached: Point | None = None
        """The last point of the last call of `solve`."""
        self.alive: Columns | None = None
        """The columns that may be other than 0 at the minimum, once that is known of few columns."""
        self.n_looks = 0
        """Passes over all columns for this penalty."""
        self._sizes: Vector | None = None
        self._scale: float | None = None

    def net_of(self, alpha: float | None) -> ElasticNet:
        """Return the penalty of a strength, by default that of the objective."""
        strength = self._alpha if alpha is None else alpha
        return ElasticNet(_times(strength, self._l1), strength * self._l2, self._lower)

    @property
    def scale(self) -> float:
        """The value at the best model without coefficients, in whose units gaps are judged."""
        if self._scale is None:
            self._scale = abs(self._place(np.empty(0, np.intp), np.empty((self._k, 0))).loss)
        return self._scale

    def solve(
        self,
        w: NDArray[Any] | None,
        tol: float,
        *,
        alpha: float | None = None,
        candidates: Columns | None = None,
    ) -> Solved:
        """Return the minimum, to a tolerance.

        Parameters
        ----------
        w : array of shape (n_parameters,), optional
            Where to begin; by default at zeros. Its intercepts are not read.
        tol : float
            The duality gap to reach, as a share of the value at the best model without coefficients.
        alpha : float, optional
            Strength of the penalty, in place of that of the objective.
        candidates : array of int, optional
            Columns of the first working set, besides those that are not 0 in w. All others are looked at afterwards.
        """
        self.net, passes, sweeps, self.alive, self.n_looks = self.net_of(alpha), self.n_passes, self.n_sweeps, None, 0
        goal, stalled = tol * self.scale, 0
        start = np.zeros((self._k, self._d)) if w is None else self.coefficients(w)
        point = self.point(start) if candidates is None else self._from_candidates(start, candidates, goal)
        for _ in range(_MOST):
            if point.gap <= goal or stalled >= _STALLED or (point.settled and not point.grows):
                break
            before, point = point.gap, self.advance(point, goal)
            stalled = stalled + 1 if point.gap > _FALL * before and not point.grows else 0
        self.reached = point
        passes, sweeps = self.n_passes - passes, self.n_sweeps - sweeps
        return Solved(point.parameters, point.value, point.gap, passes, sweeps, point.gap <= goal)

    def coefficients(self, w: NDArray[Any]) -> Vector:
        """Return the coefficients of parameters, of shape (n_scores, d). Columns that are left out get 0."""
        found = w.astype(np.float64).reshape(self._k, -1)[:, : self._d].copy()
        found[:, np.isinf(self.net.l1)] = 0.0
        return np.asarray(np.maximum(found, self._lower))

    def point(self, w: Vector) -> Point:
        """Return the point of some coefficients, with the best intercepts."""
        columns = np.flatnonzero(w.any(axis=0) | ((self.net.l1 == 0.0) & (self.net.l2 == 0.0)))
        return self._pass(columns, self._place(columns, w[:, columns]))

    def advance(self, point: Point, goal: float) -> Point:
        """Return the point of the minimum over the next working set."""
        if self.alive is None and self.n_looks >= _LOOKS:
            self._screen(point)
        columns, grows = self._chosen(point)
        target = max((_LOOSE if grows else _TIGHT) * point.gap, 0.3 * goal)
        return self._solved(columns, point.w, target, grows)

    def _from_candidates(self, w: Vector, candidates: Columns, goal: float) -> Point:
        wanted = w.any(axis=0) | (self.net.l1 == 0.0)
        wanted[candidates] = True
        columns = np.flatnonzero(wanted & ~np.isinf(self.net.l1))
        return self._solved(columns, w, 0.3 * goal, True)

    def _solved(self, columns: Columns, w: Vector, target: float, grows: bool) -> Point:
        slots = self._gathered.slots(columns)
        place = self._sub.solve(self._place(columns, w[:, columns]), slots, self.net.of(columns), target)
        self.n_sweeps += place.sweeps
        found = self._pass(columns, place)
        found.settled, found.grows = place.settled, grows
        if self.alive is None and len(self._gathered) > max(_KEPT * len(columns), 2 * _FIRST):
            self._gathered.keep(columns)
        return found

    def _chosen(self, point: Point) -> tuple[Columns, bool]:
        """Return the columns of the next working set, in order, and whether some are new."""
        with np.errstate(divide="ignore", invalid="ignore"):
            pulls = (self.net.pull(point.gradient) / self.net.l1).max(axis=0)
        pulls[np.isnan(pulls)] = np.inf  # not penalised
        support = point.w.any(axis=0)
        needed = support | np.isinf(pulls)
        rest = np.where(needed, 0.0, pulls)
        new = int(np.count_nonzero(rest > 1.0))
        chosen = needed | (rest > _NEAR)
        room = max(2 * int(np.count_nonzero(support)), _FIRST) - int(np.count_nonzero(needed))
        room = max(room, _FIRST // 2)
        if new:
            most = np.argpartition(-rest, room)[:room] if room < self._d else np.arange(self._d)
            if np.count_nonzero(chosen) - np.count_nonzero(needed) > room:
                chosen = needed.copy()
            chosen[most[rest[most] > 0.0]] = True
        return np.flatnonzero(chosen), bool(new)

    def _place(self, columns: Columns, v: Vector) -> Place:
        slots = self._gathered.slots(columns)
        scores = np.stack([self._gathered.scores(slots, each) for each in v])
        return self._sub.place(v.copy(), scores)

    def _pass(self, columns: Columns, place: Place) -> Point:
        """Look at all columns, at a place that some of them led to."""
        slots, dtype = self._gathered.slots(columns), self.objective.dtype
        rounded = place.v.astype(dtype).astype(np.float64)
        at = place if (rounded == place.v).all() else self._place(columns, rounded)
        w = np.zeros((self._k, self._d))
        w[:, columns] = at.v
        parameters = w
        if self.objective.intercept:
            level = np.einsum("i,ci->c", self._shares, at.scores)
            level -= np.einsum("cj,j->c", at.v, self._gathered.means[slots])
            if self._k > 1:  # a number added to the intercepts of all classes changes nothing
                level -= level.mean()
            parameters = np.concatenate([w, level[:, None]], axis=1)
        flat = np.ascontiguousarray(parameters.reshape(-1), dtype)
        given = self._looked(at, flat)
        gradient = given.astype(np.float64).reshape(self._k, -1)[:, : self._d].copy()
        if len(columns):
            gradient[:, columns] = self._sub.gradient(at.terms, slots)
        value = at.loss + self.net.of(columns).value(at.v)
        w[:, columns] = place.v
        dual = self._dual(columns, at, w, gradient)
        return Point(w, flat, gradient, value, dual.gap, dual.share, given)

    def _looked(self, at: Place, flat: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient of the loss by all parameters; 0 for columns that are known to be 0 at the minimum."""
        if self.alive is None:
            self.n_passes, self.n_looks = self.n_passes + 1, self.n_looks + 1
            return np.asarray(self._native.value_and_gradient(flat)[1])
        table = np.zeros((self._k, flat.size // self._k))
        table[:, self.alive] = self._sub.gradient(at.terms, self._gathered.slots(self.alive))
        if self.objective.intercept:
            table[:, -1] = np.einsum("i,ci->c", self._shares, at.terms.slopes)
        return table.reshape(-1).astype(flat.dtype)

    def _screen(self, point: Point) -> None:
        """Find the columns that are 0 at the minimum for sure. If few others are left, no more passes are needed.

        The dual point is no farther from the best one than sqrt(2 L gap), L the largest curvature of a row, in the norm
        of the weights' shares (Ndiaye, Fercoq, Gramfort, Salmon, "Gap Safe Screening Rules for Sparsity Enforcing
        Penalties", Journal of Machine Learning Research 18, 2017).
        """
        radius = math.sqrt(2.0 * self.objective.largest_curvature * point.gap)
        if not math.isfinite(radius):
            return
        if self._sizes is None:
            mean, deviation = self.objective.column_statistics()
            self._sizes = deviation if self.objective.intercept else np.hypot(mean, deviation)
        slack = 1.0 + _SLACK * float(np.finfo(self.objective.dtype).eps)
        reached = slack * (self.net.pull(point.share * point.gradient) + radius * self._sizes)
        may = (reached >= self.net.l1).any(axis=0) | point.w.any(axis=0)
        if np.count_nonzero(may) <= min(max(_KEPT * int(np.count_nonzero(point.w)), _FIRST), self._d // 4):
            self.alive = np.flatnonzero(may)

    def _dual(self, columns: Columns, at: Place, w: Vector, gradient: Vector) -> Dual:
        found, reach = w.copy(), None
        found[:, columns] = at.v
        some = self._sub.reach(at, self._gathered.slots(columns), self.net.of(columns))
        if some is not None:  # all columns without a penalty are among these
            reach = np.zeros(self._d)
            reach[columns] = some
        return self._sub.dual_of(at, found, gradient, self.net, reach)


def _times(strength: float, factors: Vector) -> Vector:
    """Return the products; infinity times 0 is infinity."""
    return np.where(np.isinf(factors), np.inf, strength * np.where(np.isinf(factors), 0.0, factors))
