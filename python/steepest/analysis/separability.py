"""Whether classes are separable, by all rows or by some. Without a penalty, the loss then has no minimum: w diverges.

A minimum exists unless there is a direction of w in which no row's loss rises and some row's loss falls (Albert and
Anderson, "On the existence of maximum likelihood estimates in logistic regression models", 1984). The code proves that
there is such a direction, or that there is none. It never guesses from the size of w.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.loss import probabilities
from ..objectives.losses import LeastSquares
from ..objectives.offset import offsets_of
from ..objectives.on_host import on_host
from ..objectives.penalty_weight import factors_of
from ..objectives.protocol import Capability, device_of_objective, supports
from .counts import all_are_zero, falls_along_zeros
from .ranges import a_column_falls, a_column_separates
from .recession import HalfSpaces, Pairs, nearest_in_cone

__all__ = ["Separation", "lacks_a_class", "loss_of_a_wrong_row", "may_tell", "separating_loss", "separation"]

Separation: TypeAlias = Literal["", "all", "some", "absent", "all zeros", "zeros"]

_SMALL_LOSS = 0.1  # classes may be separable if their mean loss is below this
_FAR = 4.0  # or if the scores spread by at least this
_BLOCK = 1 << 17  # elements of X that are widened at a time
_MOST_PARAMETERS = 200  # the search is exact up to here
_SEARCH_PASSES = 40
_ZERO = 1e-12  # a sum up to this share of its terms may be rounding
_MORE = 1e-9  # a sum above this share of its terms is not
_PER_PARAMETER = 4  # rows of the first look with the smallest margins, for each parameter
_SPREAD = 20  # and rows of the first look spread over all rows, for each parameter
_FIRST_ROWS = 4096  # so many rows are looked at before all rows are
_NEWTON_STEPS = 4
_FULL_RANK = 1e-9  # independent columns of norm 1 have products whose eigenvalues are above this
_MOST_ELEMENTS = 1 << 24  # of a search in a sparse X
_ROWS_SEEN = 2000  # so many rows decide the units of the columns


def separating_loss(objective: DataObjective) -> float:
    """Return the objective below which every row must be classified correctly; -infinity if no value shows that.

    A misclassified row of weight s adds at least s log(2) to the sum of the losses.
    """
    if not objective.is_of_classes or objective.offset is not None:
        return -math.inf  # offsets may classify rows as well
    if objective.alpha > 0.0 and (objective.penalty_weight is None or factors_of(objective).any()):
        return -math.inf
    return loss_of_a_wrong_row(objective)


def loss_of_a_wrong_row(objective: DataObjective) -> float:
    """Return what a misclassified row adds at least to an objective of classes without offsets."""
    return math.log(2.0) * objective.data.least_weight / objective.weight_sum


def may_tell(objective: Any) -> bool:
    """Return whether an objective has what `separation` looks at: rows, ranges of columns or facts of its targets."""
    if device_of_objective(objective) is not None:
        return bool(getattr(objective, "is_of_counts", False))  # of classes, no rows can be looked at there
    if any(supports(objective, each) for each in (Capability.ROWS, Capability.COLUMN_RANGES)):
        return True
    return isinstance(objective, DataObjective) and objective.data.target_facts is not None


def separation(objective: Any, w: NDArray[Any], value: float) -> Separation:
    """Return "all" if planes separate the classes of all rows, "some" if only of some rows, "" if of none.

    "absent" means that a class has no row with a weight, and that the objective has intercepts. No penalty then gives a
    minimum.

    "some" means that a direction lowers the losses of some rows and raises no loss. The result is "" without a search
    if the margins at w are small and the loss is not. An objective of more than 200 parameters is searched column by
    column only, so the result may be "" although a direction over several columns separates. So is a wide sparse X,
    which no search makes dense.

    Columns whose penalties have the factor 0 are looked at alone.

    For a loss of counts it is "all zeros" if all targets are 0 and nothing keeps the scores from falling for ever, and
    "zeros" if those of some rows do.
    """
    if lacks_a_class(objective):
        return "absent"
    if getattr(objective, "penalty_weight", None) is not None and objective.alpha > 0.0:
        part = objective.unpenalised_part()
        if part is not None:
            return separation(part[0], _in_columns(objective, w, part[1]), 0.0)
    if getattr(objective, "is_of_counts", False):
        return _separation_of_counts(on_host(objective))
    if not getattr(objective, "is_of_classes", False) or objective.alpha > 0.0 or objective.device is not None:
        return ""
    if not objective.supports(Capability.ROWS) or _is_too_wide(objective):
        return _by_columns(objective)
    with np.errstate(over="ignore", invalid="ignore"):
        if _some_rows_overlap(objective, w):
            return ""
        scores = _scores(objective, w)
        spread = float(np.abs(scores).max() if scores.shape[1] == 1 else np.ptp(scores, axis=1).max())
        if not np.isfinite(w).all() or (spread < _FAR and not value < _SMALL_LOSS):
            return ""
        spaces = HalfSpaces(objective, _ROWS_SEEN)
        return _look(objective, spaces, w, scores) if spaces.finite else ""


def _in_columns(objective: Any, w: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any]:
    """Return the parameters of some columns, and the intercepts."""
    d = objective.n_features
    table = w.reshape(objective.layout.n_scores, -1)
    return np.ascontiguousarray(table[:, np.append(columns, np.arange(d, table.shape[1]))]).ravel()


def _is_too_wide(objective: Any) -> bool:
    """Return whether the search would make too many numbers of an X that holds few."""
    n, d, k = objective.n_samples, objective.n_features, max(2, objective.layout.n_scores)
    size = (k - 1) * (d + 1)
    searched = min((_PER_PARAMETER + _SPREAD) * size, n * k) * k * (d + 1)
    return searched > _MOST_ELEMENTS and bool(objective.data.n_elements < n * d)


def lacks_a_class(objective: Any) -> bool:
    """Return whether a class has no row, so that its intercept, which has no penalty, falls for ever."""
    if not getattr(objective, "is_of_classes", False) or objective.device is not None:
        return False
    if not (objective.intercept and _knows_targets(objective)):
        return False
    facts = objective.data.target_facts
    y, weight = (objective.targets, objective.weights) if facts is None else (facts.values, facts.totals)
    found = np.unique(y if weight is None else y[weight > 0])
    return bool(len(found) < max(2, objective.layout.n_scores))


def _knows_targets(objective: Any) -> bool:
    return bool(objective.supports(Capability.TARGETS) or objective.data.target_facts is not None)


def _separation_of_counts(objective: Any) -> Separation:
    if objective.intercept and _knows_targets(objective) and all_are_zero(objective):
        return "all zeros"  # no penalty holds the intercept
    if objective.alpha > 0.0:
        return ""
    if objective.n_parameters > _MOST_PARAMETERS:
        return "zeros" if objective.supports(Capability.COLUMN_RANGES) and a_column_falls(objective) else ""
    return "zeros" if objective.supports(Capability.ROWS) and falls_along_zeros(objective) else ""


def _by_columns(objective: Any) -> Separation:
    return "some" if objective.supports(Capability.COLUMN_RANGES) and a_column_separates(objective) else ""


def _some_rows_overlap(objective: Any, w: NDArray[Any]) -> bool:
    """Return whether a sample of the rows proves that there is a minimum, so that no other row needs a look.

    The proof: every direction changes the score of a row of the sample, and raises the loss of one.
    """
    y, weight, n = objective.targets, objective.weights, objective.n_samples
    some = max(_FIRST_ROWS, _SPREAD * w.size)
    if n < 4 * some or w.size > _MOST_PARAMETERS:
        return False
    if not (objective.supports(Capability.BATCHES) and objective.supports(Capability.HESSIAN)):
        return False
    rows = np.linspace(0, n - 1, some).astype(np.intp)
    if weight is not None:
        rows = rows[weight[rows] > 0]
    if len(np.unique(y[rows])) < max(2, getattr(objective, "n_classes", 2)):
        return False
    part = objective.with_data(objective.data.taken(rows))
    spaces = HalfSpaces(part, _ROWS_SEEN)
    if not spaces.finite:
        return False
    exact = part.rows(slice(None))
    exact = np.column_stack([exact, np.ones(len(exact))]) if objective.intercept else exact
    size = np.sqrt(np.einsum("ij,ij->j", exact, exact))
    if not (np.isfinite(size).all() and (size > 0).all()):
        return False
    exact = exact / size
    if not np.linalg.eigvalsh(_products(exact))[0] > _FULL_RANK:
        return False
    w = w.ravel().copy()
    for _ in range(_NEWTON_STEPS):  # from the minimum over all rows to the minimum over the sample
        _, gradient, hessian = part.native.value_gradient_and_hessian(w)
        if not np.isfinite(hessian).all():
            return False
        step = np.linalg.lstsq(hessian.astype(np.float64), gradient.astype(np.float64), rcond=1e-9)[0]
        w = (w - step).astype(w.dtype)
    return _overlap_is_shown(part, spaces, w, _closest(spaces, _margins(spaces, _scores(part, w))))


def _products(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the products of all pairs of columns, on our threads: BLAS's threads wait long on a busy machine."""
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
        return _by_columns(objective)
    return _search(spaces, first)


def _scores(objective: Any, w: NDArray[Any]) -> NDArray[Any]:
    """Return the scores at w, of shape (n_samples, 1 or n_classes), with about the precision of the dtype of X."""
    n, d = objective.n_samples, objective.n_features
    table = w.reshape(-1, d + objective.intercept).astype(np.float64)
    slopes, constant = table[:, :d], table[:, d] if objective.intercept else np.zeros(len(table))
    if objective.scaling is not None:
        centre, scale = objective.scaling
        slopes = slopes / scale
        constant = constant - slopes @ centre
    slopes = slopes.T.astype(objective.dtype)
    in_place = objective.data.storage == objective.dtype.name and objective.data.n_elements == n * d
    step = n if in_place else max(1, _BLOCK // d)
    blocks = (slice(at, min(at + step, n)) for at in range(0, n, step))
    parts = [objective.rows(some, objective.dtype, standardised=False) @ slopes for some in blocks]
    return np.asarray((parts[0] if len(parts) == 1 else np.concatenate(parts)) + constant)


def _margins(spaces: HalfSpaces, scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return by how much the score of each row's class exceeds the others; infinity for pairs that do not count."""
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    own = np.take_along_axis(scores, spaces.labels[:, None], axis=1)
    return np.asarray(np.where(spaces.counted, own - scores, np.inf), dtype=np.float64)


def _moved(objective: Any, spaces: HalfSpaces, w: NDArray[Any], dual: bool = False) -> NDArray[np.float64]:
    """Return w, or with dual a gradient, in the coordinates of the half-spaces, without class 0."""
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
    """Return the rows and classes with the smallest margins, and others spread over all rows."""
    k = margins.shape[1]
    many, others = _PER_PARAMETER * spaces.size, _SPREAD * spaces.size
    flat = margins.ravel()
    least = np.argpartition(flat, many)[:many] if many < flat.size else np.arange(flat.size)
    spread = np.linspace(0, flat.size - 1, others).astype(np.intp)
    chosen = np.unique(np.concatenate([least, spread]))
    chosen = chosen[spaces.counted.ravel()[chosen]]
    return chosen // k, chosen % k


def _overlap_is_shown(objective: Any, spaces: HalfSpaces, w: NDArray[Any], pairs: Pairs) -> bool:
    """Return whether positive weights are found for which the vectors of all rows add up to 0.

    Every direction that gains for one row then loses for another (Stiemke, "Über positive Lösungen homogener linearer
    Gleichungen", 1915). At w, the probabilities of the wrong classes are weights that add up to the negative gradient.
    A Newton step h over some of the rows removes this rest. It changes the weight of each of them by the share a . h,
    which must be below 0.4.
    """
    A = spaces.vectors(pairs)
    value, gradient = objective.native.value_and_gradient(np.ascontiguousarray(w).reshape(-1))
    total = -_moved(objective, spaces, gradient, dual=True) * objective.weight_sum
    chances = _chances(objective, spaces, _moved(objective, spaces, w), pairs)
    weight = objective.weights
    chances = chances if weight is None else chances * weight[pairs[0]]
    hessian = (A * chances[:, None]).T @ A
    far = 1.0 + float(np.abs(spaces.origin / spaces.unit).max())
    lengths = np.linalg.norm(A, axis=1)
    noise = 2.0 * float(np.finfo(objective.dtype).eps) * far * float(lengths.max())
    noise *= objective.weight_sum * min(value, 1.0)  # a probability is at most the loss of its row
    if not (np.isfinite(hessian).all() and np.isfinite(total).all()):
        return False
    least = float(np.linalg.eigvalsh(hessian)[0])
    if not least > 2.0 * noise * float(lengths.max()):
        return False
    return float((A @ np.linalg.solve(hessian, total)).max()) < 0.4


def _chances(objective: Any, spaces: HalfSpaces, u: NDArray[np.float64], pairs: Pairs) -> NDArray[np.float64]:
    """Return the probability of the class of each pair."""
    scores = spaces.scores(pairs[0], u)
    offsets = offsets_of(objective, pairs[0])
    if offsets is not None:
        scores[:, -offsets.shape[1] :] += offsets  # beside a single score, class 0 has the score 0
    chances = probabilities(scores)
    return np.asarray(chances[np.arange(len(chances)), pairs[1]])


def _search(spaces: HalfSpaces, first: Pairs) -> Separation:
    """Look for a direction, then for one for the rows that it leaves in place, until no direction or no row is left."""
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
    """Return the leads of the rows along a direction in which none is negative and some are not 0, or None.

    The direction is the one nearest to the sum of all vectors; the nearest one is 0 if there is no such direction. The
    search starts with a few rows and adds the rows that lose by the direction found.
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
