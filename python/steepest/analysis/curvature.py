"""The spectrum of the Hessian at a point: how fast descent converges there, and with which learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_number
from ..arrays.norm import norm_of
from ..objectives.on_host import on_host
from ..objectives.penalty_weight import kept_parameters
from ..objectives.protocol import Capability, Objective, check_objective, supports
from .figures import CurvatureFigures
from .hessian import Hessian, own_copy
from .report import report
from .spectrum import dense_spectrum, extremes, finite, standardised_condition

__all__ = ["Curvature", "curvature"]

_DENSE_PARAMETERS = 1024
_METHODS = ("auto", "dense", "lanczos")


@dataclass(eq=False)
class Curvature(CurvatureFigures):
    """The curvature of the smooth part of an objective at w. Printing it gives a report with advice.

    Columns whose ``penalty_weight`` is infinity are left out. Their parameters are no part of the Hessian, and of
    `n_parameters`: eigenvectors and scales have zeros there.

    Attributes
    ----------
    eigenvalues : array of shape (k,), float64
        Eigenvalues of the Hessian, ascending. The dense method finds all of them, Lanczos the smallest and the largest.
    eigenvectors : array of shape (len(w), k), float64
        Unit eigenvectors, one in each column.
    gradient : array of shape (len(w),), float64
        Gradient of the smooth part at w.
    gradient_norm : float
        Euclidean norm of the gradient. With an L1 penalty, the norm of the subgradient of least norm.
    method : {"dense", "lanczos"}
        How the eigenvalues were found.
    zero_tolerance : float
        An eigenvalue of at most this size counts as zero, since rounding could have made it.
    gradient_tolerance : float
        A gradient norm of at most this size counts as zero.
    parameter_scales : array of shape (len(w),), float64, or None
        Square roots of the diagonal of the Hessian: how steep the objective is along each parameter. None for Lanczos.
    standardised_condition_number : float or None
        The condition number if the columns had mean 0 and standard deviation 1. It is exact for least squares without a
        penalty and approximate otherwise. None for Lanczos, for a Softmax, and for an objective without data or without
        an intercept.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> H = np.diag([1.0, 4.0])
    >>> bowl = st.Function(lambda w: (w @ H @ w / 2, H @ w), 2, lambda w, v: H @ v)
    >>> c = st.curvature(bowl, np.zeros(2))
    >>> print(c.kind, round(c.condition_number, 6), round(c.max_learning_rate, 6), round(c.best_learning_rate, 6))
    minimum 4.0 0.5 0.4
    >>> c.predicted_steps(1e-6), c.predicted_steps(1e-6, "heavy_ball")
    (28, 13)
    >>> print(c)
    Curvature at w: 2 parameters, a minimum (|gradient| 0, zero up to 4e-05)
      eigenvalues          1 to 4 (all by LAPACK)
      condition number     4
      learning rate        below 0.5; best 0.4, or 0.444 with momentum 0.111111
      steps to 1e-06       of the distance to the minimum: plain descent 28, heavy ball 13, accelerated 20
      advice:              condition number 4: descent converges fast with a learning rate of 0.4
    """

    def __str__(self) -> str:
        return report(self)


def curvature(
    objective: Objective, w: Any, *, method: str = "auto", gradient_tolerance: float | None = None
) -> Curvature:
    """Measure the curvature of an objective at w, by the eigenvalues of its Hessian.

    Parameters
    ----------
    objective : a loss such as LeastSquares, a Function or any other `Objective`
        The objective. If it has no `hessian_product`, Hessian products are central differences of its gradient.
    w : array of shape (n_parameters,), or of a Softmax's parameters_shape, the dtype of the objective
        The point, as an array of NumPy or of a library that has DLPack.
    method : {"auto", "dense", "lanczos"}
        "dense" computes all eigenvalues of the whole Hessian (LAPACK). "lanczos" computes the smallest and the largest
        from Hessian products (ARPACK); it needs SciPy, the extra `curvature`. "auto" is "dense" for at most 1,024
        parameters and "lanczos" for more.
    gradient_tolerance : float, optional
        A gradient of at most this norm counts as zero. The default is 1e-5 (float32: 1e-3) times the size of the
        largest eigenvalue times ``1 + |w|``.

    Returns
    -------
    Curvature

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        An argument has the wrong shape or is out of range, or the Hessian is not finite. Or w is not 0 in a column
        whose ``penalty_weight`` is infinity.
    MissingExtraError
        The method is Lanczos and SciPy is not installed.

    Notes
    -----
    On a quadratic, gradient descent with a fixed rate converges for rates below 2 / eigenvalue_max. The best rate is
    2 / (eigenvalue_max + eigenvalue_min) (Polyak, "Introduction to Optimization", 1987, section 1.4). For any other
    objective this holds near a minimum.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -10.0], [0.0, 10.0]])
    >>> c = st.curvature(st.LeastSquares(X, np.zeros(4)), np.zeros(3))
    >>> print(c.eigenvalues.round(6))
    [  1.   2. 100.]
    >>> c.kind, round(c.condition_number), round(c.standardised_condition_number)
    ('minimum', 100, 1)
    """
    check_objective(objective)
    w, objective = own_copy(objective, w), on_host(objective)
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, _METHODS))}, got {method!r}")
    if gradient_tolerance is not None:
        check_number("gradient_tolerance", gradient_tolerance, least=0.0)
    kept = kept_parameters(objective)
    hessian = Hessian(objective, w, kept)
    n = hessian.size
    dense = method == "dense" or (method == "auto" and n <= _DENSE_PARAMETERS) or n < 3
    matrix = finite(hessian.matrix()) if dense else None
    values, vectors, tolerance = dense_spectrum(matrix) if matrix is not None else extremes(hessian, n)
    largest = float(np.abs(values).max())
    gradient, gradient_norm = _gradient(objective, w)
    if gradient_tolerance is None:
        share = 1e-5 if w.dtype == np.float64 else 1e-3
        gradient_tolerance = share * largest * (1.0 + norm_of(w))
    return Curvature(
        eigenvalues=values,
        eigenvectors=_among_all(vectors, kept, w.size),
        gradient=gradient,
        gradient_norm=gradient_norm,
        method="dense" if dense else "lanczos",
        zero_tolerance=max(hessian.tolerance, tolerance) * largest,
        gradient_tolerance=gradient_tolerance,
        parameter_scales=None if matrix is None else _among_all(_roots(np.diag(matrix)), kept, w.size),
        standardised_condition_number=standardised_condition(objective, matrix, hessian.tolerance),
        _n_parameters=n,
    )


def _roots(diagonal: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.maximum(diagonal, 0.0)))


def _among_all(found: NDArray[np.float64], kept: NDArray[np.intp] | None, n: int) -> NDArray[np.float64]:
    """Return what rows of the kept ones of n parameters have, with zeros for the others."""
    if kept is None:
        return found
    whole = np.zeros((n, *found.shape[1:]))
    whole[kept] = found
    return whole


def _gradient(objective: Any, w: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    gradient = objective.value_and_gradient(w)[1]
    exact = np.array(gradient, dtype=np.float64)
    if supports(objective, Capability.DATA):
        return exact, objective.gradient_norm(w, gradient)
    return exact, norm_of(exact)
