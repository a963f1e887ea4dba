"""The Hessian's spectrum at a point: how fast descent converges there, and which learning rates it bears."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_number, describe
from ..arrays.norm import norm_of
from ..objectives.protocol import Objective
from .hessian import Hessian, own_copy
from .report import report
from .spectrum import dense_spectrum, extremes, finite, first, standardised_condition

__all__ = ["Curvature", "curvature"]

_DENSE_PARAMETERS = 1024
_METHODS = ("auto", "dense", "lanczos")

# The factor by which the slowest eigendirection of a quadratic shrinks a step, at the best fixed learning rate (and
# momentum), less 1; k is the condition number. Heavy ball: Polyak 1964; accelerated: Nesterov 1983, at rate 1 / lmax.
_SHRINKAGE: dict[str, Callable[[float], float]] = {
    "gradient_descent": lambda k: -2.0 / (k + 1.0),
    "heavy_ball": lambda k: -2.0 / (math.sqrt(k) + 1.0),
    "accelerated": lambda k: -1.0 / math.sqrt(k),
}


@dataclass(eq=False)
class Curvature:
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

    eigenvalues: NDArray[np.float64]
    eigenvectors: NDArray[np.float64]
    gradient: NDArray[np.float64]
    gradient_norm: float
    method: str
    zero_tolerance: float
    gradient_tolerance: float
    parameter_scales: NDArray[np.float64] | None = None
    standardised_condition_number: float | None = None
    _n_parameters: int = field(default=0, repr=False)

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return self._n_parameters

    @property
    def eigenvalue_min(self) -> float:
        """The smallest eigenvalue."""
        return float(self.eigenvalues[0])

    @property
    def eigenvalue_max(self) -> float:
        """The largest eigenvalue."""
        return float(self.eigenvalues[-1])

    @property
    def rank(self) -> int:
        """How many of `eigenvalues` are not zero."""
        return int((np.abs(self.eigenvalues) > self.zero_tolerance).sum())

    @property
    def condition_number(self) -> float:
        """The largest eigenvalue over the smallest one; inf where that is not above zero."""
        return self.eigenvalue_max / self.eigenvalue_min if self.eigenvalue_min > self.zero_tolerance else math.inf

    @property
    def effective_condition_number(self) -> float:
        """The same without the directions of no curvature; inf where an eigenvalue is negative, or not known (Lanczos).

        It is what descent feels on least squares, whose gradient has no part in those directions.
        """
        if self.eigenvalue_min < -self.zero_tolerance or self.eigenvalue_max <= self.zero_tolerance:
            return math.inf
        if self.rank < len(self.eigenvalues) < self.n_parameters:
            return math.inf
        return self.eigenvalue_max / float(self.eigenvalues[self.eigenvalues > self.zero_tolerance][0])

    @property
    def max_learning_rate(self) -> float:
        """2 / eigenvalue_max: plain descent converges below it; inf where no eigenvalue is above zero."""
        return 2.0 / self.eigenvalue_max if self.eigenvalue_max > 0 else math.inf

    @property
    def best_learning_rate(self) -> float:
        """2 / (eigenvalue_max + eigenvalue_min), the best fixed rate of plain descent; nan without a minimum.

        Directions of no curvature are left out.
        """
        kappa = self.effective_condition_number
        return 2.0 / (self.eigenvalue_max * (1.0 + 1.0 / kappa)) if kappa < math.inf else math.nan

    @property
    def best_momentum(self) -> float:
        """((sqrt(k) - 1) / (sqrt(k) + 1))^2, heavy ball's best; k without directions of no curvature."""
        kappa = self.effective_condition_number
        return math.tanh(0.25 * math.log(kappa)) ** 2 if kappa < math.inf else math.nan

    @property
    def best_momentum_learning_rate(self) -> float:
        """4 / (sqrt(eigenvalue_max) + sqrt(eigenvalue_min))^2, the rate that goes with `best_momentum`."""
        kappa = self.effective_condition_number
        if kappa == math.inf:
            return math.nan
        return 4.0 / (self.eigenvalue_max * (1.0 + 1.0 / math.sqrt(kappa)) ** 2)

    @property
    def kind(self) -> str:
        """What w is: "minimum", "maximum", "saddle", "degenerate" (a zero among them: cannot tell), "not stationary".

        The gradient counts as zero up to `gradient_tolerance`, an eigenvalue up to `zero_tolerance`.
        """
        if not self.gradient_norm <= self.gradient_tolerance:
            return "not stationary"
        positive = bool((self.eigenvalues > self.zero_tolerance).any())
        negative = bool((self.eigenvalues < -self.zero_tolerance).any())
        if positive and negative:
            return "saddle"
        if self.rank < len(self.eigenvalues):
            return "degenerate"
        return "minimum" if positive else "maximum"

    def predicted_steps(self, tol: float, method: str = "gradient_descent") -> float:
        """Return the steps that bring w nearer to the minimum by the factor tol, by the rate of its slowest direction.

        Parameters
        ----------
        tol : float
            Final distance over first one, above 0.
        method : {"gradient_descent", "heavy_ball", "accelerated"}
            Each at its best fixed learning rate and momentum for this quadratic: convergence factors
            (k - 1) / (k + 1), (sqrt(k) - 1) / (sqrt(k) + 1) and 1 - 1 / sqrt(k) of the condition number k. Those of the
            last two hold in the long run: they take up to half as many steps again to get going.

        Returns
        -------
        int, or inf where an eigenvalue is negative or none is above zero
        """
        check_number("tol", tol, above=0.0)
        if method not in _SHRINKAGE:
            raise ValueError(f"method must be one of {', '.join(map(repr, _SHRINKAGE))}, got {method!r}")
        kappa = self.effective_condition_number
        if kappa == math.inf:
            return math.inf
        if tol >= 1.0:
            return 0
        shrinkage = _SHRINKAGE[method](kappa)
        return 1 if shrinkage <= -1.0 else max(1, math.ceil(math.log(tol) / math.log1p(shrinkage)))

    def steps_to_gradient_norm(self, tol: float, learning_rate: float | None = None) -> float:
        """Return the steps of plain descent from this w until the gradient's norm is at most tol.

        On the quadratic model, each part of the gradient along an eigenvector shrinks by 1 - learning_rate * eigenvalue
        a step; for least squares that is what happens. It is the smooth part's gradient: with an L1 penalty, another.

        Parameters
        ----------
        tol : float
            Norm of the gradient, above 0.
        learning_rate : float, optional
            `best_learning_rate` if not given.

        Returns
        -------
        int, or inf where it never comes to that

        Raises
        ------
        ValueError
            Not all eigenvalues are known (the method was Lanczos), or an argument is out of range.
        """
        check_number("tol", tol, above=0.0)
        if len(self.eigenvalues) < self.n_parameters:
            raise ValueError('steps_to_gradient_norm needs all eigenvalues: use curvature(..., method="dense")')
        rate = self.best_learning_rate if learning_rate is None else learning_rate
        rate = check_number("learning_rate", rate, above=0.0)
        parts = np.abs(self.eigenvectors.T @ self.gradient)
        factors = np.abs(1.0 - rate * np.where(np.abs(self.eigenvalues) > self.zero_tolerance, self.eigenvalues, 0.0))

        def norm(steps: int) -> float:
            with np.errstate(over="ignore"):
                return float(np.linalg.norm(parts * factors**steps))

        return first(lambda steps: norm(steps) <= tol)

    def __str__(self) -> str:
        return report(self)


def curvature(
    objective: Objective, w: Any, *, method: str = "auto", gradient_tolerance: float | None = None
) -> Curvature:
    """Measure the curvature of an objective at w: the eigenvalues of its Hessian, and what follows from them.

    Parameters
    ----------
    objective : LeastSquares, Logistic, Softmax, Function or anything with n_parameters, dtype and value_and_gradient
        Without a `hessian_product`, the gradient's central differences stand for one.
    w : array of shape (n_parameters,), or that of a Softmax, the objective's dtype
        Where: of NumPy, or of a library that has DLPack.
    method : {"auto", "dense", "lanczos"}
        "dense" takes all eigenvalues of the whole Hessian (LAPACK), "lanczos" the smallest and the largest by products
        (ARPACK; needs SciPy, the extra `curvature`). "auto" is dense for up to 1,024 parameters.
    gradient_tolerance : float, optional
        Norm up to which a gradient counts as zero. By default 1e-6 (float32: 1e-3) times the larger of 1 and
        ``eigenvalue_max * (1 + |w|)``.

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
    if isinstance(objective, type) or not isinstance(objective, Objective):
        raise TypeError(f"objective must be a LeastSquares, Logistic, Softmax or Function, got {describe(objective)}")
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
    native = getattr(objective, "native", None)
    norm = norm_of(np.asarray(gradient)) if native is None else native.gradient_norm(w, gradient)
    return np.array(gradient, dtype=np.float64), float(norm)
