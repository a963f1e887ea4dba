"""What ails a run: recognised from its history, explained from the curvature, with the number to set instead."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .advice import WELL_CONDITIONED, about, advice
from .curvature import Curvature, curvature
from .hessian import Hessian
from .objectives import DataObjective
from .optimizers import CurvatureRule, Optimizer
from .quasi_newton import QuasiNewton

__all__ = ["Diagnosis", "Symptoms", "diagnose", "largest_eigenvalue"]

_FEW_ROWS = 20  # of a history say nothing yet
_LAST_ROWS = 40  # are looked at for an oscillation
_RISING_ROWS = 8  # in a row are an explosion
_DECAYED = 1e-3  # of a wave is left
_WAVE = 100.0  # times the first loss
_SLOW_FACTOR = 10.0  # times the epochs of a run that goes on, still to go, is slow; at its end as many as it had
_AFFORDABLE = 5e9  # multiply-adds of a whole Hessian, some 0.3 s
_SADDLE_PARAMETERS = 100  # of a function in Python, whose Hessian takes two gradients each


_SEPARABLE = (
    "the classes are separable: every row is on its side and the loss falls for ever as w grows; set alpha above 0, which "
    "makes a minimum"
)


class Diagnosis(str):
    """A sentence on what ails a run, empty for a healthy one.

    Attributes
    ----------
    kind : str
        "", "exploding", "oscillating", "slow", "saddle" or "separable".
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


@dataclass
class Symptoms:
    """What a diagnosis is made from: the columns of a history, and the run that it is of.

    Attributes
    ----------
    epochs, losses, gradient_norms, rates : arrays of shape (rows,)
        See `Result.history`.
    reason : str or None
        Why the run ended; None while it goes on.
    max_epochs : int
        Its budget.
    tol : float or None
        The gradient norm that it is to reach.
    batch_size : int
        0: all rows.
    w : array of shape (n_parameters,)
        Where it stands.
    constrained : bool
        Whether the gradient is not to vanish by itself, for a constraint or an L1 penalty.
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
    w: NDArray[Any]
    constrained: bool = False

    @property
    def rate(self) -> float:
        """The last learning rate."""
        return float(self.rates[-1])

    @property
    def slack(self) -> float:
        """What rounding may change of a loss."""
        return 16 * float(np.finfo(self.w.dtype).eps) * float(np.abs(self.losses).max())


def diagnose(s: Symptoms) -> Diagnosis:
    """Say what ails a run, if anything does."""
    if s.reason == "diverged":
        return _diverged(s)
    if s.reason == "separable":
        return Diagnosis(_SEPARABLE, "separable")
    if s.reason in ("callback", "interrupted") or isinstance(s.optimizer, QuasiNewton):
        return Diagnosis()
    found = _saddle(s) if s.reason is not None else Diagnosis()
    if not found and len(s.losses) >= _FEW_ROWS and s.reason in (None, "max_epochs", "max_seconds"):
        found = (not s.optimizer.is_auto and (_exploding(s) or _oscillating(s))) or _slow(s)
    return found


def _diverged(s: Symptoms) -> Diagnosis:
    stable, rate = _stable_rate(s), s.rate / 10
    advised = f"try a learning rate of {rate:.3g}"
    if stable is not None:
        rate, advised = stable / 2, f"the largest stable learning rate at the last finite w is about {stable:.3g}"
    text = (
        f"the run diverged in epoch {s.epochs[-1] + 1} at learning rate {s.rate:.3g}: {advised}; scaling the "
        "features to mean 0 and deviation 1 allows larger ones"
    )
    return Diagnosis(text, "exploding", rate)


def _exploding(s: Symptoms) -> Diagnosis:
    last = s.losses[-_RISING_ROWS:]
    if not (np.diff(last) > s.slack).all() or last[-1] <= s.losses[0]:
        return Diagnosis()
    if last[-1] < _WAVE * abs(s.losses[0]) and _is_wave(s):
        return Diagnosis()
    rate = _better_rate(s)
    text = f"the loss explodes: it has risen from {s.losses[0]:.3g} to {last[-1]:.3g} at learning rate {s.rate:.3g}"
    return Diagnosis(f"{text}, which is too high; set {rate:.3g}", "exploding", rate)


def _is_wave(s: Symptoms) -> bool:
    """Return whether the loss may rise for a while at a rate that is stable, as velocities make it."""
    if s.batch_size or not isinstance(s.optimizer, CurvatureRule):
        return False
    largest = largest_eigenvalue(s.objective, s.w)
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
    if not ((jumps and loud and lasts) or (still and norms.min() > 0 and not s.batch_size)):
        return Diagnosis()
    if _is_wave(s):
        return Diagnosis()
    text = f"the loss oscillates around {losses.mean():.4g} and falls no further at learning rate {s.rate:.3g}"
    if s.batch_size:
        rate = s.rate / 10
        remedy = f"set {rate:.3g}, a schedule that decays (st.schedules), or larger batches than {s.batch_size}"
    else:
        rate = _better_rate(s)
        remedy = f"set {rate:.3g}" + ("" if isinstance(s.optimizer, CurvatureRule) else ", or try momentum")
    return Diagnosis(f"{text}: {remedy}", "oscillating", rate)


def _slow(s: Symptoms) -> Diagnosis:
    half = len(s.losses) // 2
    early, late = s.losses[0] - s.losses[half], s.losses[half] - s.losses[-1]
    steady = early > s.slack and late > 0.5 * early and (np.diff(s.losses) <= s.slack).mean() > 0.9
    left, ended = _epochs_left(s), s.reason is not None
    if ended:
        left = max(left, _epochs_by_curvature(s))
    dragging = late > 1e-4 * early + s.slack and s.gradient_norms[-1] > 0.5 * s.gradient_norms[half]
    if left > (max(int(s.epochs[-1]), 1) if ended else _SLOW_FACTOR * s.max_epochs):
        text = f"very slow progress: {about(left)} more epochs to a gradient norm of {s.tol:.3g}"
    elif ended and (steady or (dragging and s.tol is None and not s.batch_size)):
        text = f"very slow progress: the loss was still falling, by {late:.2g} in the second half of the run"
    else:
        return Diagnosis()
    stable = None if s.batch_size else _stable_rate(s)
    if stable is None:
        if not steady:
            return Diagnosis()
        return Diagnosis(f"{text}; set a learning rate of {10 * s.rate:.3g}", "slow", 10 * s.rate)
    rate, found, used = _better_rate(s), _whole_curvature(s), float(s.rates.max())
    if not s.optimizer.is_auto and _half_the_steps(s, found, used, rate):
        wrong = "too low" if used < rate else "at the edge of what is stable: steps undo one another"
        kind = "slow" if used < rate else "oscillating"
        return Diagnosis(f"{text}: learning rate {used:.3g} is {wrong}; set {rate:.3g}", kind, rate)
    if found is not None and found.effective_condition_number <= WELL_CONDITIONED:
        return Diagnosis()
    why = "the features may differ in scale or be correlated: standardise them" if found is None else advice(found)[-1]
    momentum = None if found is None or math.isnan(found.best_momentum) else found.best_momentum_learning_rate
    return Diagnosis(f"{text}; {why}", "slow", momentum)


def _half_the_steps(s: Symptoms, found: Curvature | None, used: float, better: float) -> bool:
    """Return whether the better rate comes as far in half the steps."""
    assert isinstance(s.optimizer, CurvatureRule)
    if found is None or found.effective_condition_number == math.inf:
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
    found = _whole_curvature(s)
    if found is None or s.constrained:
        return 0.0
    parts = np.abs(found.eigenvectors.T @ found.gradient)
    on_the_way = (parts > s.tol / math.sqrt(parts.size)) & (found.eigenvalues > found.zero_tolerance)
    factors = s.optimizer.contraction(s.rate * found.eigenvalues[on_the_way])
    steps = np.log(s.tol / math.sqrt(parts.size) / parts[on_the_way]) / np.log(np.minimum(factors, 1.0 - 1e-16))
    return float(steps.max(initial=0.0))


def _saddle(s: Symptoms) -> Diagnosis:
    """Look for a direction that still leads down where the gradient has all but gone; data's losses have none."""
    if isinstance(s.objective, DataObjective) or s.constrained or s.w.size > _SADDLE_PARAMETERS:
        return Diagnosis()
    if s.gradient_norms[-1] > 1e-3 * s.gradient_norms.max() and s.reason != "GradientNorm":
        return Diagnosis()
    found = _curvature(s)
    if found is None or not found.eigenvalue_min < -found.zero_tolerance:
        return Diagnosis()
    place = "a maximum" if found.eigenvalue_max < -found.zero_tolerance else "a saddle"
    size = max(1e-3, 0.01 * float(np.linalg.norm(s.w)))
    direction = np.array2string(found.eigenvectors[:, 0], precision=3, threshold=6)
    text = (
        f"the run stalls at {place}: the gradient's norm is {s.gradient_norms[-1]:.2g}, but the curvature is "
        f"{found.eigenvalue_min:.3g} along {direction}; start again {size:.2g} away from here along it, or from "
        "several points (starts=10)"
    )
    return Diagnosis(text, "saddle")


def _better_rate(s: Symptoms) -> float:
    """Return a learning rate that the curvature at w bears; a tenth of the last one where that says nothing."""
    largest = None if s.batch_size else largest_eigenvalue(s.objective, s.w)
    if largest is None or not isinstance(s.optimizer, CurvatureRule):
        return s.rate / 10
    found = _whole_curvature(s)
    kappa = math.inf if found is None else found.effective_condition_number
    return s.optimizer.best_rate(0.0 if kappa == math.inf else largest / kappa, largest)


def _stable_rate(s: Symptoms) -> float | None:
    eigenvalue = largest_eigenvalue(s.objective, s.w)
    return None if eigenvalue is None else s.optimizer.largest_stable_rate(eigenvalue)


def _whole_curvature(s: Symptoms) -> Curvature | None:
    """Return the curvature at w where it costs little."""
    cost = getattr(s.objective, "n_samples", 1e3) * float(s.w.size) ** 2
    return _curvature(s) if cost <= _AFFORDABLE else None


def _curvature(s: Symptoms) -> Curvature | None:
    try:
        return curvature(s.objective, s.w.copy(), method="dense")
    except Exception:  # what a user's function raises must not lose the run that this only explains
        return None


def largest_eigenvalue(objective: Any, w: NDArray[Any], iterations: int = 30, seconds: float = 0.5) -> float | None:
    """Estimate the Hessian's largest eigenvalue by power iteration; None without a Hessian or one above 0."""
    end, vector, eigenvalue = time.perf_counter() + seconds, None, 0.0
    try:
        hessian = Hessian(objective, w.copy())
        for iteration in range(iterations):
            size, vector = hessian.largest(vector, iterations=1)
            eigenvalue = size
            if not size > 0.0 or not math.isfinite(size) or (iteration > 4 and time.perf_counter() > end):
                break
        signed = float(vector @ hessian.product(vector)) if vector is not None and eigenvalue > 0.0 else 0.0
    except Exception:  # as above
        return None
    return eigenvalue if signed > 0.0 and math.isfinite(eigenvalue) else None
