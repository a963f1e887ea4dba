"""`WorkingSetSolver`: the minimum of a loss beside an L1 penalty, over few of many columns at a time."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.offset import offsets_beside
from ..objectives.protocol import Capability
from .gap import Dual, ElasticNet
from .gathered import GatheredColumns
from .point import Point, Rounded, Settled, Solved
from .subproblem import Place, Subproblem

__all__ = ["Point", "Solved", "WorkingSetSolver"]

Vector: TypeAlias = NDArray[np.float64]
Columns: TypeAlias = NDArray[np.intp]

_FIRST = 128  # columns of the first working set
_GROWTH, _FASTER = 2, 4  # times the columns of a solution that the next set has: in general, and after a full set
_FULL = 0.9  # of the columns of a set: it is full where a solution has so many
_NEAR = 0.95  # of the penalty: a column that is pulled so strongly is in every working set
_LOOSE, _TIGHT = 0.3, 1e-3  # of the gap, to which a working set is solved: while it grows, and when it has all columns
_MOST = 200  # working sets
_STALLED = 3  # working sets in a row that do not bring the gap down
_FALL = 0.5  # of the gap
_LOOKS = 8  # passes, before columns are screened: their sizes cost one or two
_SLACK = 1e3  # units in the last place
_KEPT = 4  # times the columns of a working set that are kept beside it


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
    many : bool
        Whether many strengths of the penalty are to be solved for, so that products of columns are worth keeping.
    """

    def __init__(
        self,
        objective: DataObjective,
        *,
        l1: Vector | None = None,
        l2: Vector | None = None,
        lower: Vector | None = None,
        many: bool = False,
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
        self._centring = self._shares / self._shares.sum()  # exposures change the sum of the shares
        offset = offsets_beside(objective)
        self._offset = None if offset is None else offset.astype(np.float64)
        self._native = objective.data.bind(objective.terms._replace(l1=0.0, l2=0.0))
        self._constant = objective.terms.constant
        self._gathered = GatheredColumns(objective, self._shares, self._centring if objective.intercept else None)
        self._sub = Subproblem(objective, self._y, self._shares, self._gathered, many)
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
        """How far the best model without coefficients is above one that fits every row: the unit of gaps."""
        if self._scale is None:
            null = self._place(np.empty(0, np.intp), np.empty((self._k, 0))).loss + self._constant
            self._scale = abs(null - self.objective.saturated_loss)
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
            The duality gap to reach, as a share of `scale`.
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

    def point(self, w: Vector, given: NDArray[Any] | None = None) -> Point:
        """Return the point of some coefficients, with the best intercepts.

        The gradient of the loss by all parameters there may be given, which saves a pass.
        """
        columns = np.flatnonzero(w.any(axis=0) | ((self.net.l1 == 0.0) & (self.net.l2 == 0.0)))
        found = self._rounded(columns, self._place(columns, w[:, columns]))
        return self._judged(found, self._looked(found) if given is None else given)

    def advance(self, point: Point, goal: float) -> Point:
        """Return the point of the minimum over the next working set."""
        if self.alive is None and self.n_looks >= _LOOKS:
            self._screen(point)
        columns, grows = self._chosen(point)
        target = max((_LOOSE if grows else _TIGHT) * point.gap, 0.3 * goal)
        return self._solved(columns, point.w, target, grows)

    def settled(self, columns: Columns, w: Vector, alpha: float | None, goal: float) -> Settled:
        """Return the minimum over some columns, to a gap, for a strength of the penalty; by default the last one.

        Columns that are not 0 in w of shape (n_scores, d), or have no penalty, are among them in any case.
        """
        self.net = self.net if alpha is None else self.net_of(alpha)
        wanted = w.any(axis=0) | (self.net.l1 == 0.0)
        wanted[columns] = True
        found = np.flatnonzero(wanted & ~np.isinf(self.net.l1))
        slots = self._gathered.slots(found)
        place = self._sub.solve(self._place(found, w[:, found]), slots, self.net.of(found), goal)
        self.n_sweeps += place.sweeps
        return Settled(found, place)

    @property
    def joins(self) -> bool:
        """Whether `looked_at` takes one pass for many points."""
        return self.objective.scaling is None and not self.objective.supports(Capability.ENTRIES)

    def looked_at(self, found: list[Settled], alphas: list[float]) -> list[Point]:
        """Return the points of some minima, each for a strength of the penalty, by one pass over all columns.

        Where the data have no such pass, each point takes one.
        """
        rounded, sums, points = [self._rounded(columns, place) for columns, place in found], None, []
        if self.joins and len(found) > 1:
            slopes = np.concatenate([self._shares * each.at.terms.slopes for each in rounded])
            data: Any = self.objective.data
            sums = data.combined_rows(np.ascontiguousarray(slopes))
        for k, (each, alpha) in enumerate(zip(rounded, alphas, strict=True)):
            self.net, self.alive = self.net_of(alpha), None
            given = self._looked(each) if sums is None else self._given(each, sums[self._k * k : self._k * (k + 1)])
            point = self._judged(each, given)
            point.settled = found[k].place.settled
            points.append(point)
        self.n_passes += sums is not None
        self._forget(np.unique(np.concatenate([columns for columns, _ in found])))
        return points

    def _given(self, found: Rounded, sums: Vector) -> NDArray[Any]:
        """Return the gradient of the loss by all parameters, from that by the coefficients."""
        table = sums
        if self.objective.intercept:
            level = np.einsum("i,ci->c", self._shares, found.at.terms.slopes)
            table = np.concatenate([sums, level[:, None]], axis=1)
        return np.ascontiguousarray(table.reshape(-1), self.objective.dtype)

    def _from_candidates(self, w: Vector, candidates: Columns, goal: float) -> Point:
        return self._solved(candidates, w, 0.3 * goal, True)

    def _solved(self, columns: Columns, w: Vector, target: float, grows: bool) -> Point:
        taken, place = self.settled(columns, w, None, target)
        found = self._pass(taken, place)
        found.settled, found.grows = place.settled, grows
        self._forget(taken)
        return found

    def _forget(self, columns: Columns) -> None:
        """Forget other columns than these, if they are many."""
        if self.alive is None and len(self._gathered) > max(_KEPT * len(columns), 2 * _FIRST):
            self._gathered.keep(columns)

    def _chosen(self, point: Point) -> tuple[Columns, bool]:
        """Return the columns of the next working set, in order, and whether some are new."""
        with np.errstate(divide="ignore", invalid="ignore"):
            pulls = (self.net.pull(point.gradient) / self.net.l1).max(axis=0)
        pulls[np.isnan(pulls)] = np.inf  # not penalised
        support = point.w.any(axis=0)
        needed = support | np.isinf(pulls)
        rest = np.where(needed, 0.0, pulls)
        new, used, taken = (int(np.count_nonzero(each)) for each in (rest > 1.0, support, needed))
        chosen = needed | (rest > _NEAR)
        if new:
            full = used >= _FULL * point.n_columns
            room = max(int((_FASTER if full else _GROWTH) * used), _FIRST) - taken
            room = max(min(room, 4 * new), _FIRST // 2)
            most = np.argpartition(-rest, room)[:room] if room < self._d else np.arange(self._d)
            if np.count_nonzero(chosen) - taken > room:
                chosen = needed.copy()
            chosen[most[rest[most] > 0.0]] = True
        return np.flatnonzero(chosen), bool(new)

    def _place(self, columns: Columns, v: Vector) -> Place:
        slots = self._gathered.slots(columns)
        scores = np.stack([self._gathered.scores(slots, each) for each in v])
        if self._offset is not None:
            scores += self._offset
        return self._sub.place(v.copy(), scores)

    def _pass(self, columns: Columns, place: Place) -> Point:
        """Look at all columns, at a place that some of them led to."""
        found = self._rounded(columns, place)
        return self._judged(found, self._looked(found))

    def _rounded(self, columns: Columns, place: Place) -> Rounded:
        """Return a place as parameters in the dtype of the objective."""
        slots, dtype = self._gathered.slots(columns), self.objective.dtype
        rounded = place.v.astype(dtype).astype(np.float64)
        at = place if (rounded == place.v).all() else self._place(columns, rounded)
        parameters = np.zeros((self._k, self._d))
        parameters[:, columns] = at.v
        if self.objective.intercept:
            own = at.scores if self._offset is None else at.scores - self._offset
            level = np.einsum("i,ci->c", self._centring, own)
            level -= np.einsum("cj,j->c", at.v, self._gathered.means[slots])
            if self._k > 1:  # a number added to the intercepts of all classes changes nothing
                level -= level.mean()
            parameters = np.concatenate([parameters, level[:, None]], axis=1)
        return Rounded(columns, place.v, at, np.ascontiguousarray(parameters.reshape(-1), dtype))

    def _judged(self, found: Rounded, given: NDArray[Any]) -> Point:
        """Return the point of a place, from the gradient of the loss by all parameters."""
        columns, at = found.columns, found.at
        gradient = given.astype(np.float64).reshape(self._k, -1)[:, : self._d].copy()
        if len(columns):
            gradient[:, columns] = self._sub.gradient(at.terms, self._gathered.slots(columns))
        value = at.loss + self._constant + self.net.of(columns).value(at.v)
        w = np.zeros((self._k, self._d))
        w[:, columns] = found.v
        dual = self._dual(columns, at, w, gradient)
        return Point(w, found.flat, gradient, value, dual.gap, dual.share, given, len(columns))

    def _looked(self, found: Rounded) -> NDArray[Any]:
        """Return the gradient of the loss by all parameters; 0 for columns that are known to be 0 at the minimum."""
        if self.alive is None:
            self.n_passes, self.n_looks = self.n_passes + 1, self.n_looks + 1
            return np.asarray(self._native.value_and_gradient(found.flat)[1])
        sums = np.zeros((self._k, self._d))
        sums[:, self.alive] = self._sub.gradient(found.at.terms, self._gathered.slots(self.alive))
        return self._given(found, sums)

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
    return strength * factors if strength > 0.0 else np.where(np.isinf(factors), np.inf, 0.0)
