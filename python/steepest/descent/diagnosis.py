"""The diagnosis of a run: the problem shows in the history, the curvature explains it, and a number is suggested."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..analysis.curvature import Curvature
from ..analysis.report import WELL_CONDITIONED, about, advice
from ..arrays.norm import norm_of
from ..objectives.protocol import Capability, penalty_of, supports
from ..optimizers.curvature_rule import CurvatureRule
from ..optimizers.runner import StopReason
from ..quasi_newton.optimizer import QuasiNewton
from .symptoms import Symptoms
from .unfinished import not_converged

__all__ = ["FEW_ROWS", "Diagnosis", "Symptoms", "diagnose"]

FEW_ROWS = 20  # a history with fewer rows is too short to judge
_LAST_ROWS = 40  # rows in which to look for an oscillation
_RISING_ROWS = 8  # as many rows with ever higher losses are an explosion
_DECAYED = 1e-3  # share of a wave that is left when it has decayed
_WAVE = 100.0  # times the first loss: the highest that a wave rises
_SLOW_FACTOR = 10.0  # during a run, slow means that it needs more than 10 times its epochs
_SMALL_SQUARE = 1e-3  # times the root of the largest number; a million such squares add up without overflow
_STEADY = 0.4  # of the fall in the first half, in the second; AdaGrad's steps shrink, so its share is 0.41 at best
_BLOWN_UP = 10.0  # times the first loss: a rise by more is an explosion

_NOT_ILL = (StopReason.CALLBACK, StopReason.INTERRUPTED, StopReason.SEPARABLE)  # ends that need no diagnosis
_SEPARABLE = {
    "all": "the classes are separable: a plane has every row on the side of its class, so the loss falls for ever and "
    "the coefficients grow without bound; set alpha above 0, and there is a minimum",
    "some": "the classes are quasi-separable: a plane has some rows on the side of their class and none on the wrong "
    "side, so the loss falls for ever and some coefficients grow without bound; set alpha above 0, and there is a "
    "minimum",
    "absent": "there is no minimum: a class has no row with a weight, so the loss falls for ever as the intercept "
    "takes the scores away from that class; leave out the class",
    "all zeros": "there is no minimum: all targets are 0, so the loss falls for ever as the intercept does",
    "zeros": "there is no minimum: along some direction of the coefficients, only rows whose target is 0 change their "
    "scores (a column may be constant in all other rows), so the loss falls for ever and some coefficients grow "
    "without bound; set alpha above 0, or leave out such columns",
}
_ROUNDING = (
    "the gradient is still large, but rounding hides the way down: some columns may be far from zero compared with "
    "their spread, or nearly equal to each other; standardise the columns, or use float64"
)


class Diagnosis(str):
    """A sentence that says what went wrong in a run and what to do; empty for a healthy run that converged.

    Attributes
    ----------
    kind : str
        "exploding" if the loss grows, "oscillating" if it moves up and down, "slow" if it falls too slowly, "saddle" if
        the run stalls where it could still go down, "separable" if the classes have no minimum, "rounding" if rounding
        hides the way down, and "" if nothing is wrong. A run that ended before it converged has a sentence then too.
    learning_rate : float or None
        The learning rate to set instead. None if another rate does not help.

    Examples
    --------
    A learning rate that is too large, and what to set instead:

    >>> import warnings
    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]), np.array([3.0, 6.0, 7.0, 10.0])
    >>> objective, rate = st.LeastSquares(X, y), 1.0
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     result = st.minimize(objective, optimizer=st.GradientDescent(rate))
    >>> result.diagnosis.kind, result.diagnosis.learning_rate < rate
    ('exploding', True)
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
    """Return the diagnosis of a run, from its symptoms. If it ended before it converged, the diagnosis says so."""
    return _problem(s) or Diagnosis(not_converged(s))


def _problem(s: Symptoms) -> Diagnosis:
    if s.reason == StopReason.DIVERGED:
        return _diverged(s)
    if s.separation:
        return _separable(s)
    if s.reason == StopReason.ROUNDING:
        return Diagnosis(_ROUNDING, "rounding")
    return _unfinished(s)


def _separable(s: Symptoms) -> Diagnosis:
    """Say that there is no minimum; if the run was hindered by something else too, say that first."""
    hindrance, text = _unfinished(s), _SEPARABLE[s.separation]
    if penalty_of(s.objective).alpha > 0.0:  # it does not hold all columns
        text = text.replace("set alpha above 0", "set the penalty_weight of such columns above 0")
    if not hindrance:
        return Diagnosis(text, "separable")
    return Diagnosis(f"{hindrance}; also, {text}", hindrance.kind, hindrance.learning_rate)


def _unfinished(s: Symptoms) -> Diagnosis:
    """Say what hinders a run that has not ended, or that ended before it converged."""
    if s.reason in _NOT_ILL or isinstance(s.optimizer, QuasiNewton):
        return Diagnosis()
    found = Diagnosis() if s.optimizer.is_auto else _exploding(s)
    if not found and s.reason is not None:
        found = _saddle(s)
    if found or len(s.losses) < FEW_ROWS or s.reason not in (None, StopReason.MAX_EPOCHS, StopReason.MAX_SECONDS):
        return found
    if not s.optimizer.is_auto and not (s.batch_size and s.reason is None):  # a mini-batch run may be noisy for a while
        found = _oscillating(s)
    return found or _slow(s)


def _diverged(s: Symptoms) -> Diagnosis:
    stable = s.stable_rate
    if stable is None or stable >= s.rate:
        rate = s.lower_rate()
        advised = f"try a learning rate of {rate:.3g}"
    else:
        rate, advised = stable / 2, f"the largest stable learning rate at the last finite w is about {stable:.3g}"
    if _squares_overflow(s):
        text, rate_helps = _overflowed(s)
        return Diagnosis(f"{text}; or {advised}", "exploding", rate) if rate_helps else Diagnosis(text, "exploding")
    text = f"the run diverged in epoch {s.epochs[-1] + 1} at learning rate {s.rate:.3g}: {advised}"
    if supports(s.objective, Capability.DATA):
        text += "; scaling the features to mean 0 and deviation 1 allows a larger rate"
    return Diagnosis(text, "exploding", rate)


def _squares_overflow(s: Symptoms) -> bool:
    return s.optimizer.scales_coordinates and not isinstance(s.optimizer, QuasiNewton) and s.optimizer.overflowed


def _overflowed(s: Symptoms) -> tuple[str, bool]:
    """Return a text about squares of gradients that overflowed, and whether a lower learning rate may help."""
    where = f"the squares of gradients overflow {s.w.dtype} in the state of {type(s.optimizer).__name__}"
    wider = ", or use float64" if s.w.dtype.itemsize < 8 else ""
    text = f"the run diverged in epoch {s.epochs[-1] + 1}: {where}; change the units so that the loss is near 1{wider}"
    return text, bool(s.gradient_norms.min() < _SMALL_SQUARE * math.sqrt(np.finfo(s.w.dtype).max))


def _exploding(s: Symptoms) -> Diagnosis:
    first, last = float(s.losses[0]), float(s.losses[-1])
    blown_up = len(s.losses) > 2 and last > first + _BLOWN_UP * abs(first) + s.slack
    steps = np.diff(s.losses[-_RISING_ROWS:])
    rising = len(steps) == _RISING_ROWS - 1 and (steps > s.slack).all() and last > first
    if not (blown_up or rising) or (last < first + _WAVE * abs(first) and _is_wave(s)):
        return Diagnosis()
    rate = min(s.better_rate, s.rate / 2)
    text = f"the loss explodes: it rose from {first:.3g} to {last:.3g}. The learning rate {s.rate:.3g}"
    return Diagnosis(f"{text} is too high; set {rate:.3g}", "exploding", rate)


def _is_wave(s: Symptoms) -> bool:
    """Return whether momentum may make the loss rise for a while although the rate is stable."""
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
    lasts = sizes[half:].mean() > 0.8 * sizes[:half].mean()  # waves of momentum decay
    still = losses[half:].min() >= losses[:half].min() - s.slack and norms.min() > 0.05 * s.gradient_norms.max()
    still = still and s.reason is not None  # during a run, a wave may look like this
    if not ((jumps and loud and lasts) or (still and norms.min() > 0 and not s.batch_size)):
        return Diagnosis()
    if _is_wave(s):
        return Diagnosis()
    text = f"the loss oscillates around {losses.mean():.4g} and no longer falls at learning rate {s.rate:.3g}"
    if s.batch_size:
        rate = s.lower_rate(from_here=True)
        remedy = f"set {rate:.3g}, a schedule that decays (st.schedules), or larger batches than {s.batch_size}"
    else:
        rate = s.lower_rate(from_here=True) if s.stable_rate is None else min(s.better_rate, s.rate)
        remedy = f"set {rate:.3g}" + ("" if isinstance(s.optimizer, CurvatureRule) else ", or try momentum")
    return Diagnosis(f"{text}: {remedy}", "oscillating", rate)


def _slow(s: Symptoms) -> Diagnosis:
    half, ended = len(s.losses) // 2, s.reason is not None
    early, late = s.losses[0] - s.losses[half], s.losses[half] - s.losses[-1]
    steady = early > s.slack and late > _STEADY * early and (np.diff(s.losses) <= s.slack).mean() > 0.9
    left = max(_epochs_left(s), _epochs_by_curvature(s) if ended else 0.0)
    dragging = late > 1e-4 * early + s.slack and s.gradient_norms[-1] > 0.5 * s.gradient_norms[half]
    if left > (max(int(s.epochs[-1]), 1) if ended else _SLOW_FACTOR * s.max_epochs):
        text = f"very slow progress: {about(left)} more epochs to a {s.norm_name} of {s.tol:.3g}"
    elif ended and (steady or (dragging and s.tol is None and not s.batch_size)):
        text = f"very slow progress: the loss was still falling, by {late:.2g} in the second half of the run"
    else:
        return Diagnosis()
    return _speeded_up(s, text, steady)


def _speeded_up(s: Symptoms, text: str, steady: bool) -> Diagnosis:
    """Return a diagnosis that says what would make a slow run faster."""
    if s.losses[-1] > s.losses[0]:
        return Diagnosis()
    if s.stable_rate is None:
        rate = s.higher_rate() if steady else None
        return Diagnosis() if rate is None else Diagnosis(f"{text}; set a learning rate of {rate:.3g}", "slow", rate)
    better, found, used = s.better_rate, s.curvature, float(s.rates.max())
    if not s.optimizer.is_auto and _half_the_steps(s, found, used, better):
        wrong = "too low" if used < better else "close to the largest stable rate, so steps undo each other"
        kind = "slow" if used < better else "oscillating"
        return Diagnosis(f"{text}: learning rate {used:.3g} is {wrong}; set {better:.3g}", kind, better)
    if found is not None and found.effective_condition_number <= WELL_CONDITIONED:
        return Diagnosis()
    why = "the condition number may be high" if found is None else advice(found)[-1]
    if found is None and supports(s.objective, Capability.DATA):
        why = "the features may differ in scale or be correlated: standardise them"
    momentum = None if found is None or math.isnan(found.best_momentum) else found.best_momentum_learning_rate
    return Diagnosis(f"{text}; {why}", "slow", momentum if s.is_quadratic else None)


def _half_the_steps(s: Symptoms, found: Curvature | None, used: float, better: float) -> bool:
    """Return whether the better rate needs at most half the steps."""
    assert isinstance(s.optimizer, CurvatureRule)
    if found is None or found.effective_condition_number == math.inf or not s.is_quadratic:
        return used < 0.4 * better
    largest = found.eigenvalue_max
    ends = np.array([largest / found.effective_condition_number, largest])
    now, then = (float(s.optimizer.contraction(rate * ends).max()) for rate in (used, better))
    return then < min(now, 1.0) ** 2


def _epochs_left(s: Symptoms) -> float:
    """Forecast from the history how many epochs a full-batch run still needs to reach its tolerance; 0 if unknown."""
    if s.tol is None or s.batch_size or s.gradient_norms[-1] <= s.tol:
        return 0.0
    half = len(s.losses) // 2
    decades = math.log(s.gradient_norms[half] / s.gradient_norms[-1]) if s.gradient_norms[-1] > 0 else 0.0
    taken = float(s.epochs[-1] - s.epochs[half])
    if decades <= 0.0:
        return 0.0
    return taken * math.log(s.gradient_norms[-1] / max(s.tol, 1e-300)) / decades


def _epochs_by_curvature(s: Symptoms) -> float:
    """Forecast that number from the spectrum at w: steps scale each eigenvector's part of the gradient by a factor."""
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
    """Look for a direction of negative curvature where the gradient has nearly vanished. Convex losses have none."""
    if supports(s.objective, Capability.DATA) or s.constrained:
        return Diagnosis()
    if s.gradient_norms[-1] > 1e-3 * s.gradient_norms.max() and s.reason != StopReason.GRADIENT_NORM:
        return Diagnosis()
    found = s.curvature
    if found is None or not found.eigenvalue_min < -found.zero_tolerance:
        return Diagnosis()
    size, down = 1.0 + norm_of(s.w), found.eigenvectors[:, 0]
    if found.gradient_norm > 1e-3 * -found.eigenvalue_min * size or not _falls(s, down, found.eigenvalue_min, size):
        return Diagnosis()
    place = "a maximum" if found.eigenvalue_max < -found.zero_tolerance else "a saddle"
    direction = np.array2string(down, precision=3, threshold=6)
    text = (
        f"the run stalls at {place}: the gradient's norm is {s.gradient_norms[-1]:.2g}, but the curvature along "
        f"{direction} is {found.eigenvalue_min:.3g}; start again {0.01 * size:.2g} away in that direction, or from "
        "several points (starts=10)"
    )
    return Diagnosis(text, "saddle")


def _falls(s: Symptoms, direction: Any, eigenvalue: float, size: float) -> bool:
    """Return whether values of the function confirm a negative curvature, which may be only noise."""
    step = 1e-3 * size
    try:
        here, ahead, behind = (s.objective.value_and_gradient(s.w + k * step * direction)[0] for k in (0, 1, -1))
    except Exception:  # an error in the user's function must not lose the run
        return False
    return bool(ahead + behind - 2 * here < 0.3 * eigenvalue * step**2)
