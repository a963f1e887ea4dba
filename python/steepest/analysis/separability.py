"""Whether classes are separable, all or some: without a penalty the loss then has no minimum, as w grows for ever.

There is a minimum unless in some direction no row loses and some row gains (Albert and Anderson 1984). Such a direction
is shown, or shown not to be: nothing is guessed from the size of w.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import blocks_of
from ..objectives.data import DataObjective
from ..objectives.losses import LeastSquares, Logistic
from ..objectives.rows import standardised_rows, widened
from ..objectives.softmax import Softmax
from .recession import HalfSpaces, Pairs, nearest_in_cone

__all__ = ["Separation", "separating_loss", "separation"]

Separation: TypeAlias = Literal["", "all", "some"]

_SMALL_LOSS = 0.1  # mean of classes that may be separable
_FAR = 4.0  # a margin that is usual only where a row may have any
_BLOCK = 1 << 17  # elements of X that are widened at a time
_MOST_PARAMETERS = 200  # of an exact search
_SEARCH_PASSES = 40
_ZERO = 1e-12  # share of its terms: a sum that rounding may have made
_MORE = 1e-9  # and one that it has not
_PER_PARAMETER = 4  # rows of the first look that are the least decided
_SPREAD = 20  # and others
_FIRST_ROWS = 4096  # that are looked at before all
_NEWTON_STEPS = 4
_FULL_RANK = 1e-9  # the smallest eigenvalue of columns of norm 1 that depend on no others
_ROWS_SEEN = 2000  # by which it scales columns


def separating_loss(objective: DataObjective) -> float:
    """Return the objective below which every row is on its side, 0 where that says nothing.

    A row of weight s that is not adds at least s log(2) to the sum of the losses.
    """
    if not isinstance(objective, (Logistic, Softmax)) or objective.alpha > 0.0:
        return 0.0
    weight = objective.arrays.sample_weight
    least = 1.0
    if weight is not None:
        least = min(float(np.min(part, where=part > 0, initial=np.inf)) for _, part in blocks_of(weight))
    return math.log(2.0) * least / objective.weight_sum


def separation(objective: Any, w: NDArray[Any], value: float) -> Separation:
    """Return whether a plane of its own has every row on its side ("all"), or some of them at no cost ("some").

    Where w's margins are small and its loss is not, "" is returned without a look. So is it where an objective of more
    than 200 parameters hides its direction in several columns.
    """
    if not isinstance(objective, (Logistic, Softmax)) or objective.alpha > 0.0 or objective.device is not None:
        return ""
    with np.errstate(over="ignore", invalid="ignore"):
        if _some_rows_overlap(objective, w):
            return ""
        scores = _scores(objective, w)
        spread = float(np.abs(scores).max() if scores.shape[1] == 1 else np.ptp(scores, axis=1).max())
        if not np.isfinite(w).all() or (spread < _FAR and not value < _SMALL_LOSS):
            return ""
        spaces = HalfSpaces(objective, _ROWS_SEEN)
        return _look(objective, spaces, w, scores) if spaces.finite else ""


def _some_rows_overlap(objective: Any, w: NDArray[Any]) -> bool:
    """Return whether some rows of many show that there is a minimum, so that the others need no look.

    In no direction that moves them do all of them gain or stay, and every direction moves them.
    """
    X, y, weight = objective.arrays
    n = len(X)
    some = max(_FIRST_ROWS, _SPREAD * w.size)
    if n < 4 * some or w.size > _MOST_PARAMETERS:
        return False
    rows = np.linspace(0, n - 1, some).astype(np.intp)
    if weight is not None:
        rows = rows[weight[rows] > 0]
    if len(np.unique(y[rows])) < max(2, getattr(objective, "n_classes", 2)):
        return False
    part = objective.loss_on(
        np.ascontiguousarray(X[rows]), y[rows].copy(), None if weight is None else weight[rows].copy()
    )
    spaces = HalfSpaces(part, _ROWS_SEEN)
    if not spaces.finite:
        return False
    exact = standardised_rows(part, part.arrays.X)
    exact = np.column_stack([exact, np.ones(len(exact))]) if objective.intercept else exact
    size = np.sqrt(np.einsum("ij,ij->j", exact, exact))
    if not (np.isfinite(size).all() and (size > 0).all()):
        return False
    exact = exact / size
    if not np.linalg.eigvalsh(_products(exact))[0] > _FULL_RANK:
        return False
    w = w.ravel().copy()
    for _ in range(_NEWTON_STEPS):  # from the minimum of all rows to that of some
        _, gradient, hessian = part.native.value_gradient_and_hessian(w)
        if not np.isfinite(hessian).all():
            return False
        step = np.linalg.lstsq(hessian.astype(np.float64), gradient.astype(np.float64), rcond=1e-9)[0]
        w = (w - step).astype(w.dtype)
    return _overlap_is_shown(part, spaces, w, _closest(spaces, _margins(spaces, _scores(part, w))))


def _products(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the products of all pairs of columns, by our threads: BLAS's wait long where processors are taken."""
    squares = LeastSquares(columns, np.zeros(len(columns)), intercept=False)
    return np.asarray(squares.native.hessian(np.zeros(columns.shape[1]))) * (0.5 * len(columns))


def _look(objective: Any, spaces: HalfSpaces, w: NDArray[Any], scores: NDArray[Any]) -> Separation:
    margins = _margins(spaces, scores)
    near = margins.min() > -1e-3 * margins[spaces.counted].max(initial=0.0)
    if near and (spaces.leads(_moved(objective, spaces, w))[spaces.counted] > _ZERO).all():
        return "all"
    first = _closest(spaces, margins)
    if _overlap_is_shown(objective, spaces, w, first):
        return ""
    spaces = HalfSpaces(objective)
    if not spaces.finite:
        return ""
    if spaces.size > _MOST_PARAMETERS:
        return "some" if _a_column_separates(objective, spaces) else ""
    return _search(spaces, first)


def _scores(objective: Any, w: NDArray[Any]) -> NDArray[Any]:
    """Return the scores at w, of shape (n_samples, 1 or n_classes), about as well as the dtype of X allows."""
    X = objective.arrays.X
    n, d = X.shape
    table = w.reshape(-1, d + objective.intercept).astype(np.float64)
    slopes, constant = table[:, :d], table[:, d] if objective.intercept else np.zeros(len(table))
    if objective.scaling is not None:
        centre, scale = objective.scaling
        slopes = slopes / scale
        constant = constant - slopes @ centre
    slopes = slopes.T.astype(objective.dtype)
    if X.dtype == objective.dtype:
        return np.asarray(X @ slopes + constant)
    step = max(1, _BLOCK // d)
    parts = [widened(X[at : at + step]).astype(objective.dtype) @ slopes for at in range(0, n, step)]
    return np.concatenate(parts) + constant


def _margins(spaces: HalfSpaces, scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return by how much each row's class leads the others, infinity where that does not count."""
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    own = np.take_along_axis(scores, spaces.labels[:, None], axis=1)
    return np.asarray(np.where(spaces.counted, own - scores, np.inf), dtype=np.float64)


def _moved(objective: Any, spaces: HalfSpaces, w: NDArray[Any], dual: bool = False) -> NDArray[np.float64]:
    """Return w, or a gradient, in the coordinates of the half-spaces, class 0 left out."""
    d = objective.n_features
    table = w.reshape(-1, spaces.width).astype(np.float64)
    centre, scale = (0.0, 1.0) if objective.scaling is None else objective.scaling
    ratio: NDArray[np.float64] = spaces.unit / scale
    shift = (spaces.origin - centre) / scale
    found = table.copy()
    if dual:
        found[:, :d] = table[:, :d] / ratio
        if objective.intercept:
            found[:, :d] -= table[:, d:] * (shift / ratio)
    else:
        found[:, :d] = table[:, :d] * ratio
        if objective.intercept:
            found[:, d] += table[:, :d] @ shift
    if len(found) > 1:
        found = found[1:] if dual else found[1:] - found[0]
    return np.asarray(found.ravel(), dtype=np.float64)


def _closest(spaces: HalfSpaces, margins: NDArray[np.float64]) -> Pairs:
    """Return the rows, and the classes, that are the least of all decided, and others from everywhere."""
    k = margins.shape[1]
    many, others = _PER_PARAMETER * spaces.size, _SPREAD * spaces.size
    flat = margins.ravel()
    least = np.argpartition(flat, many)[:many] if many < flat.size else np.arange(flat.size)
    spread = np.linspace(0, flat.size - 1, others).astype(np.intp)
    chosen = np.unique(np.concatenate([least, spread]))
    chosen = chosen[spaces.counted.ravel()[chosen]]
    return chosen // k, chosen % k


def _overlap_is_shown(objective: Any, spaces: HalfSpaces, w: NDArray[Any], pairs: Pairs) -> bool:
    """Return whether weights above 0 are known that make the vectors of all rows add up to nothing.

    No direction then gains for one without a loss for another (Stiemke 1915). At w the chances of the wrong classes are
    weights that add up to the negative gradient g; a Newton step h over some rows takes this away, at a share a . h of
    the weight of each.
    """
    A = spaces.vectors(pairs)
    value, gradient = objective.native.value_and_gradient(np.ascontiguousarray(w).reshape(-1))
    total = -_moved(objective, spaces, gradient, dual=True) * objective.weight_sum
    chances = _chances(spaces, _moved(objective, spaces, w), pairs)
    weight = objective.arrays.sample_weight
    chances = chances if weight is None else chances * weight[pairs[0]]
    hessian = (A * chances[:, None]).T @ A
    far = 1.0 + float(np.abs(spaces.origin / spaces.unit).max())
    lengths = np.linalg.norm(A, axis=1)
    noise = 2.0 * float(np.finfo(objective.dtype).eps) * far * float(lengths.max())
    noise *= objective.weight_sum * min(value, 1.0)  # a chance is no more than its row's loss
    if not (np.isfinite(hessian).all() and np.isfinite(total).all()):
        return False
    least = float(np.linalg.eigvalsh(hessian)[0])
    if not least > 2.0 * noise * float(lengths.max()):
        return False
    return float((A @ np.linalg.solve(hessian, total)).max()) < 0.4


def _chances(spaces: HalfSpaces, u: NDArray[np.float64], pairs: Pairs) -> NDArray[np.float64]:
    """Return the probabilities of the pairs' classes."""
    scores = spaces.scores(pairs[0], u)
    scores -= scores.max(axis=1, keepdims=True)
    odds = np.exp(scores)
    return np.asarray(odds[np.arange(len(odds)), pairs[1]] / odds.sum(axis=1))


def _search(spaces: HalfSpaces, first: Pairs) -> Separation:
    """Look for a direction, then for one of the rows that it leaves where they are, until there is none, or no row."""
    alive = spaces.counted.copy()
    found: Separation = ""
    for _ in range(_SEARCH_PASSES):
        leads = _direction(spaces, alive, first)
        if leads is None:
            return found
        found = "some"
        alive &= leads <= _ZERO
        if not alive.any():
            return "all"
    return found


def _direction(spaces: HalfSpaces, alive: NDArray[np.bool_], first: Pairs) -> NDArray[np.float64] | None:
    """Return the leads of the rows along a direction where none is negative and some are not 0; None if there is none.

    It is the nearest one to the sum of all vectors, which is 0 where there is none but 0. A few rows are looked at, and
    those that lose by it are added.
    """
    goal = spaces.total(alive)
    held = alive[first]
    chosen = np.flatnonzero(held)
    rows, others = first[0][chosen], first[1][chosen]
    for _ in range(_SEARCH_PASSES):
        v = nearest_in_cone(goal, spaces.vectors((rows, others)))
        if v is None:
            return None
        leads = np.where(alive, spaces.leads(v), 0.0)
        losing = np.flatnonzero(leads.ravel() < -_ZERO)
        if not len(losing):
            return leads if leads.max() > _MORE else None
        many = 2 * spaces.size + 10
        if many < len(losing):
            losing = losing[np.argpartition(leads.ravel()[losing], many)[:many]]
        rows = np.concatenate([rows, losing // leads.shape[1]])
        others = np.concatenate([others, losing % leads.shape[1]])
    return None


def _a_column_separates(objective: Any, spaces: HalfSpaces) -> bool:
    """Return whether a single column, beside the intercept, has a class on one side and the others on the other."""
    for label in range(1, spaces.n_classes) if spaces.n_classes == 2 else range(spaces.n_classes):
        ins, outs = _range_of(spaces, spaces.labels == label), _range_of(spaces, spaces.labels != label)
        for (low, high), (least, most) in ((ins, outs), (outs, ins)):  # high side, low side
            if objective.intercept:
                if low[-1] > high[-1]:
                    return True  # there is no row
                apart = (most <= low) & (least < high)
            else:
                apart = (np.minimum(low, 0.0) >= 0.0) & (np.maximum(most, 0.0) <= 0.0) & ((high > 0.0) | (least < 0.0))
            if apart.any():
                return True
    return False


def _range_of(spaces: HalfSpaces, some: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.full(spaces.width, np.inf), np.full(spaces.width, -np.inf)
    some = some & spaces.present
    for rows, Z in spaces.blocks():
        part = Z[some[rows]]
        low = np.minimum(low, part.min(axis=0, initial=np.inf))
        high = np.maximum(high, part.max(axis=0, initial=-np.inf))
    return low, high
