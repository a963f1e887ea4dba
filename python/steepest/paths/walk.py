"""`path`: the minima of a loss along a path of strengths of its penalty, each found from the one before."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_flag, check_fraction, check_number
from ..arrays.hints import hinting
from ..descent.supervision import supervision
from ..objectives.conditioned import Coordinates
from ..objectives.data import DataObjective
from ..objectives.on_host import on_host
from ..objectives.protocol import Capability, check_objective, missing
from ..warnings import DiagnosisWarning, levels_outside
from .choice import solver_for
from .factors import penalty_at
from .grid import check_alphas, is_flat, made_alphas
from .null_model import NullModel
from .prepared import Prepared
from .result import Packed, Path
from .solvers import Point

__all__ = ["default_alphas", "path"]

# glmnet's numbers (fdev, devmax and mnlam): a path ends if an alpha raised the deviance explained by less than this
# share of it, or if it explains this much, but not before so many alphas.
_GAIN, _EXPLAINED, _LEAST_POINTS = 1e-5, 0.999, 5
_HINTS = {
    "lambdas": "alphas=...",
    "lambda_": "alphas=...",
    "lambda_path": "alphas=...",
    "nlambda": "n_alphas=...",
    "n_lambda": "n_alphas=...",
    "eps": "smallest=..., the smallest alpha as a share of the largest",
    "lambda_min_ratio": "smallest=...",
    "Cs": "alphas=..., which are 1 / (C * n_samples)",
    "alpha": "alphas=[...]",
    "max_iter": "tol=...",
}


@hinting(**_HINTS)
def path(
    objective: DataObjective,
    alphas: Any = None,
    *,
    n_alphas: int = 100,
    l1_ratio: float | None = None,
    smallest: float | None = None,
    tol: float = 1e-7,
    early_end: bool = True,
    positive: bool = False,
) -> Path:
    """Minimise a loss at many strengths of its penalty, from strong to weak, each from the minimum before.

    Parameters
    ----------
    objective : LeastSquares, Logistic, Softmax, Huber or Poisson
        The loss with its data, which are used in place. Its ``alpha`` is not used.
    alphas : array-like of shape (n_alphas,), optional
        The strengths, above 0, in any order. By default they lie at equal ratios, from the smallest alpha at which all
        coefficients are 0 downwards.
    n_alphas : int
        The number of strengths if ``alphas`` is None, at least 1.
    l1_ratio : float, optional
        Share of the L1 norm in the penalty, 0 to 1. By default it is that of the objective, or 1 if the objective has
        neither an l1_ratio nor an alpha. With 0 (ridge) no alpha makes all coefficients 0, and the path begins at the
        alpha that would for an l1_ratio of 0.001.
    smallest : float, optional
        The smallest alpha as a share of the largest, above 0 and below 1, if ``alphas`` is None. By default it is 1e-4,
        or 0.01 if X has fewer rows than columns.
    tol : float
        How far each value may lie above its minimum, as a share of the deviance of the null model, above 0.
    early_end : bool
        Whether a path of the default alphas may end early, as that of glmnet does: after five alphas at least, when the
        last one raised the deviance explained by less than 1e-5 of it, or when it is above 0.999. Given alphas are all
        fitted.
    positive : bool
        Whether the coefficients, but not the intercepts, must be at least 0.

    Returns
    -------
    Path

    Raises
    ------
    TypeError, ValueError
        The objective is no loss of data, or an argument has the wrong type or is out of range. Or the gradient of the
        null model is 0, as for constant targets, or leads no coefficient above 0 where that is asked for, so that no
        alpha can be the largest.

    Warns
    -----
    DiagnosisWarning
        Some fits did not reach the tolerance: ``converged`` of the `Path` tells which. Or none has a minimum, as where
        columns without a penalty separate the classes.

    Notes
    -----
    The null model has the best intercept, which is not penalised, and coefficients of 0. Its largest slope, divided by
    the l1_ratio, is the first alpha.

    `LeastSquares` of up to 2,048 columns takes one pass over the rows, which gives the Hessian. Each alpha then costs
    coordinate descent on that. The sequential strong rule leaves out columns whose slopes were small at the alpha
    before; the slopes of all columns are checked afterwards. A duality gap ends each fit. The other losses take
    proximal Newton steps, with one Hessian for many alphas, which learns from the steps. `Huber` over at most about
    1,000 rows is minimised exactly where such steps lead nowhere. Data of more columns than rows, or of over 4,000
    columns, go by working sets of columns: the strong rule chooses the first, and one pass over all columns finds the
    duality gaps at up to 16 alphas.

    Strong rules: Tibshirani, Bien, Friedman, Hastie, Simon, Taylor, Tibshirani, "Strong Rules for Discarding Predictors
    in Lasso-Type Problems", Journal of the Royal Statistical Society B 74, 2012. Paths: Friedman, Hastie, Tibshirani,
    "Regularization Paths for Generalized Linear Models via Coordinate Descent", Journal of Statistical Software 33,
    2010.

    Examples
    --------
    Two of five columns matter:

    >>> import numpy as np
    >>> import steepest as st
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 5))
    >>> y = 3 * X[:, 0] - X[:, 1] + rng.standard_normal(200)
    >>> path = st.path(st.LeastSquares(X, y), n_alphas=50)
    >>> print(path.n_nonzero[0], path.n_nonzero[-1])
    0 5
    >>> second = np.argmax(path.n_nonzero == 2)
    >>> path.coefs[[second]].indices
    array([0, 1])
    """
    _check(objective)
    objective = on_host(objective)
    ratio = _l1_ratio(objective, l1_ratio)
    tol, early = check_number("tol", tol, above=0.0), check_flag("early_end", early_end) and alphas is None
    given = None if alphas is None else check_alphas(alphas)
    prepared = Prepared.of(objective, ratio, check_flag("positive", positive))
    grid = _grid(prepared, n_alphas, smallest) if given is None else given
    walk = _walk(prepared, prepared.inner(grid), tol, early)
    found = dataclasses.replace(walk.path(prepared.coordinates), alphas=grid[: len(walk.points)], l1_ratio=ratio)
    _warn(found, prepared.null)
    return found


def default_alphas(
    objective: DataObjective, l1_ratio: float, n_alphas: int, smallest: float | None, positive: bool = False
) -> NDArray[np.float64]:
    """Return the strengths that `path` takes if none are given."""
    return _grid(Prepared.of(objective, l1_ratio, positive), n_alphas, smallest)


def _grid(prepared: Prepared, n_alphas: int, smallest: float | None) -> NDArray[np.float64]:
    objective, null, ratio = prepared.objective, prepared.null, prepared.l1_ratio
    return prepared.unit * made_alphas(objective, null, ratio, n_alphas, smallest, prepared.positive)


def _warn(path: Path, null: NullModel) -> None:
    """Warn if fits did not reach the tolerance, or had no minimum to reach."""
    short = np.flatnonzero(~path.converged)
    if not (len(short) and supervision().warns):
        return
    if null.has_minimum:
        text = (
            f"{len(short)} of {len(path)} fits did not reach the tolerance, the first at "
            f"alpha={path.alphas[short[0]]:g}; see Path.converged and Path.gaps; a larger tol or larger alphas "
            "would do, or columns of similar scale"
        )
    else:
        text = (
            "there is no minimum at any alpha: parameters without a penalty separate classes or rows, and the loss "
            "falls for ever as they grow; set the penalty_weight of such columns above 0"
        )
    warnings.warn(text, DiagnosisWarning, stacklevel=levels_outside())


def _check(objective: Any) -> None:
    check_objective(objective)
    remedy = "give it a loss such as st.LeastSquares(X, y)"
    for capability in (Capability.DATA, Capability.COLUMN_STATISTICS):
        if not isinstance(objective, DataObjective) or not objective.supports(capability):
            raise missing(objective, capability, "st.path", remedy)


def _l1_ratio(objective: DataObjective, given: Any) -> float:
    if given is not None:
        return check_fraction("l1_ratio", given)
    return objective.l1_ratio if objective.l1_ratio > 0.0 or objective.alpha > 0.0 else 1.0


class _Walk:
    """The points of a path so far."""

    def __init__(self, objective: DataObjective, null: NullModel, l1_ratio: float) -> None:
        self._objective, self._l1_ratio, self._has_minimum = objective, l1_ratio, null.has_minimum
        self._saturated = objective.saturated_loss
        self._deviance = 0.0 if is_flat(objective, null) else null.loss - self._saturated
        self.alphas: list[float] = []
        self.points: list[Point] = []
        self.explained: list[float] = []
        self.values: list[float] = []
        self.n_passes, self.stop_reason = 0, "all alphas"

    def add(self, alpha: float, point: Point) -> None:
        self.alphas.append(alpha)
        self.points.append(point)
        self.values.append(point.loss + penalty_at(self._objective, point.w, alpha, self._l1_ratio))
        left = (point.loss - self._saturated) / self._deviance if self._deviance > 0.0 else 1.0
        self.explained.append(1.0 - left)

    def ends(self) -> bool:
        """Return whether a path may end here."""
        now = self.explained[-1]
        if len(self.points) < _LEAST_POINTS:
            return False
        if now > _EXPLAINED:
            self.stop_reason = "explained"
        elif now > 0.0 and now - self.explained[-2] < _GAIN * now:
            self.stop_reason = "saturated"
        return self.stop_reason != "all alphas"

    def path(self, coordinates: Coordinates | None) -> Path:
        """Return the path, in the units of the columns."""
        layout = self._objective.layout
        found = [point.w if coordinates is None else coordinates.to_raw(point.w) for point in self.points]
        tables = [w.reshape(layout.n_scores, -1) for w in found]
        coefficients = [np.ascontiguousarray(table[:, : layout.n_features]).ravel() for table in tables]
        places = [np.flatnonzero(each) for each in coefficients]
        values = [each[at] for each, at in zip(coefficients, places, strict=True)]
        intercepts = np.stack([table[:, -1] if layout.intercept else np.zeros_like(table[:, 0]) for table in tables])
        return Path(
            alphas=np.array(self.alphas),
            l1_ratio=self._l1_ratio,
            intercepts=intercepts[:, 0] if layout.n_scores == 1 else intercepts,
            values=np.array(self.values),
            n_nonzero=np.array([len(at) for at in places]),
            deviance_explained=np.array(self.explained),
            gaps=np.array([point.gap for point in self.points]),
            converged=np.array([point.converged and self._has_minimum for point in self.points]),
            n_passes=self.n_passes,
            stop_reason=self.stop_reason,
            packed=Packed(places, values, layout),
            names=_names(self._objective.data.X),
        )


def _names(X: Any) -> tuple[str, ...] | None:
    """Return the names of the columns, if the data have names."""
    names = getattr(X, "names", None) or getattr(X, "feature_names", None)
    return None if names is None else tuple(map(str, names))


def _walk(prepared: Prepared, alphas: NDArray[np.float64], tol: float, early: bool) -> _Walk:
    """Follow a path; the alphas are those of the columns in their unit."""
    objective, null, ratio = prepared.objective, prepared.null, prepared.inner_ratio
    solver = solver_for(objective, null, ratio, tol, prepared.positive, alphas)
    walk = _Walk(objective, null, ratio)
    for alpha in alphas:
        walk.add(float(alpha), solver.solve(float(alpha)))
        if early and walk.ends():
            break
    walk.n_passes = null.n_passes + solver.n_passes
    return walk
