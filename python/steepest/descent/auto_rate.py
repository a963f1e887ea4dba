"""learning_rate="auto": the learning rate of a run, from the curvature at w. It is measured again as w moves."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.hessian import Hessian
from ..analysis.taylor import is_quadratic
from ..arrays.norm import norm_of
from ..objectives.on_host import on_host
from ..objectives.protocol import Capability, supports
from ..optimizers.curvature_rule import CurvatureRule
from ..optimizers.runner import Runner
from .result import StartError

__all__ = ["AutoRate"]

_DENSE_PARAMETERS = 64  # up to so many, the whole spectrum costs less than a few dozen passes
_FIRST_CHECK, _LAST_CHECK, _NEXT_CHECK = 10, 100, 2  # steps between measurements: first, most; after a failure
_SHORTER = 0.5  # factor for a rate that failed
_MOST_FAILURES = 60  # in a row, before the run gives up
_NOISY_FAILURES, _NOISE = 5, 1e-5  # after so many failures, a relative change this small is noise
_LARGEST_WAVE = 100.0  # times the loss before; a quadratic rises by more only if the largest eigenvalue was missed
_LONGEST_MOVE = 10.0  # times 1 + |w|: the longest step where the curvature is nearly 0
_REMEMBERED = ("rate", "_share", "_failures", "_first_loss", "_noise", "_until_check", "_check_every")


class AutoRate:
    """Chooses the learning rate of a run with a `CurvatureRule`.

    Full-batch runs: on a quadratic, the rate is the best fixed one for the spectrum. Otherwise the largest eigenvalue
    at w determines it, and is measured again after some steps. If a step raises the loss, it is taken back, the
    velocity becomes 0, and the rate is measured again and lowered. With momentum, the loss may rise for as long as a
    velocity lasts.

    Mini-batch runs: the rate is 1 / (eigenvalue_max + trace / batch_size), times 1 - mu if velocities add up. With this
    rate the noise of the rows does no harm. Widrow's bound for least mean squares has a 2 in place of the 1. The rate
    is halved after each evaluated epoch that did not lower the loss. An epoch that ends above the loss of the start is
    taken back.

    Attributes
    ----------
    rate : float
        The learning rate of the next steps.
    """

    def __init__(self, objective: Any, rule: CurvatureRule, w: NDArray[Any], batch_size: int) -> None:
        objective = on_host(objective)
        self._objective, self._rule, self._w, self._batch_size = objective, rule, w, batch_size
        self._quadratic = is_quadratic(objective)
        self._mu = float(getattr(rule, "momentum", 0.0))
        self._vector: NDArray[np.float64] | None = None
        self._share, self._failures = 1.0, 0
        memory = 1 + (math.ceil(5 / (1 - self._mu)) if self._mu else 0)
        self._last: deque[tuple[float, float]] = deque(maxlen=memory)  # losses and gradient norms
        self._best: tuple[float, float, NDArray[Any]] | None = None  # loss, gradient norm, w
        self._first_loss = math.inf
        self._noise = 0.0  # noise of the loss, as far as failed steps show it
        self._until_check, self._check_every = _FIRST_CHECK, _FIRST_CHECK
        self._unlikeness = _unlikeness(objective)
        self.rate = math.nan

    def state(self) -> dict[str, Any]:
        """Return what the next rates depend on, for a checkpoint."""
        state = {name: getattr(self, name) for name in _REMEMBERED}
        state["_last"] = np.array(self._last, dtype=np.float64).reshape(-1, 2)
        if self._vector is not None:
            state["_vector"] = self._vector
        if self._best is not None:
            state["best_loss"], state["best_norm"], state["best_w"] = self._best
        return state

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name in _REMEMBERED:
            setattr(self, name, state[name])
        self._last.clear()
        self._last.extend((float(loss), float(norm)) for loss, norm in state["_last"])
        self._vector = state.get("_vector")
        self._best = (state["best_loss"], state["best_norm"], state["best_w"]) if "best_w" in state else None

    def rates(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the learning rates of the next n steps."""
        return np.full(n, self.rate)

    def start(self, gradient_norm: float) -> None:
        """Choose the rate of the first steps."""
        self._measure(gradient_norm)

    def accepts(self, loss: float, gradient_norm: float) -> bool:
        """Note the loss and the gradient norm at w; return whether the run may continue from w."""
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
        """Return whether a step went down, by the loss; where rounding hides its change, by the gradient norm too."""
        if not (self._last and math.isfinite(loss)):
            return math.isfinite(loss)
        highest = max(loss for loss, _ in self._last)
        if self._quadratic:  # the rate converges, even if velocities make the loss rise
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
        """Put w back to its best value and lower the rate; return the loss and the gradient norm there.

        Return None if there is no such value, or after too many failures in a row.
        """
        self._failures += 1
        runner.restore()
        if self._best is None:
            return None
        loss, gradient_norm, w = self._best
        self._w[:] = w
        runner.put()
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
                    "objective must have a finite Hessian for learning_rate='auto', got one that overflows; change the "
                    "units so that columns, targets and weights are near 1, or give a number"
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
            rate = longest  # the quadratic model does not hold over so long a step
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
    """Return the mean of the squared row weights over the square of their mean; 1 if all weights are equal."""
    facts = getattr(getattr(objective, "data", None), "target_facts", None)
    if facts is not None:
        return float(objective.n_samples * facts.sums[3] / facts.sums[0] ** 2)
    weight = objective.weights if supports(objective, Capability.TARGETS) else None
    if not isinstance(weight, np.ndarray):
        return 1.0
    near = np.ldexp(weight.astype(np.float64), -math.frexp(float(weight.max()))[1])  # so no square overflows
    return float(np.mean(np.square(near)) / np.mean(near) ** 2)
