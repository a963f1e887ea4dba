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
from ..objectives.on_host import on_host
from ..objectives.protocol import Capability, device_of_objective, supports
from ..optimizers.base import Optimizer
from ..optimizers.curvature_rule import CurvatureRule
from ..optimizers.runner import StepPlan
from ..quasi_newton.optimizer import QuasiNewton
from .race import best_rate

__all__ = ["Symptoms"]

# A diagnosis may cost as much as the run did. Costs are counted in evaluations, so every machine gets the same one.
_PRODUCTS = 30  # Hessian products, at most
_FREE = 30  # passes over data that are always allowed
_FREE_CALLS = 6  # calls of a Python function that are always allowed
_ALIKE = 1e-3  # relative difference up to which two eigenvalues count as equal
_HESSIAN_PASSES = 0.1  # cost of a full Hessian, in passes over the data per parameter
_RACE = 10  # a race costs about as many runs of its length
_RACE_RATES, _RACES = 13, 3  # of a race, three a decade; races, while the outermost rate wins
_EIGEN_PASSES = 20.0  # cost of its eigenvalues, in passes over the data times p^2 / bytes of a column


@dataclass
class Symptoms:
    """The columns of a run's history, and what else a diagnosis needs to know of the run.

    Attributes
    ----------
    epochs, losses, gradient_norms, rates : arrays of shape (rows,)
        See `Result.history`. The norms are those that a rule judges, if they are others.
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
        Why there is no minimum, as `separation` names it; "" if there is one or nothing tells.
    rules : tuple of str
        The stop reasons of the run's rules.
    projected : bool
        Whether a constraint projects after every step.
    norm_name : str
        What the norms are called.
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
    rules: tuple[str, ...] = ()
    projected: bool = False
    norm_name: str = "gradient norm"

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
        objective = on_host(self.objective)
        if math.isinf(getattr(objective, "largest_curvature", 0.0)) and _knows_targets(objective):
            places[0] = objective.constant_model()  # where w is far out, curvature has no bound
        products = max(products // len(places), _FREE_CALLS // 2)
        found = [_size_at(objective, place, products) for place in places]
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
            return curvature(on_host(self.objective), self.w.copy(), method="dense")
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
        """A learning rate that suits the curvature; if that is unknown, the best lower one of a race."""
        stable, largest = self.stable_rate, self.largest_eigenvalue if not self.batch_size else None
        if stable is None or largest is None or not isinstance(self.optimizer, CurvatureRule):
            return self.lower_rate()
        if not self._looks_quadratic:
            return self.optimizer.cautious_rate(largest)
        kappa = math.inf if self.curvature is None else self.curvature.effective_condition_number
        return self.optimizer.best_rate(0.0 if kappa == math.inf else largest / kappa, largest)

    def lower_rate(self, from_here: bool = False) -> float:
        """Return the best lower rate of a race from the start, or from w; without a race, a tenth of the last rate."""
        return self._raced(-1, self.w if from_here else self.start) or self.rate / 10

    def higher_rate(self) -> float | None:
        """Return the best higher rate of a race. None if none is better, or if no race is possible."""
        return self._raced(1, self.start)

    def _raced(self, sign: int, start: NDArray[Any]) -> float | None:
        """Let rates above or below the last one race, for about as much as the run cost."""
        if self.projected or isinstance(self.optimizer, QuasiNewton) or device_of_objective(self.objective) is not None:
            return None
        of_data = supports(self.objective, Capability.BATCHES)
        a_pass = -(-self.objective.n_samples // self.batch_size) if self.batch_size else 1
        epochs = max(int(self.epochs[-1]), _FREE if of_data else 0)
        if epochs < 2 * _RACE:
            return None
        try:
            won = self._winner(sign, start, StepPlan(self.batch_size, shuffle=True), epochs * a_pass)
        except Exception:  # an error in the user's function must not lose the run
            return None
        return None if won == self.rate else won

    def _winner(self, sign: int, start: NDArray[Any], plan: StepPlan, n_steps: int) -> float | None:
        """Race a tenth of the way; while the outermost rate wins, race on from it. Then the winners go all the way."""
        assert not isinstance(self.optimizer, QuasiNewton)
        winners: list[float] = []
        outermost, away = self.rate, 10.0 ** (sign * np.arange(_RACE_RATES) / 3)
        for _ in range(_RACES):
            rates = outermost * away[0 if sign > 0 else 1 :]
            outermost = float(rates[-1])
            if not math.isfinite(outermost):
                break
            won = best_rate(self.objective, self.optimizer, start, rates, plan, n_steps // _RACE)
            if won is not None:
                winners.append(won)
                if won != outermost:
                    break
        if len(winners) < 2:
            return winners[0] if winners else None
        return best_rate(self.objective, self.optimizer, start, np.array(winners), plan, n_steps)


def _knows_targets(objective: Any) -> bool:
    return objective.data.targets is not None or objective.data.target_facts is not None


def _size_at(objective: Any, w: NDArray[Any], products: int) -> float | None:
    try:
        size, _ = Hessian(objective, w.copy()).largest(iterations=products)
        return size if math.isfinite(size) and size > 0.0 else None
    except Exception:  # an error in the user's function must not lose the run
        return None
