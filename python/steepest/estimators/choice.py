"""The choice of an estimator's optimizer, learning rate and tolerance."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

from ..analysis.certain_fall import CertainFall
from ..arrays.checks import describe
from ..descent import stopping
from ..descent.stopping import Progress
from ..optimizers.names import DEFAULT_RATES, ONLINE_RATES, OPTIMIZERS
from ..optimizers.schedules import CosineDecay
from ..quasi_newton.optimizer import QuasiNewton
from .settings import FitSettings

__all__ = [
    "RelativeGradientNorm",
    "RelativeScaledNorm",
    "chooses_rate",
    "online_optimizer",
    "optimizer_for",
    "tolerance",
]

ONLINE_BATCH = 32
_WHOLE_DATA = "quasi-newton"


class RelativeGradientNorm(stopping.GradientNorm):
    """Stop when the gradient norm is at most `share` times a reference norm.

    Parameters
    ----------
    share : float
        Factor of the reference norm.
    reference : float, optional
        The reference norm, by default the gradient norm at the start.
    least, most : float
        Bounds of the threshold. If they contradict each other, `least` wins: it is the rounding error of the norm.
    objective : optional
        If columns far from zero make every gradient small beside the reference, this objective's loss must not be able
        to fall further.
    """

    _reads_change = False

    def __init__(
        self,
        share: float,
        reference: float | None = None,
        least: float = 0.0,
        most: float = math.inf,
        objective: Any = None,
    ) -> None:
        super().__init__(share)
        self.share, self.least, self.most = share, least, most
        self.tol = 0.0
        self.reference, self._objective = reference, objective
        if reference is not None:
            self._refer_to(reference)

    def _refer_to(self, norm: float) -> None:
        self.reference = norm
        self.tol = max(min(self.share * norm, self.most), self.least)

    @property
    def reason(self) -> str:
        """The stop reason, which is that of `GradientNorm`."""
        return stopping.GradientNorm.__name__

    def state(self) -> dict[str, Any]:
        return {"reference": self.reference}

    def resume(self, state: dict[str, Any]) -> None:
        self.reference, self.tol = None, 0.0
        if state["reference"] is not None:
            self._refer_to(state["reference"])

    def _norm(self, progress: Progress) -> float:
        return progress.gradient_norm

    def __call__(self, progress: Progress) -> bool:
        norm = self._norm(progress)
        if self.reference is None:
            self._refer_to(norm)
        if not norm <= self.tol:
            return False
        return self._fall is None or not self._fall.is_noticeable(progress.w, progress.loss)

    @cached_property
    def _fall(self) -> CertainFall | None:
        return CertainFall.of(self._objective)


class RelativeScaledNorm(RelativeGradientNorm, stopping.OwnNorms):
    """Stop when the scaled gradient norm is at most `share` times a reference norm.

    Parameters
    ----------
    share, reference, least, objective : as for `RelativeGradientNorm`
        The norms are ``Progress.scaled_gradient_norm``.
    most : float
        Bound of the plain gradient norm.
    untried : callable
        Takes the objective's value and returns the norm from which rounding allows no further step.
    """

    _reads_change = False

    def __init__(
        self,
        share: float,
        reference: float | None,
        least: float,
        most: float,
        objective: Any,
        untried: Callable[[float], float],
    ) -> None:
        self.norms, self._goal = [], 0.0
        self._bound, self._untried = most, untried
        super().__init__(share, reference, least, objective=objective)

    def _refer_to(self, norm: float) -> None:
        super()._refer_to(norm)
        self._goal = self.tol

    def reset(self) -> None:
        self.norms = []

    def _norm(self, progress: Progress) -> float:
        assert progress.scaled_gradient_norm is not None
        return progress.scaled_gradient_norm

    def __call__(self, progress: Progress) -> bool:
        norm = self._norm(progress)
        self.norms.append(norm)
        if self.reference is None:
            self._refer_to(norm)
        self.tol = max(self._goal, self._untried(progress.loss))
        return super().__call__(progress) and progress.gradient_norm <= self._bound


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def chooses_rate(settings: FitSettings) -> bool:
    """Return whether the estimator chooses the learning rate. Then the user gave no number in units of the columns."""
    return isinstance(settings.optimizer, str) and _is_auto(settings.learning_rate)


def _name(settings: FitSettings, online: bool) -> str:
    """Return the name of the optimizer, with "auto" resolved."""
    name: str = settings.optimizer
    names = ("auto", _WHOLE_DATA, *OPTIMIZERS)
    if name not in names:
        raise ValueError(f"optimizer must be an optimizer or one of {', '.join(map(repr, names))}, got {name!r}")
    if name == "auto":
        return "adam" if online or settings.batch_size is not None else _WHOLE_DATA
    return name


def _refuse_rate(settings: FitSettings, why: str) -> None:
    if not _is_auto(settings.learning_rate):
        raise ValueError(f'learning_rate must be "auto" {why}, got {describe(settings.learning_rate)}')


def optimizer_for(settings: FitSettings, n_steps: int) -> Any:
    """Return a new optimizer for a fit of at most n_steps steps.

    Raises
    ------
    ValueError
        The name is unknown, or the optimizer takes no learning rate and one was given.
    """
    if not isinstance(settings.optimizer, str):
        _refuse_rate(settings, "with an optimizer that has its own")
        return copy.deepcopy(settings.optimizer)
    name, rate = _name(settings, online=False), settings.learning_rate
    if name == _WHOLE_DATA:
        _refuse_rate(settings, f"with optimizer={settings.optimizer!r}, which has none to set; name another")
        if settings.batch_size is not None:
            raise ValueError(f"batch_size must be None with optimizer={name!r}, got {settings.batch_size}")
        return QuasiNewton()
    if _is_auto(rate) and name in DEFAULT_RATES:
        rate = CosineDecay(DEFAULT_RATES[name], max(1, n_steps))
    return OPTIMIZERS[name](rate)


def online_optimizer(settings: FitSettings) -> Any:
    """Return a new optimizer for `partial_fit`, which cannot know the number of steps.

    Raises
    ------
    ValueError
        As for `optimizer_for`, or the optimizer needs all rows at once.
    """
    if not isinstance(settings.optimizer, str):
        optimizer = optimizer_for(settings, 1)
        if not hasattr(optimizer, "step"):
            raise ValueError(f"optimizer must be one that takes steps for partial_fit, got {describe(optimizer)}")
        return optimizer
    name, rate = _name(settings, online=True), settings.learning_rate
    if name == _WHOLE_DATA:
        raise ValueError(f"optimizer must be one that takes steps for partial_fit, got {name!r}")
    return OPTIMIZERS[name](ONLINE_RATES.get(name, rate) if _is_auto(rate) else rate)


def tolerance(settings: FitSettings, optimizer: Any, dtype: Any) -> float | None:
    """Return the factor of the gradient norm at zeros that ends a fit, or None if no norm does.

    "auto" gives a factor only to runs that can reach it: full-batch runs at rates from the curvature.
    """
    if settings.tol is not None:
        return settings.tol or None
    steady = settings.batch_size is None and (not hasattr(optimizer, "step") or optimizer.is_auto)
    return (1e-6 if dtype == "float32" else 1e-10) if steady else None
