"""The figures of a curvature: its eigenvalues, and the learning rates and step counts that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_number
from .spectrum import first

__all__ = ["CurvatureFigures"]

# The factor by which the slowest eigendirection of a quadratic shrinks a step, at the best fixed learning rate (and
# momentum), less 1; k is the condition number. Heavy ball: Polyak 1964; accelerated: Nesterov 1983, at rate 1 / lmax.
_SHRINKAGE: dict[str, Callable[[float], float]] = {
    "gradient_descent": lambda k: -2.0 / (k + 1.0),
    "heavy_ball": lambda k: -2.0 / (math.sqrt(k) + 1.0),
    "accelerated": lambda k: -1.0 / math.sqrt(k),
}


@dataclass(eq=False)
class CurvatureFigures:
    """What `Curvature` knows; its attributes are described there."""

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
