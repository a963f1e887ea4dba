"""Stopping rules, and the `Progress` of a run that they and the callbacks read once per evaluated epoch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..arrays.checks import check_count, check_number

__all__ = ["GradientNorm", "LossChange", "NoImprovement", "ParameterChange", "Progress", "StopRule"]


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run stands after an epoch (epoch 0 is the start).

    Attributes
    ----------
    epoch, n_steps : int
        Epochs and updates done.
    w : array of shape (n_parameters,)
        A copy of the parameters.
    loss : float
        The whole objective at w, penalty included.
    gradient_norm : float
        Euclidean norm of the gradient; with an L1 penalty that of the smallest subgradient; with a constraint without
        what that holds back, so that it is 0 at a constrained minimum (`Box` and `Simplex` say how).
    learning_rate : float
        The rate of the step before; at the start that of the first one.
    seconds : float
        Time since the start of the run.
    validation_loss : float or None
        Mean loss on the validation data, without penalty; None if there are none.
    parameter_change : float or None
        Euclidean norm of the change of w since the last evaluated epoch; None at the start.
    """

    epoch: int
    n_steps: int
    w: NDArray[Any]
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    parameter_change: float | None = None


class StopRule(ABC):
    """A rule that is asked once per evaluated epoch, the start included, whether the run should end."""

    def reset(self) -> None:  # noqa: B027  (most rules remember nothing)
        """Forget the last run."""

    @property
    def reason(self) -> str:
        """What a run that the rule ended has as its stop_reason: the name of the rule's class."""
        return type(self).__name__

    @abstractmethod
    def __call__(self, progress: Progress) -> bool:
        """Return True to end the run here."""


@dataclass
class GradientNorm(StopRule):
    """Stop when the gradient's norm is at most ``tol``, a finite number of at least 0.

    Raises
    ------
    TypeError, ValueError
        Here and in every rule: an argument of the wrong type, or out of range.
    """

    tol: float

    def __post_init__(self) -> None:
        check_number("tol", self.tol, least=0.0)

    def __call__(self, progress: Progress) -> bool:
        return progress.gradient_norm <= self.tol


@dataclass
class LossChange(StopRule):
    """Stop when the loss has changed by at most ``tol`` (absolute, at least 0) since the last evaluated epoch."""

    tol: float
    _previous: float | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("tol", self.tol, least=0.0)

    def reset(self) -> None:
        self._previous = None

    def __call__(self, progress: Progress) -> bool:
        previous, self._previous = self._previous, progress.loss
        return previous is not None and abs(progress.loss - previous) <= self.tol


@dataclass
class ParameterChange(StopRule):
    """Stop when w has moved by at most ``tol`` (Euclidean norm, at least 0) since the last evaluated epoch."""

    tol: float

    def __post_init__(self) -> None:
        check_number("tol", self.tol, least=0.0)

    def __call__(self, progress: Progress) -> bool:
        return progress.parameter_change is not None and progress.parameter_change <= self.tol


@dataclass
class NoImprovement(StopRule):
    """Early stopping: no better validation loss for ``patience`` evaluated epochs in a row.

    Better means lower by more than ``min_delta`` than the last loss that was better; nan never is.

    Raises
    ------
    ValueError
        When called with progress that has no validation loss.
    """

    patience: int
    min_delta: float = 0.0
    _best: float = field(default=math.inf, init=False, repr=False, compare=False)
    _waited: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_count("patience", self.patience, 1)
        check_number("min_delta", self.min_delta, least=0.0)

    def reset(self) -> None:
        self._best = math.inf
        self._waited = 0

    def __call__(self, progress: Progress) -> bool:
        if progress.validation_loss is None:
            raise ValueError("NoImprovement reads the validation loss: expected validation data, got none")
        if progress.validation_loss < self._best - self.min_delta:
            self._best = progress.validation_loss
            self._waited = 0
        else:
            self._waited += 1
        return self._waited >= self.patience
