"""The Hessian's spectrum at a point: how fast descent converges there, and which learning rates it bears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_number
from ..arrays.norm import norm_of
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

    Attributes
    ----------
    eigenvalues : float64 array of shape (k,)
        Ascending: all of them by the dense method, the smallest and the largest by Lanczos.
    eigenvectors : float64 array of shape (n_parameters, k)
        Their unit vectors, in columns.
    gradient : float64 array of shape (n_parameters,)
        That of the smooth part at w.
    gradient_norm : float
        Its Euclidean norm; with an L1 penalty that of the smallest subgradient.
    method : str
        "dense" or "lanczos".
    zero_tolerance : float
        Eigenvalues of at most this size count as zero: the arithmetic cannot tell them from it.
    gradient_tolerance : float
        A gradient norm of at most this counts as zero.
    parameter_scales : float64 array of shape (n_parameters,) or None
        Root of the Hessian's diagonal: how steep each parameter is. None for Lanczos.
    standardised_condition_number : float or None
        What the condition number would be with columns of mean 0 and deviation 1 (exact for least squares without a
        penalty, else about). None for Lanczos, for a Softmax and for what is no objective of data with an intercept.
    """

    def __str__(self) -> str:
        return report(self)


def curvature(
    objective: Objective, w: Any, *, method: str = "auto", gradient_tolerance: float | None = None
) -> Curvature:
    """Measure the curvature of an objective at w: the eigenvalues of its Hessian, and what follows from them.

    Parameters
    ----------
    objective : LeastSquares, Logistic, Softmax, Function or any other `Objective`
        Without a `hessian_product`, the gradient's central differences stand for one.
    w : array of shape (n_parameters,), or that of a Softmax, the objective's dtype
        Where: of NumPy, or of a library that has DLPack.
    method : {"auto", "dense", "lanczos"}
        "dense" takes all eigenvalues of the whole Hessian (LAPACK), "lanczos" the smallest and the largest by products
        (ARPACK; needs SciPy, the extra `curvature`). "auto" is dense for up to 1,024 parameters.
    gradient_tolerance : float, optional
        Norm up to which a gradient counts as zero. By default 1e-5 (float32: 1e-3) times the size of the largest
        eigenvalue times ``1 + |w|``.

    Returns
    -------
    Curvature

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, dtype, shape or range, or a Hessian that is not finite.
    MissingExtraError
        Lanczos without SciPy.
    NotImplementedError
        An objective on a CUDA device.
    """
    check_objective(objective)
    w = own_copy(objective, w)
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, _METHODS))}, got {method!r}")
    if gradient_tolerance is not None:
        check_number("gradient_tolerance", gradient_tolerance, least=0.0)
    hessian = Hessian(objective, w)
    dense = method == "dense" or (method == "auto" and w.size <= _DENSE_PARAMETERS) or w.size < 3
    matrix = finite(hessian.matrix()) if dense else None
    values, vectors, tolerance = dense_spectrum(matrix) if matrix is not None else extremes(hessian, w.size)
    largest = float(np.abs(values).max())
    gradient, gradient_norm = _gradient(objective, w)
    if gradient_tolerance is None:
        share = 1e-5 if w.dtype == np.float64 else 1e-3
        gradient_tolerance = share * largest * (1.0 + float(np.linalg.norm(w)))
    return Curvature(
        eigenvalues=values,
        eigenvectors=vectors,
        gradient=gradient,
        gradient_norm=gradient_norm,
        method="dense" if dense else "lanczos",
        zero_tolerance=max(hessian.tolerance, tolerance) * largest,
        gradient_tolerance=gradient_tolerance,
        parameter_scales=None if matrix is None else np.sqrt(np.maximum(np.diag(matrix), 0.0)),
        standardised_condition_number=standardised_condition(objective, matrix, hessian.tolerance),
        _n_parameters=w.size,
    )


def _gradient(objective: Any, w: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    gradient = objective.value_and_gradient(w)[1]
    exact = np.array(gradient, dtype=np.float64)
    if supports(objective, Capability.DATA):
        return exact, objective.gradient_norm(w, gradient)
    return exact, norm_of(exact)
