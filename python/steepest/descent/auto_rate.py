"""learning_rate="auto": the rate of a run from the curvature where it stands, measured again as that changes."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.hessian import Hessian
from ..analysis.taylor import is_quadratic
from ..arrays.norm import norm_of
from ..objectives.protocol import Capability, supports
from ..optimizers.rules import CurvatureRule
from ..optimizers.runner import Runner
from .result import StartError

__all__ = ["AutoRate"]

_DENSE_PARAMETERS = 64  # up to here the whole spectrum costs less than a few dozen passes
_FIRST_CHECK, _LAST_CHECK, _NEXT_CHECK = 10, 100, 2  # steps between two measurements, doubling; after a failure
_SHORTER = 0.5  # of a rate that failed
_MOST_FAILURES = 60  # in a row
_NOISY_FAILURES, _NOISE = 5, 1e-5  # so many failures by so little a change of the loss are noise
_LARGEST_WAVE = 100.0  # times the loss before it, on a quadratic; more says that the largest eigenvalue was missed
_LONGEST_MOVE = 10.0  # times 1 + |w|, of a first step where hardly anything curves


class AutoRate:
    """The learning rate of a run of a `CurvatureRule`.

    Whole-data runs: on a quadratic the best fixed rate for its spectrum; elsewhere a rate that the largest eigenvalue
    at w allows, measured again every so many steps. A step after which the loss is higher than it was (with momentum:
    than it was within the time a velocity lasts) is taken back, the velocity set to 0, the rate measured and lowered.

    Mini-batches: 1 / (eigenvalue_max + trace / batch_size), times 1 - mu where velocities add up (the step at which the
    noise of the rows does no harm; Widrow's bound for least mean squares has 2), halved whenever an evaluated epoch
    did not lower the loss. An epoch that ends above the start is taken back.

    Attributes
    ----------
    rate : float
        What the next steps use.
    """

    def __init__(self, objective: Any, rule: CurvatureRule, w: NDArray[Any], batch_size: int) -> None:
        self._objective, self._rule, self._w, self._batch_size = objective, rule, w, batch_size
        self._quadratic = is_quadratic(objective)
        self._mu = float(getattr(rule, "momentum", 0.0))
        self._vector: NDArray[np.float64] | None = None
        self._share, self._failures = 1.0, 0
        memory = 1 + (math.ceil(5 / (1 - self._mu)) if self._mu else 0)
        self._last: deque[tuple[float, float]] = deque(maxlen=memory)  # losses and gradient norms
        self._best: tuple[float, float, NDArray[Any]] | None = None  # loss, gradient norm, w
        self._first_loss = math.inf
        self._noise = 0.0  # of the loss, where steps that fail show it
        self._until_check, self._check_every = _FIRST_CHECK, _FIRST_CHECK
        self._unlikeness = _unlikeness(objective)
        self.rate = math.nan

    def rates(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the rates of n steps."""
        return np.full(n, self.rate)

    def start(self, gradient_norm: float) -> None:
        """Choose the first rate, at the start of the run."""
        self._measure(gradient_norm)

    def accepts(self, loss: float, gradient_norm: float) -> bool:
        """Note where the run stands; return whether it may go on from there."""
        if self._batch_size:
            return self._accepts_epoch(loss, gradient_norm)
        if not self._is_better(loss, gradient_norm):
            return False
        self._last.append((loss, gradient_norm))
        if self._best is None or loss <= self._best[0]:
            self._best = (loss, gradient_norm, self._w.copy())
        self._failures = 0
        self._until_check -= 1
        if self._until_check <= 0 and not self._quadratic:
            self._check_every = min(2 * self._check_every, _LAST_CHECK)
            self._until_check = self._check_every
            self._share = min(1.0, self._share / _SHORTER)
            self._measure(gradient_norm)
        return True

    def _is_better(self, loss: float, gradient_norm: float) -> bool:
        """Return whether a step went down: by the loss, and by the gradient where rounding hides what the loss says."""
        if not (self._last and math.isfinite(loss)):
            return math.isfinite(loss)
        highest = max(loss for loss, _ in self._last)
        if self._quadratic:  # it converges at this rate, whatever velocities do on the way
            return loss <= highest + _LARGEST_WAVE * abs(highest)
        size = max(abs(loss), abs(highest))
        if self._failures >= _NOISY_FAILURES and abs(loss - highest) <= _NOISE * size:
            self._noise, self._share = 2.0 * abs(loss - highest), 1.0
        rounding = max(float(np.finfo(self._w.dtype).eps) ** (2 / 3) * size, self._noise)
        steeper = gradient_norm > max(norm for _, norm in self._last)
        return loss <= highest + (self._noise if steeper else rounding)

    def _accepts_epoch(self, loss: float, gradient_norm: float) -> bool:
        if not (math.isfinite(loss) and loss <= self._first_loss):
            return False
        if not self._last:
            self._first_loss = loss + 1e-3 * abs(loss)
        if self._last and loss >= self._last[-1][0]:
            self.rate *= _SHORTER
        self._last.append((loss, gradient_norm))
        self._best = (loss, gradient_norm, self._w.copy())
        self._failures = 0
        return True

    def take_back(self, runner: Runner) -> tuple[float, float] | None:
        """Put w back to where it was best and lower the rate; return loss and gradient norm there.

        None where that has been tried often enough.
        """
        self._failures += 1
        runner.restore()
        if self._best is None:
            return None
        loss, gradient_norm, w = self._best
        self._w[:] = w
        if self._failures > _MOST_FAILURES:
            return None
        self._rule.forget()
        self._last.clear()
        self._last.append((loss, gradient_norm))
        self._share *= _SHORTER
        self._until_check = self._check_every = _NEXT_CHECK
        if self._batch_size:
            self.rate *= _SHORTER**2
        else:
            self._measure(gradient_norm)
        return loss, gradient_norm

    def _measure(self, gradient_norm: float) -> None:
        hessian = Hessian(self._objective, self._w)
        if self._quadratic and self._w.size <= _DENSE_PARAMETERS:
            matrix = hessian.matrix()
            if not np.isfinite(matrix).all():
                raise StartError(
                    "objective must have a finite Hessian for learning_rate='auto', got one that overflows; bring "
                    "columns, targets and weights near 1 by other units, or give a number"
                )
            values = np.linalg.eigvalsh(matrix)
            largest = float(values[-1])
            smallest = float(values[values > hessian.tolerance * largest][0]) if largest > 0 else 0.0
        else:
            smallest = 0.0
            iterations = 100 if self._vector is None else 5
            largest, self._vector = hessian.largest(self._vector, iterations)
        rate = self._noisy_rate(hessian, largest) if self._batch_size else self._steady_rate(smallest, largest)
        longest = _LONGEST_MOVE * (1.0 + norm_of(self._w))
        longest = longest / gradient_norm if gradient_norm > 0 else 1.0
        if not math.isfinite(rate) or (not self._quadratic and rate > longest):
            rate = longest  # where hardly anything curves, the model holds for no such step
        self.rate = self._share * rate

    def _steady_rate(self, smallest: float, largest: float) -> float:
        if largest <= 0.0:
            return math.inf
        return self._rule.best_rate(smallest, largest) if self._quadratic else self._rule.cautious_rate(largest)

    def _noisy_rate(self, hessian: Hessian, largest: float) -> float:
        total = largest + self._unlikeness * max(hessian.trace(), largest) / self._batch_size
        if total <= 0.0:
            return math.inf
        adds_up = self._mu and getattr(self._rule, "velocity", "") != "average"
        return (1.0 - self._mu if adds_up else 1.0) / total


def _unlikeness(objective: Any) -> float:
    """Return the mean square of the rows' weights over the square of their mean: 1 for equal ones."""
    weight = objective.arrays.sample_weight if supports(objective, Capability.DATA) else None
    if not isinstance(weight, np.ndarray):
        return 1.0
    near = np.ldexp(weight.astype(np.float64), -math.frexp(float(weight.max()))[1])  # squares stay within the range
    return float(np.mean(np.square(near)) / np.mean(near) ** 2)
