"""The closed form of least squares: Cholesky of the normal equation, or else QR or SVD of the rows."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.interop import like, place
from ..objectives.losses import LeastSquares
from ..objectives.protocol import Capability, missing
from ..warnings import RankWarning
from . import triangular
from .rows import WeightedRows

__all__ = ["ClosedForm", "normal_equation"]

_EPSILON = float(np.finfo(np.float64).eps)
_NATIVE_COLUMNS = 64  # up to here the native Hessian of float64 rows is faster than BLAS; above 100 it is slower
_REFINABLE = 1e-3  # each refinement divides the error by 1 / (condition number * epsilon)
_REFINEMENTS = 6
_NAMED = 6  # at most so many columns are named in a warning


@dataclass(eq=False)
class ClosedForm:
    """The minimum of a least-squares objective, as `normal_equation` returns it.

    Attributes
    ----------
    w : array of shape (n_parameters,), of the dtype of the objective and the library of its X
        The parameters at the minimum. The intercept is last.
    value : float
        The objective at w, penalty included, in squared units of y.
    rank : int
        The rank of the rows, with the intercept's column and the penalty. If it is below n_parameters, the minimum is
        not unique.
    method : {"cholesky", "qr", "svd"}
        The solver: Cholesky of the normal equation, QR of the rows, or SVD of the triangle of that QR if the rank is
        below n_parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> found = st.normal_equation(st.LeastSquares(X, np.array([1.0, 2.0, 6.0])))
    >>> print(found.method, found.rank, round(found.value, 3))
    cholesky 2 0.5
    """

    w: Any
    value: float
    rank: int
    method: str

    def __repr__(self) -> str:
        w = np.array2string(self.w, threshold=8, precision=4) if isinstance(self.w, np.ndarray) else self.w
        return f"ClosedForm(value={self.value:.6g}, rank={self.rank}, method={self.method!r}, w={w})"


def normal_equation(objective: LeastSquares) -> ClosedForm:
    """Minimise a least-squares objective without descent, by solving for a gradient of zero.

    Parameters
    ----------
    objective : LeastSquares
        An objective in host memory, without an L1 penalty. It may have fewer rows than columns. A sparse X may have up
        to 4,096 columns; blocks of its rows are made dense.

    Returns
    -------
    ClosedForm

    Raises
    ------
    TypeError
        The objective is not a LeastSquares.
    ValueError
        The objective is on a device or has an L1 penalty, or its X holds nan or infinity.

    Warns
    -----
    RankWarning
        Columns depend on one another and there is no penalty, so the minimum is not unique. The minimum of least
        Euclidean norm, over the coefficients and the intercept together, is returned.

    Notes
    -----
    Let s be the weights divided by their sum, A the rows of X with a column of ones for the intercept, and P the
    identity with a 0 for the intercept. The minimum solves the normal equation

        (A' diag(s) A + alpha/2 P) w = A' diag(s) y

    in O(n_samples n_parameters^2 + n_parameters^3).

    Cholesky: the matrix is scaled to a diagonal of ones and factored. For float64, Newton steps with the native
    gradient then remove the error (the corrected seminormal equations: Björck, "Numerical Methods for Least Squares
    Problems", 1996). Forming the matrix squares the condition number.

    QR: if the condition number is too large for Cholesky, the rows are multiplied by the roots of their weights and
    factored block by block (TSQR: Demmel, Grigori, Hoemmen and Langou, "Communication-optimal parallel and sequential
    QR and LU factorizations", 2012). This takes several times as long.

    SVD: the rank is the number of singular values of the triangle R that exceed the largest one times
    e sqrt(n_parameters) + 2.2e-15 (sqrt(n_parameters) + sqrt(n_samples)). With a penalty e is 0; without one, it is
    the distance from 1 to the next number of the objective's dtype. The columns of R are first scaled to norm 1, unless
    there are fewer rows than parameters.

    All arithmetic is in float64. An X of fewer bits is widened by blocks of rows and never copied whole. The
    working memory is a few float64 matrices of shape (n_parameters + 1, n_parameters + 1).

    Examples
    --------
    The points (0, 1), (1, 2) and (2, 6) have the regression line 2.5 x + 0.5.

    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> found = st.normal_equation(st.LeastSquares(X, np.array([1.0, 2.0, 6.0])))
    >>> print(found.w.round(6))
    [2.5 0.5]
    """
    _check(objective)
    rows = WeightedRows(objective)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        found = _by_cholesky(objective, rows) or _by_qr(objective, rows)
    w, rank, method = found
    w = w.astype(objective.dtype)
    return ClosedForm(like(w, objective.X), objective.value(w), rank, method)


def _check(objective: Any) -> None:
    if not isinstance(objective, LeastSquares):
        raise TypeError(
            f"objective must be a LeastSquares, which has a closed form, got {describe(objective)}; "
            "use st.minimize for other objectives"
        )
    if objective.device is not None:
        raise ValueError(
            f"objective must be in {place(None)} for its closed form, got one in {place(objective.device)}; "
            "use st.minimize, or copy X and y to host memory"
        )
    if not objective.data.supports(Capability.ROWS):
        remedy = "use st.minimize; of a sparse X, rows are taken up to 4,096 columns"
        raise missing(objective, Capability.ROWS, "normal_equation", remedy)
    if objective.penalty_weight is not None:
        raise ValueError("penalty_weight must be None for a closed form, got numbers; use st.minimize")
    if objective.alpha * objective.l1_ratio > 0:
        raise ValueError(
            f"l1_ratio or alpha must be 0 for a closed form, got l1_ratio={objective.l1_ratio:g} with "
            f"alpha={objective.alpha:g}; use st.minimize"
        )


def _by_cholesky(objective: LeastSquares, rows: WeightedRows) -> tuple[NDArray[Any], int, str] | None:
    """Solve the normal equation; return None if its condition number is too large for that."""
    p = objective.n_parameters
    if objective.n_samples < p and objective.alpha == 0:
        return None
    refine = objective.dtype == np.float64
    if refine and p <= _NATIVE_COLUMNS:
        zero = np.zeros(p)
        matrix, target = objective.hessian(zero) / 2, -objective.gradient(zero) / 2
    else:
        matrix, target = rows.normal_equation()
    scale = np.sqrt(np.diag(matrix))
    scaled = matrix / scale / scale[:, None]
    if not (np.isfinite(scaled).all() and np.isfinite(target).all()):
        return None
    try:
        inverse = triangular.inverse(np.linalg.cholesky(scaled))
    except np.linalg.LinAlgError:
        return None
    error = _EPSILON * np.abs(scaled).sum(axis=0).max() * (inverse**2).sum()  # at least epsilon * condition number
    if not error < (_REFINABLE if refine else np.finfo(np.float32).eps / 4):
        return None
    w = (inverse.T @ (inverse @ (target / scale))) / scale
    if refine:
        w = _refined(objective, w, inverse, scale)
    return w, p, "cholesky"


def _refined(objective: LeastSquares, w: NDArray[Any], inverse: NDArray[Any], scale: NDArray[Any]) -> NDArray[Any]:
    """Take Newton steps with the native gradient until they no longer shrink."""
    before = math.inf
    for _ in range(_REFINEMENTS):
        gradient = objective.gradient(w)
        step = (inverse.T @ (inverse @ (gradient / 2 / scale))) / scale
        size = float(np.linalg.norm(step * scale))
        if not size < before / 2:
            break
        w = w - step
        before = size
        if size <= 2 * _EPSILON * float(np.linalg.norm(w * scale)):
            break
    return w


def _by_qr(objective: LeastSquares, rows: WeightedRows) -> tuple[NDArray[Any], int, str]:
    """Solve by QR of the rows, or by the SVD of R if the rank is below the number of parameters."""
    p = objective.n_parameters
    R = rows.triangle()
    if not np.isfinite(R).all():
        raise ValueError("objective must have a finite minimum; look for nan, infinity and numbers above 1e150 in X")
    R, target = R[:p, :p], R[:p, p]
    square = len(R) == p
    scale = np.linalg.norm(R, axis=0) if square else np.ones(p)
    scale[scale == 0] = 1.0
    scaled = R / scale
    rounding = 0.0 if objective.alpha > 0.0 else math.sqrt(p) * float(np.finfo(objective.dtype).eps)
    tolerance = rounding + 10 * (math.sqrt(p) + math.sqrt(objective.n_samples)) * _EPSILON
    if square:
        singular = np.linalg.svd(scaled, compute_uv=False)
        if singular[-1] > tolerance * singular[0]:
            return np.linalg.solve(scaled, target) / scale, p, "qr"
    left, singular, right = np.linalg.svd(scaled, full_matrices=False)
    rank = int((singular > tolerance * singular[0]).sum())
    _warn(objective, rank, 1.0 - (right[:rank] ** 2).sum(axis=0))
    w = right[:rank].T @ ((left.T @ target)[:rank] / singular[:rank]) / scale
    if square:  # otherwise w has the least norm already
        null_space = np.linalg.qr((right[rank:] / scale).T)[0]
        w -= null_space @ (null_space.T @ w)
    return w, rank, "svd"


def _warn(objective: LeastSquares, rank: int, share: NDArray[Any]) -> None:
    """Warn that the rank is below the number of parameters; `share` of each parameter's axis is in the null space."""
    p, d = objective.n_parameters, objective.n_features
    involved = np.flatnonzero(share > 1e-8)
    columns = [str(column) for column in involved if column < d]
    shown = ", ".join(columns[:_NAMED]) + (f", ... ({len(columns)} in all)" if len(columns) > _NAMED else "")
    noun = "column" if len(columns) == 1 else "columns"
    where = [f"{noun} {shown} of X"] * bool(columns) + ["the intercept"] * bool(len(columns) < len(involved))
    penalty = "a larger alpha" if objective.alpha else "alpha > 0"
    if objective.n_samples < p:
        what = f"there are only {objective.n_samples} rows"
        remedy = f"give more rows or {penalty}"
    else:
        what = "columns depend on one another"
        remedy = f"drop {'one' if p - rank == 1 else p - rank} of them, or give {penalty}"
    warnings.warn(
        f"the rank is {rank}, but there are {p} parameters: {what}. The minimum is not unique; the one of least norm "
        f"is returned. Undetermined: {' and '.join(where)}; {remedy}",
        RankWarning,
        stacklevel=4,
    )
