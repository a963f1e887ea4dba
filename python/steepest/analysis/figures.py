"""The figures of a curvature: eigenvalues, and the learning rates and step counts that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_number
from .spectrum import first

__all__ = ["CurvatureFigures"]

# By method: the factor by which a step shrinks the slowest eigendirection of a quadratic, minus 1. The learning rate
# (and momentum) are the best fixed ones; k is the condition number. Heavy ball: Polyak, "Some methods of speeding up
# the convergence of iteration methods", 1964. Accelerated, at the rate 1 / eigenvalue_max: Nesterov, "A method of
# solving a convex programming problem with convergence rate O(1/k^2)", 1983.
_SHRINKAGE: dict[str, Callable[[float], float]] = {
    "gradient_descent": lambda k: -2.0 / (k + 1.0),
    "heavy_ball": lambda k: -2.0 / (math.sqrt(k) + 1.0),
    "accelerated": lambda k: -1.0 / math.sqrt(k),
}


@dataclass(eq=False)
class CurvatureFigures:
    """The fields of `Curvature`, which describes them, and the figures that follow from them."""

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
        """Number of parameters, without those of columns that are left out."""
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
        """The number of `eigenvalues` that are not zero, by `zero_tolerance`."""
        return int((np.abs(self.eigenvalues) > self.zero_tolerance).sum())

    @property
    def condition_number(self) -> float:
        """The largest eigenvalue over the smallest; inf if the smallest is not above zero."""
        return self.eigenvalue_max / self.eigenvalue_min if self.eigenvalue_min > self.zero_tolerance else math.inf

    @property
    def effective_condition_number(self) -> float:
        """The condition number without the directions of zero curvature.

        It decides how fast descent is on least squares, where the gradient has no part in those directions. It is inf
        if an eigenvalue is negative, if none is above zero, or if Lanczos did not find the smallest one above zero.
        """
        if self.eigenvalue_min < -self.zero_tolerance or self.eigenvalue_max <= self.zero_tolerance:
            return math.inf
        if self.rank < len(self.eigenvalues) < self.n_parameters:
            return math.inf
        return self.eigenvalue_max / float(self.eigenvalues[self.eigenvalues > self.zero_tolerance][0])

    @property
    def max_learning_rate(self) -> float:
        """2 / eigenvalue_max. Plain descent converges below this rate. inf if no eigenvalue is above zero."""
        return 2.0 / self.eigenvalue_max if self.eigenvalue_max > 0 else math.inf

    @property
    def best_learning_rate(self) -> float:
        """2 / (eigenvalue_max + eigenvalue_min), the best fixed rate of plain descent.

        eigenvalue_min is taken without the directions of zero curvature. nan if `effective_condition_number` is inf.
        """
        kappa = self.effective_condition_number
        return 2.0 / (self.eigenvalue_max * (1.0 + 1.0 / kappa)) if kappa < math.inf else math.nan

    @property
    def best_momentum(self) -> float:
        """((sqrt(k) - 1) / (sqrt(k) + 1))^2, the best momentum of heavy ball; k is `effective_condition_number`."""
        kappa = self.effective_condition_number
        return math.tanh(0.25 * math.log(kappa)) ** 2 if kappa < math.inf else math.nan

    @property
    def best_momentum_learning_rate(self) -> float:
        """4 / (sqrt(eigenvalue_max) + sqrt(eigenvalue_min))^2, the learning rate that goes with `best_momentum`."""
        kappa = self.effective_condition_number
        if kappa == math.inf:
            return math.nan
        return 4.0 / (self.eigenvalue_max * (1.0 + 1.0 / math.sqrt(kappa)) ** 2)

    @property
    def kind(self) -> str:
        """The kind of point w is: "minimum", "maximum", "saddle", "degenerate" or "not stationary".

        A degenerate point has an eigenvalue of zero and no two of opposite signs: the Hessian does not decide between
        the other kinds. The gradient counts as zero up to `gradient_tolerance`, an eigenvalue up to `zero_tolerance`.
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
        """Return how many steps bring w nearer to the minimum by the factor tol, along the slowest direction.

        Parameters
        ----------
        tol : float
            The final distance to the minimum over the first distance, above 0.
        method : {"gradient_descent", "heavy_ball", "accelerated"}
            The method, with its best fixed learning rate and momentum for this quadratic. Its steps shrink the distance
            by (k - 1) / (k + 1), (sqrt(k) - 1) / (sqrt(k) + 1) or 1 - 1 / sqrt(k), in that order; k is the condition
            number. The last two factors hold in the long run: these methods need up to 50% more steps to get going.

        Returns
        -------
        int, or inf if `effective_condition_number` is inf

        Raises
        ------
        TypeError, ValueError
            tol is not a finite number above 0, or method is unknown.
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
        """Return how many steps plain descent takes from this w until the gradient norm is at most tol.

        On the quadratic model, a step multiplies the part of the gradient along an eigenvector by
        1 - learning_rate * eigenvalue. This is exact for least squares. The gradient is the one of the smooth part,
        without an L1 penalty.

        Parameters
        ----------
        tol : float
            Norm of the gradient, above 0.
        learning_rate : float, optional
            The learning rate, above 0; `best_learning_rate` by default.

        Returns
        -------
        int, or inf if the norm never falls to tol

        Raises
        ------
        TypeError
            An argument is not a number.
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
