"""`CurvatureRule`: the base of the update rules whose learning rate follows from the curvature."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .base import Optimizer

__all__ = ["CurvatureRule"]

_EQUAL = 1e-9  # a relative difference of contractions that is rounding


class CurvatureRule(Optimizer):
    """An optimizer whose steps are linear in the gradients, so that curvature determines its learning rates."""

    _takes_auto = True

    def contraction(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor by which a step multiplies the error along an eigenvector of a quadratic, in the long run.

        Parameters
        ----------
        x : array
            The learning rate times the eigenvalue.
        """
        raise NotImplementedError

    def best_rate(self, eigenvalue_min: float, eigenvalue_max: float) -> float:
        """Return the rate that shrinks a quadratic's slowest direction fastest, up to 95% of the largest stable rate.

        With momentum, all rates of a range may be equally fast in the long run. The result is the geometric mean of the
        ends of that range: near an end, an error first grows.

        Parameters
        ----------
        eigenvalue_min, eigenvalue_max : float
            The smallest and the largest eigenvalue of the Hessian. The largest is above 0.
        """
        stable = self.largest_stable_rate(eigenvalue_max)
        assert stable is not None
        rates = stable * np.append(np.geomspace(0.01, 0.95, 2000), 0.95)
        slowest = np.maximum(self.contraction(rates * eigenvalue_min), self.contraction(rates * eigenvalue_max))
        equal = rates[slowest <= (1.0 + _EQUAL) * slowest.min()]
        return float(equal[0] if len(equal) == 1 else math.sqrt(equal.min() * equal.max()))

    def cautious_rate(self, eigenvalue_max: float) -> float:
        """Return a rate for curvature that changes during a run: 0.9 of the largest stable one, 0.5 with momentum."""
        stable = self.largest_stable_rate(eigenvalue_max)
        assert stable is not None
        return (0.5 if self._hyperparameters.get("momentum") else 0.9) * stable
