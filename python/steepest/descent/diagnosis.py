"""What ails a run: recognised from its history, explained from the curvature, with the number to set instead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..analysis.curvature import Curvature
from ..analysis.report import WELL_CONDITIONED, about, advice
from ..objectives.protocol import Capability, supports
from ..optimizers.rules import CurvatureRule
from ..optimizers.runner import StopReason
from ..quasi_newton.optimizer import QuasiNewton
from .symptoms import Symptoms

__all__ = ["FEW_ROWS", "Diagnosis", "Symptoms", "diagnose"]

FEW_ROWS = 20  # of a history say nothing yet
_LAST_ROWS = 40  # are looked at for an oscillation
_RISING_ROWS = 8  # in a row are an explosion
_DECAYED = 1e-3  # of a wave is left
_WAVE = 100.0  # times the first loss
_SLOW_FACTOR = 10.0  # times the epochs of a run that goes on, still to go, is slow; at its end as many as it had
_SMALL_SQUARE = 1e-3  # times the root of the largest number: a million squares of it add up to no overflow
_BLOWN_UP = 10.0  # times the first loss above it


_NOT_ILL = (StopReason.CALLBACK, StopReason.INTERRUPTED, StopReason.SEPARABLE)  # ends that need no further word
_SEPARABLE = {
    "all": "the classes are separable: a plane has every row on its side, the loss falls for ever and the coefficients "
    "grow without bound; set alpha above 0, which makes a minimum",
    "some": "the classes are quasi-separable: a plane has some of the rows on their side and no row on the wrong one, "
    "the loss falls for ever and some coefficients grow without bound; set alpha above 0, which makes a minimum",
}
_ROUNDING = (
    "rounding hides the way down at a gradient that is still large: columns may be far from zero beside their spread, "
    "or nearly alike; standardise them, or use float64"
)


class Diagnosis(str):
    """A sentence on what ails a run, empty for a healthy one.

    Attributes
    ----------
    kind : str
        "", "exploding", "oscillating", "slow", "saddle", "separable" or "rounding".
    learning_rate : float or None
        The rate to set instead, where that is the remedy.
    """

    kind: str
    learning_rate: float | None

    def __new__(cls, text: str = "", kind: str = "", learning_rate: float | None = None) -> Diagnosis:
        self = super().__new__(cls, text)
        self.kind, self.learning_rate = kind, learning_rate
        return self

    def __getnewargs__(self) -> tuple[str, str, float | None]:  # type: ignore[override]
        return str(self), self.kind, self.learning_rate


def diagnose(s: Symptoms) -> Diagnosis:
    """Say what ails a run, if anything does."""
    if s.reason == StopReason.DIVERGED:
        return _diverged(s)
    if s.separation:
        return _separable(s)
    if s.reason == StopReason.ROUNDING:
        return Diagnosis(_ROUNDING, "rounding")
    return _unfinished(s)


def _separable(s: Symptoms) -> Diagnosis:
    """Say that there is no minimum, after what else hinders a run whose budget ended first."""
    hindrance, text = _unfinished(s), _SEPARABLE[s.separation]
    if not hindrance:
        return Diagnosis(text, "separable")
    return Diagnosis(f"{hindrance}; besides, {text}", hindrance.kind, hindrance.learning_rate)


def _unfinished(s: Symptoms) -> Diagnosis:
    """Say what hinders a run on its way."""
    if s.reason in _NOT_ILL or isinstance(s.optimizer, QuasiNewton):
        return Diagnosis()
    found = Diagnosis() if s.optimizer.is_auto else _exploding(s)
    if not found and s.reason is not None:
        found = _saddle(s)
    if found or len(s.losses) < FEW_ROWS or s.reason not in (None, StopReason.MAX_EPOCHS, StopReason.MAX_SECONDS):
        return found
    if not s.optimizer.is_auto and not (s.batch_size and s.reason is None):  # noise comes and goes
        found = _oscillating(s)
    return found or _slow(s)


def _diverged(s: Symptoms) -> Diagnosis:
    stable, rate = s.stable_rate, s.rate / 10
    advised = f"try a learning rate of {rate:.3g}"
    if stable is not None and stable < s.rate:
        rate, advised = stable / 2, f"the largest stable learning rate at the last finite w is about {stable:.3g}"
    if _squares_overflow(s):
        text, rate_helps = _overflowed(s)
        return Diagnosis(f"{text}; or {advised}", "exploding", rate) if rate_helps else Diagnosis(text, "exploding")
    text = f"the run diverged in epoch {s.epochs[-1] + 1} at learning rate {s.rate:.3g}: {advised}"
    if supports(s.objective, Capability.DATA):
        text += "; scaling the features to mean 0 and deviation 1 allows larger ones"
    return Diagnosis(text, "exploding", rate)


def _squares_overflow(s: Symptoms) -> bool:
    return s.optimizer.scales_coordinates and not isinstance(s.optimizer, QuasiNewton) and s.optimizer.overflowed


def _overflowed(s: Symptoms) -> tuple[str, bool]:
    """Say that squares of gradients overflowed; return too whether a lower learning rate may help."""
    where = f"the squares of gradients overflow {s.w.dtype} in the state of {type(s.optimizer).__name__}"
    wider = ", or use float64" if s.w.dtype.itemsize < 8 else ""
    text = f"the run diverged in epoch {s.epochs[-1] + 1}: {where}; bring the loss near 1 by other units{wider}"
    return text, bool(s.gradient_norms.min() < _SMALL_SQUARE * math.sqrt(np.finfo(s.w.dtype).max))


def _exploding(s: Symptoms) -> Diagnosis:
    first, last = float(s.losses[0]), float(s.losses[-1])
    blown_up = len(s.losses) > 2 and last > first + _BLOWN_UP * abs(first) + s.slack
    steps = np.diff(s.losses[-_RISING_ROWS:])
    rising = len(steps) == _RISING_ROWS - 1 and (steps > s.slack).all() and last > first
    if not (blown_up or rising) or (last < first + _WAVE * abs(first) and _is_wave(s)):
        return Diagnosis()
    rate = min(s.better_rate, s.rate / 2)
    text = f"the loss explodes: it has risen from {first:.3g} to {last:.3g} at learning rate {s.rate:.3g}"
    return Diagnosis(f"{text}, which is too high; set {rate:.3g}", "exploding", rate)


def _is_wave(s: Symptoms) -> bool:
    """Return whether the loss may rise for a while at a rate that is stable, as velocities make it."""
    if s.batch_size or not isinstance(s.optimizer, CurvatureRule):
        return False
    largest = s.largest_eigenvalue
    if largest is None:
        return False
    factor = float(s.optimizer.contraction(np.array([s.rate * largest]))[0])
    return factor < 1.0 and factor ** len(s.losses) > _DECAYED


def _oscillating(s: Symptoms) -> Diagnosis:
    losses, norms = s.losses[-_LAST_ROWS:], s.gradient_norms[-_LAST_ROWS:]
    changes, half = np.diff(losses), len(losses) // 2
    sizes = np.abs(changes)
    jumps = (changes > s.slack).mean() >= 0.25 and losses[half:].min() > losses[:half].min() - sizes.mean()
    loud = sizes.mean() > 0.02 * (s.losses[0] - s.losses.min()) + s.slack
    lasts = sizes[half:].mean() > 0.8 * sizes[:half].mean()  # the waves of momentum die away
    still = losses[half:].min() >= losses[:half].min() - s.slack and norms.min() > 0.05 * s.gradient_norms.max()
    still = still and s.reason is not None  # until then a wave may do so
    if not ((jumps and loud and lasts) or (still and norms.min() > 0 and not s.batch_size)):
        return Diagnosis()
    if _is_wave(s):
        return Diagnosis()
    text = f"the loss oscillates around {losses.mean():.4g} and falls no further at learning rate {s.rate:.3g}"
    if s.batch_size:
        rate = s.rate / 10
        remedy = f"set {rate:.3g}, a schedule that decays (st.schedules), or larger batches than {s.batch_size}"
    else:
        rate = min(s.better_rate, s.rate)
        remedy = f"set {rate:.3g}" + ("" if isinstance(s.optimizer, CurvatureRule) else ", or try momentum")
    return Diagnosis(f"{text}: {remedy}", "oscillating", rate)


def _slow(s: Symptoms) -> Diagnosis:
    half, ended = len(s.losses) // 2, s.reason is not None
    early, late = s.losses[0] - s.losses[half], s.losses[half] - s.losses[-1]
    steady = early > s.slack and late > 0.5 * early and (np.diff(s.losses) <= s.slack).mean() > 0.9
    left = max(_epochs_left(s), _epochs_by_curvature(s) if ended else 0.0)
    dragging = late > 1e-4 * early + s.slack and s.gradient_norms[-1] > 0.5 * s.gradient_norms[half]
    if left > (max(int(s.epochs[-1]), 1) if ended else _SLOW_FACTOR * s.max_epochs):
        text = f"very slow progress: {about(left)} more epochs to a gradient norm of {s.tol:.3g}"
    elif ended and (steady or (dragging and s.tol is None and not s.batch_size)):
        text = f"very slow progress: the loss was still falling, by {late:.2g} in the second half of the run"
    else:
        return Diagnosis()
    return _speeded_up(s, text, steady)


def _speeded_up(s: Symptoms, text: str, steady: bool) -> Diagnosis:
    """Say what would make a slow run faster."""
    if s.losses[-1] > s.losses[0]:
        return Diagnosis()
    if s.stable_rate is None:
        return (
            Diagnosis(f"{text}; set a learning rate of {10 * s.rate:.3g}", "slow", 10 * s.rate)
            if steady
            else Diagnosis()
        )
    rate, found, used = s.better_rate, s.curvature, float(s.rates.max())
    if not s.optimizer.is_auto and _half_the_steps(s, found, used, rate):
        wrong = "too low" if used < rate else "at the edge of what is stable: steps undo one another"
        kind = "slow" if used < rate else "oscillating"
        return Diagnosis(f"{text}: learning rate {used:.3g} is {wrong}; set {rate:.3g}", kind, rate)
    if found is not None and found.effective_condition_number <= WELL_CONDITIONED:
        return Diagnosis()
    why = "the condition number may be high" if found is None else advice(found)[-1]
    if found is None and supports(s.objective, Capability.DATA):
        why = "the features may differ in scale or be correlated: standardise them"
    momentum = None if found is None or math.isnan(found.best_momentum) else found.best_momentum_learning_rate
    return Diagnosis(f"{text}; {why}", "slow", momentum if s.is_quadratic else None)


def _half_the_steps(s: Symptoms, found: Curvature | None, used: float, better: float) -> bool:
    """Return whether the better rate comes as far in half the steps."""
    assert isinstance(s.optimizer, CurvatureRule)
    if found is None or found.effective_condition_number == math.inf or not s.is_quadratic:
        return used < 0.4 * better
    largest = found.eigenvalue_max
    ends = np.array([largest / found.effective_condition_number, largest])
    now, then = (float(s.optimizer.contraction(rate * ends).max()) for rate in (used, better))
    return then < min(now, 1.0) ** 2


def _epochs_left(s: Symptoms) -> float:
    """Forecast the epochs that a whole-data run still needs to its gradient norm; 0 where nothing says so."""
    if s.tol is None or s.batch_size or s.gradient_norms[-1] <= s.tol:
        return 0.0
    half = len(s.losses) // 2
    decades = math.log(s.gradient_norms[half] / s.gradient_norms[-1]) if s.gradient_norms[-1] > 0 else 0.0
    taken = float(s.epochs[-1] - s.epochs[half])
    if decades <= 0.0:
        return 0.0
    return taken * math.log(s.gradient_norms[-1] / max(s.tol, 1e-300)) / decades


def _epochs_by_curvature(s: Symptoms) -> float:
    """Forecast the same from the spectrum at w: each part of the gradient shrinks by its own factor a step."""
    if s.tol is None or s.batch_size or s.gradient_norms[-1] <= s.tol or not isinstance(s.optimizer, CurvatureRule):
        return 0.0
    found = None if s.constrained else s.curvature
    if found is None:
        return 0.0
    goal = max(s.tol, 1e-300) / math.sqrt(s.w.size)
    parts = np.abs(found.eigenvectors.T @ found.gradient)
    on_the_way = (parts > goal) & (found.eigenvalues > found.zero_tolerance)
    factors = s.optimizer.contraction(s.rate * found.eigenvalues[on_the_way])
    steps = np.log(goal / parts[on_the_way]) / np.log(np.clip(factors, 1e-300, 1.0 - 1e-16))
    return float(steps.max(initial=0.0))


def _saddle(s: Symptoms) -> Diagnosis:
    """Look for a direction that still leads down where the gradient has all but gone; data's losses have none."""
    if supports(s.objective, Capability.DATA) or s.constrained:
        return Diagnosis()
    if s.gradient_norms[-1] > 1e-3 * s.gradient_norms.max() and s.reason != StopReason.GRADIENT_NORM:
        return Diagnosis()
    found = s.curvature
    if found is None or not found.eigenvalue_min < -found.zero_tolerance:
        return Diagnosis()
    size, down = 1.0 + float(np.linalg.norm(s.w)), found.eigenvectors[:, 0]
    if found.gradient_norm > 1e-3 * -found.eigenvalue_min * size or not _falls(s, down, found.eigenvalue_min, size):
        return Diagnosis()
    place = "a maximum" if found.eigenvalue_max < -found.zero_tolerance else "a saddle"
    direction = np.array2string(down, precision=3, threshold=6)
    text = (
        f"the run stalls at {place}: the gradient's norm is {s.gradient_norms[-1]:.2g}, but the curvature is "
        f"{found.eigenvalue_min:.3g} along {direction}; start again {0.01 * size:.2g} away from here along it, or from "
        "several points (starts=10)"
    )
    return Diagnosis(text, "saddle")


def _falls(s: Symptoms, direction: Any, eigenvalue: float, size: float) -> bool:
    """Return whether the function's own values bear out a negative curvature, which noise may feign."""
    step = 1e-3 * size
    try:
        here, ahead, behind = (s.objective.value_and_gradient(s.w + k * step * direction)[0] for k in (0, 1, -1))
    except Exception:  # as in the symptoms
        return False
    return bool(ahead + behind - 2 * here < 0.3 * eigenvalue * step**2)
