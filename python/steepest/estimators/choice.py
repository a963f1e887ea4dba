"""Which optimizer fits an estimator, and when it has done enough."""

from __future__ import annotations

import copy
import math
from functools import cached_property
from typing import Any

from ..analysis.certain_fall import CertainFall
from ..arrays.checks import describe
from ..descent import stopping
from ..descent.stopping import Progress
from ..optimizers.rules import DEFAULT_RATES, OPTIMIZERS
from ..optimizers.schedules import CosineDecay, InverseTimeDecay
from ..quasi_newton.optimizer import QuasiNewton
from .settings import FitSettings

__all__ = ["RelativeGradientNorm", "chooses_rate", "online_optimizer", "optimizer_for", "tolerance"]

ONLINE_BATCH = 32
# AdaGrad shrinks its own steps; the others come to rest only at rates that fall.
_ONLINE_RATES: dict[str, Any] = {"adam": InverseTimeDecay(0.05), "rmsprop": InverseTimeDecay(0.05), "adagrad": 0.5}
_WHOLE_DATA = "quasi-newton"


class RelativeGradientNorm(stopping.GradientNorm):
    """Stop when the gradient's norm is at most `share` of a reference, by default that of the start.

    Parameters
    ----------
    share : float
    reference : float, optional
    least, most : float
        Bounds of the norm that is asked for; `least`, of its rounding, goes before `most`.
    objective : optional
        Where columns far from zero make every gradient seem small beside the reference, its loss must not fall further.
    """

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
        """That of `GradientNorm`."""
        return stopping.GradientNorm.__name__

    def __call__(self, progress: Progress) -> bool:
        if self.reference is None:
            self._refer_to(progress.gradient_norm)
        if not super().__call__(progress):
            return False
        return self._fall is None or not self._fall.is_noticeable(progress.w, progress.loss)

    @cached_property
    def _fall(self) -> CertainFall | None:
        return CertainFall.of(self._objective)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def chooses_rate(settings: FitSettings) -> bool:
    """Return whether the learning rate is ours to choose, so that no number is in the units of the columns."""
    return isinstance(settings.optimizer, str) and _is_auto(settings.learning_rate)


def _name(settings: FitSettings, online: bool) -> str:
    """Return the name of the optimizer, what "auto" stands for included."""
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
        An unknown name, or a learning rate where there is none to set.
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
    """Return a new optimizer for partial_fit, whose number of steps nobody knows.

    Raises
    ------
    ValueError
        As `optimizer_for`, or an optimizer that takes no steps.
    """
    if not isinstance(settings.optimizer, str):
        optimizer = optimizer_for(settings, 1)
        if not hasattr(optimizer, "step"):
            raise ValueError(f"optimizer must be one that takes steps for partial_fit, got {describe(optimizer)}")
        return optimizer
    name, rate = _name(settings, online=True), settings.learning_rate
    if name == _WHOLE_DATA:
        raise ValueError(f"optimizer must be one that takes steps for partial_fit, got {name!r}")
    return OPTIMIZERS[name](_ONLINE_RATES.get(name, rate) if _is_auto(rate) else rate)


def tolerance(settings: FitSettings, optimizer: Any, dtype: Any) -> float | None:
    """Return the share of the first gradient's norm that ends a fit, None for none.

    "auto" is for runs that get there: on whole data, at rates that the curvature gives.
    """
    if settings.tol is not None:
        return settings.tol or None
    steady = settings.batch_size is None and (not hasattr(optimizer, "step") or optimizer.is_auto)
    return (1e-6 if dtype == "float32" else 1e-10) if steady else None
