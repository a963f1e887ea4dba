"""The symptoms of a run: its history, and the curvature at its current point where that costs little."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.curvature import Curvature, curvature
from ..analysis.hessian import Hessian
from ..analysis.separability import Separation
from ..analysis.taylor import is_quadratic
from ..objectives.protocol import Capability, supports
from ..optimizers.base import Optimizer
from ..optimizers.curvature_rule import CurvatureRule
from ..quasi_newton.optimizer import QuasiNewton

__all__ = ["Symptoms"]

# A diagnosis may cost as much as the run did. Costs are counted in evaluations, so every machine gets the same one.
_PRODUCTS = 30  # Hessian products, at most
_FREE = 30  # passes over data that are always allowed
_FREE_CALLS = 6  # calls of a Python function that are always allowed
_ALIKE = 1e-3  # relative difference up to which two eigenvalues count as equal
_HESSIAN_PASSES = 0.1  # cost of a full Hessian, in passes over the data per parameter
_EIGEN_PASSES = 20.0  # cost of its eigenvalues, in passes over the data times p^2 / bytes of a column


@dataclass
class Symptoms:
    """The columns of a run's history, and what else a diagnosis needs to know of the run.

    Attributes
    ----------
    epochs, losses, gradient_norms, rates : arrays of shape (rows,)
        See `Result.history`.
    reason : str or None
        Why the run ended. None during the run.
    max_epochs : int
        The largest number of epochs that the run may take.
    tol : float or None
        The gradient norm that the run is to reach, if it has such a rule.
    batch_size : int
        Rows of a mini-batch; 0 means all rows.
    objective, optimizer
        The objective and the optimizer of the run.
    start, w : arrays of shape (n_parameters,)
        The first and the current parameters.
    constrained : bool
        Whether a constraint or an L1 penalty keeps the gradient from vanishing at the minimum.
    separation : str
        Whether classes without a penalty are separable: "all", "some" or "". See `separation`.
    """

    epochs: NDArray[Any]
    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]
    rates: NDArray[np.float64]
    reason: str | None
    max_epochs: int
    tol: float | None
    batch_size: int
    objective: Any
    optimizer: Optimizer | QuasiNewton
    start: NDArray[Any]
    w: NDArray[Any]
    constrained: bool = False
    separation: Separation = ""

    @property
    def rate(self) -> float:
        """The last learning rate."""
        return float(self.rates[-1])

    @property
    def slack(self) -> float:
        """By how much rounding may change a loss."""
        return 16 * float(np.finfo(self.w.dtype).eps) * float(np.abs(self.losses).max())

    @property
    def is_quadratic(self) -> bool:
        """Whether the curvature is the same at every w."""
        return is_quadratic(self.objective)

    @property
    def largest_eigenvalue(self) -> float | None:
        """The Hessian's largest eigenvalue: at w or at the start, whichever is larger. None if unknown."""
        return max(self._largest_here_and_there, default=None)

    @cached_property
    def _largest_here_and_there(self) -> list[float]:
        of_data = supports(self.objective, Capability.DATA)
        products = min(_PRODUCTS, len(self.losses) if of_data else len(self.losses) // 2)
        places = [self.w] if self.is_quadratic else [self.w, self.start]
        if math.isinf(getattr(self.objective, "largest_curvature", 0.0)) and self.objective.device is None:
            places[0] = self.objective.constant_model()  # where w is far out, curvature has no bound
        products = max(products // len(places), _FREE_CALLS // 2)
        found = [_size_at(self.objective, place, products) for place in places]
        return [value for value in found if value is not None]

    @property
    def _looks_quadratic(self) -> bool:
        """Whether the curvature at w equals the curvature at the start."""
        known = self._largest_here_and_there
        return self.is_quadratic or (len(known) == 2 and max(known) - min(known) <= _ALIKE * max(known))

    @cached_property
    def curvature(self) -> Curvature | None:
        """The full curvature at w; None if it would cost more than the run did."""
        p = self.w.size
        if supports(self.objective, Capability.DATA):
            column = self.objective.n_samples * self.w.itemsize
            cost, free = _HESSIAN_PASSES * p + _EIGEN_PASSES * p * p / column, _FREE
        else:
            cost, free = 2.0 * p, _FREE_CALLS
        if cost > max(free, len(self.losses)):
            return None
        try:
            return curvature(self.objective, self.w.copy(), method="dense")
        except Exception:  # an error in the user's function must not lose the run
            return None

    @property
    def stable_rate(self) -> float | None:
        """The largest stable learning rate of a full-batch run. None if unknown."""
        if self.batch_size or isinstance(self.optimizer, QuasiNewton):
            return None
        largest = self.largest_eigenvalue
        return None if largest is None else self.optimizer.largest_stable_rate(largest)

    @property
    def better_rate(self) -> float:
        """A learning rate that suits the curvature; a tenth of the last one if the curvature is unknown."""
        stable, largest = self.stable_rate, self.largest_eigenvalue if not self.batch_size else None
        if stable is None or largest is None or not isinstance(self.optimizer, CurvatureRule):
            return self.rate / 10
        if not self._looks_quadratic:
            return self.optimizer.cautious_rate(largest)
        kappa = math.inf if self.curvature is None else self.curvature.effective_condition_number
        return self.optimizer.best_rate(0.0 if kappa == math.inf else largest / kappa, largest)


def _size_at(objective: Any, w: NDArray[Any], products: int) -> float | None:
    try:
        size, _ = Hessian(objective, w.copy()).largest(iterations=products)
        return size if math.isfinite(size) and size > 0.0 else None
    except Exception:  # an error in the user's function must not lose the run
        return None
