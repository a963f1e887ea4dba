"""Optima of problems with an L1 penalty and many columns, in float64 by NumPy, certified by their duality gap.

The method is proximal Newton on a growing set of columns. Each model of it is minimised by coordinate descent, then
exactly by the feature-sign search of Lee, Battle, Raina and Ng, "Efficient sparse coding algorithms" (2006).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fit_reference import Array, Problem, Reference

_MOST_SETS = 200  # of columns, one after the other
_MOST_STEPS = 50  # of Newton's method on one of them
_MOST_SWEEPS = 400
_MOST_EXACT = 2_000  # changes of sign
_FEWEST = 100  # columns that a set may grow by
_EXACT = 1e-15  # gap over the objective that is rounding alone
_ROUNDING = 1e-11  # by how much a slope may exceed alpha, relative to it


def minimise_model(H: Array, q: Array, strength: Array, u: Array) -> Array:
    """Minimise u' H u / 2 - q' u + sum of strength |u|, from u; strengths are alpha, or 0 of the intercept."""
    u = u.copy()
    slope = H @ u - q
    diagonal = np.maximum(H.diagonal(), 1e-300)
    for _ in range(_MOST_SWEEPS):
        furthest = 0.0
        for j in range(len(u)):
            aim = u[j] - slope[j] / diagonal[j]
            change = np.sign(aim) * max(abs(aim) - strength[j] / diagonal[j], 0.0) - u[j]
            if change:
                u[j] += change
                slope += change * H[j]
                furthest = max(furthest, abs(change) * diagonal[j])
        if furthest <= 1e-5 * strength.max():
            break
    return _exact(H, q, strength, u)


def _exact(H: Array, q: Array, strength: Array, u: Array) -> Array:
    """Finish `minimise_model`: solve for the signs that u has, and change them one after another."""
    for _ in range(_MOST_EXACT):
        slope = H @ u - q
        signs, active = np.sign(u), (u != 0) | (strength == 0)
        excess = np.where(active, 0.0, np.abs(slope) - strength)
        worst = int(excess.argmax())
        wrong = np.abs(slope + strength * signs)[active]
        settled = wrong.max(initial=0.0) <= _ROUNDING * strength.max()
        if settled and excess[worst] <= _ROUNDING * strength.max():
            break
        if settled:
            signs[worst], active[worst] = -np.sign(slope[worst]), True
        aim = np.zeros_like(u)
        aim[active] = _solved(H[np.ix_(active, active)], (q - strength * signs)[active])
        u = _first_crossing(u, aim, signs, strength, lambda v: float(v @ (H @ v / 2 - q) + strength @ np.abs(v)))
    return u


def _solved(H: Array, right: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(H, right), np.float64)
    except np.linalg.LinAlgError:  # more columns than rows
        return np.asarray(np.linalg.lstsq(H, right, rcond=None)[0], np.float64)


def _first_crossing(u: Array, aim: Array, signs: Array, strength: Array, value: Callable[[Array], float]) -> Array:
    """Go from u to the aim, or to the best of the points on the way where a coefficient becomes 0."""
    crossing = (strength > 0) & (signs * aim < 0) & (u != 0)
    if not crossing.any():
        return aim
    found, lowest = u, np.inf
    for j in np.flatnonzero(crossing):
        tried = u + (aim - u) * (u[j] / (u[j] - aim[j]))
        tried[j] = 0.0
        if (here := value(tried)) < lowest:
            found, lowest = tried, here
    return found


class L1Reference(Reference):
    """The objective of a problem with an L1 penalty; its parameters have the shape (1, d + 1), the intercept last."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._highest = self.value(self.best_constant())

    def optimum(self) -> tuple[Array, float]:
        """Minimise to a duality gap of 1e-12; `Reference.optimum` says what is returned."""
        w, gap = self.minimum(self.problem.alpha, self.best_constant()[0], lambda value: self._highest - value)
        return w[None], gap

    def minimum(self, alpha: float, w: Array, scale: Callable[[float], float]) -> tuple[Array, float]:
        """Minimise for one alpha from w, of shape (d + 1,).

        Returns
        -------
        w : array of shape (d + 1,)
        gap : float
            The duality gap over what `scale` makes of the value at w.

        Raises
        ------
        RuntimeError
            If the gap is neither 1e-12 nor rounding alone after 200 sets of columns.
        """
        columns, w, best = np.flatnonzero(w[:-1]), w.copy(), np.inf
        for _ in range(_MOST_SETS):
            w = self._on(columns, alpha, w)
            slope, value, gap = self.certificate(alpha, w)
            best = gap / max(scale(value), 1e-300)
            if best <= self.precision or gap <= _EXACT * abs(value):
                return w, max(best, 0.0)
            excess = np.abs(slope) - alpha
            excess[columns] = -np.inf
            most = max(_FEWEST, np.count_nonzero(w[:-1]))
            worst = np.argsort(-excess)[:most]
            columns = np.union1d(np.flatnonzero(w[:-1]), worst[excess[worst] > 0])
        raise RuntimeError(
            f"{self.problem.label}: gap {best:.1e} at alpha {alpha:g} after {_MOST_SETS} sets of columns"
        )

    def certificate(self, alpha: float, w: Array) -> tuple[Array, float, float]:
        """Return the slopes of the mean loss, the objective and its duality gap at w."""
        n, y = self.problem.n, self.y
        scores = self.X @ w
        value = float(self._losses(scores[:, None]).mean() + alpha * np.abs(w[:-1]).sum())
        r = self._slopes(scores) / n
        slope = r @ self.X[:, :-1]
        r = r * min(1.0, alpha / max(np.abs(slope).max(), 1e-300))
        if self.problem.regression:
            dual = -float(r @ y + n / 4 * (r @ r))
        else:
            p = np.clip(n * r + y, 0.0, 1.0)
            logs = [np.log(part, out=np.zeros_like(part), where=part > 0) for part in (p, 1 - p)]
            dual = -float((p * logs[0] + (1 - p) * logs[1]).mean())
        return slope, value, value - dual

    def _slopes(self, scores: Array) -> Array:
        return np.asarray(2 * (scores - self.y) if self.problem.regression else self._probabilities(scores) - self.y)

    def _on(self, columns: NDArray[Any], alpha: float, w: Array) -> Array:
        """Minimise over some columns and the intercept, all others 0."""
        n = self.problem.n
        where = np.append(columns, self.problem.d) if self.problem.intercept else columns
        X, strength = self.X[:, where], np.full(len(where), alpha)
        if self.problem.intercept:
            strength[-1] = 0.0
        u, found = w[where], np.zeros_like(w)

        def value(u: Array) -> float:
            return float(self._losses((X @ u)[:, None]).mean() + strength @ np.abs(u))

        for _ in range(_MOST_STEPS if len(where) else 0):
            scores = X @ u
            curvature = 2.0 if self.problem.regression else self._curvatures(scores)[:, None]
            H = X.T @ (X * curvature) / n
            aim = minimise_model(H, H @ u - self._slopes(scores) @ X / n, strength, u)
            here, size = value(u), 1.0
            while value(u + size * (aim - u)) > here and size > 1e-6:
                size /= 2
            moved = float((aim - u) @ H @ (aim - u))
            u = aim if size == 1.0 else u + size * (aim - u)
            if self.problem.regression or moved <= 1e-16 * abs(here) or size <= 1e-6:
                break
        found[where] = u
        return found

    def _curvatures(self, scores: Array) -> Array:
        p = self._probabilities(scores)
        return np.asarray(p * (1 - p))


class PathReference(L1Reference):
    """All objectives of a path at once; its parameters have the shape (n_alphas, d + 1), intercepts last.

    What answers miss is relative to the objective of the best constant, which is the same for each alpha: at the first
    alpha the optimum is that constant.
    """

    def values(self, answers: Array) -> Array:
        """Return the objective of each row of parameters, each for its own alpha."""
        assert self.problem.alphas is not None
        with np.errstate(over="ignore", invalid="ignore"):
            losses = [float(self._losses((self.X @ w)[:, None]).mean()) for w in answers]
            return np.asarray(losses + self.problem.alphas * np.abs(answers[:, :-1]).sum(axis=1))

    def value(self, w: Array) -> float:
        """Return the mean of the objectives."""
        return float(self.values(w).mean())

    def best_constant(self) -> Array:
        """Return the best constant, for every alpha."""
        assert self.problem.alphas is not None
        return np.asarray(np.repeat(super().best_constant(), len(self.problem.alphas), axis=0))

    def suboptimality(self, optimum: Array) -> Callable[[Array], float]:
        """Return the function that says by how much the worst of an answer's rows misses its optimum."""
        lowest = self.values(optimum)

        def missed(answers: Array) -> float:
            worst = float(((self.values(answers) - lowest) / self._highest).max())
            return worst if np.isfinite(worst) else np.inf

        return missed

    def optimum(self) -> tuple[Array, float]:
        """Minimise for one alpha after another, each from the optimum before."""
        assert self.problem.alphas is not None
        found, w, worst = [], self.best_constant()[0], 0.0
        for alpha in self.problem.alphas:
            w, gap = self.minimum(float(alpha), w, lambda _: self._highest)
            found.append(w)
            worst = max(worst, gap)
        return np.array(found), worst


def reference_of(problem: Problem) -> Reference:
    """Return the reference that suits a problem of dense rows."""
    if problem.alphas is not None:
        return PathReference(problem)
    return (
        L1Reference(problem)
        if problem.l1 and (problem.d > problem.n or problem.kind != "lasso")
        else Reference(problem)
    )
