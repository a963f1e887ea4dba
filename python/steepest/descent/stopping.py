"""Stopping rules, and `Progress`: what rules and callbacks are given after each evaluated epoch of a run."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from numpy.typing import NDArray

from ..arrays.checks import check_count, check_number

__all__ = ["GradientNorm", "LossChange", "NoImprovement", "ParameterChange", "Progress", "StopRule"]


@dataclass(frozen=True, eq=False)
class Progress:
    """The state of a run after an evaluated epoch. Epoch 0 is the start.

    Attributes
    ----------
    epoch, n_steps : int
        Numbers of completed epochs and steps.
    w : array of shape (n_parameters,), float32 or float64
        A copy of the parameters.
    loss : float
        The whole objective at w, penalty included.
    gradient_norm : float
        Euclidean norm of the gradient. With an L1 penalty it is the norm of the smallest subgradient. With a constraint
        it leaves out the part of the gradient that the constraint holds back, so it is 0 at a constrained minimum:
        `Box` and `Simplex` say how.
    learning_rate : float
        The rate of the last step. At the start it is the rate of the first step.
    seconds : float
        Time since the start of the run, in seconds.
    validation_loss : float or None
        Mean loss on the validation data, without penalty. None without validation data.
    parameter_change : float or None
        Euclidean norm of the change of w since the last evaluated epoch. None at the start.
    scaled_gradient_norm : float or None
        Norm of the gradient, each number divided by the root of its number on the diagonal of the Hessian at zeros.
        Columns in few rows, whose gradients are small, count as all others do. Half the square is about how far the
        loss is above its minimum, if columns are hardly correlated. `QuasiNewton` has it over sparse rows and tables;
        in other runs it is None.

    Examples
    --------
    A callback that returns True ends the run:

    >>> import numpy as np
    >>> import steepest as st
    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    >>> def callback(progress):
    ...     print(progress.epoch, progress.w, progress.loss)
    ...     return progress.loss < 1.0
    >>> result = st.minimize(bowl, np.array([2.0, 0.0]), st.GradientDescent(0.25), callbacks=[callback])
    0 [2. 0.] 4.0
    1 [1. 0.] 1.0
    2 [0.5 0. ] 0.25
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
    scaled_gradient_norm: float | None = None


class StopRule(ABC):
    """The base class of the stopping rules: `minimize` calls a rule after each evaluated epoch, the start included.

    A subclass defines ``__call__``. If it remembers anything, it also defines ``reset``, which `minimize` calls first.
    For runs with a checkpoint, such a rule defines ``state`` and ``resume`` too.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> class LossBelow(st.stop.StopRule):
    ...     def __init__(self, limit):
    ...         self.limit = limit
    ...
    ...     def __call__(self, progress):
    ...         return progress.loss < self.limit
    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    >>> st.minimize(bowl, np.ones(2), st.GradientDescent(0.25), stop=[LossBelow(1e-3)]).stop_reason
    'LossBelow'
    """

    def reset(self) -> None:  # noqa: B027  (most rules remember nothing)
        """Forget the previous run."""

    def state(self) -> dict[str, Any]:
        """Return what the rule remembers, for a checkpoint: numbers, texts, None and NumPy arrays by name."""
        return {}

    def resume(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Remember what a `state` holds, instead of what the rule remembers now."""

    @property
    def reason(self) -> str:
        """The stop_reason of a run that this rule ended: the name of the rule's class."""
        return type(self).__name__

    @abstractmethod
    def __call__(self, progress: Progress) -> bool:
        """Return whether to end the run now."""


def reads_change(rule: StopRule) -> bool:
    """Return whether a rule may read `Progress.parameter_change`: False if its own class says that it does not."""
    return bool(vars(type(rule)).get("_reads_change", True))


@dataclass
class GradientNorm(StopRule):
    """Stop when the norm of the gradient is at most ``tol``.

    The norm is that of `Result.history`, over sparse rows too, where rare columns have a small part in it. A callback
    that judges ``Progress.scaled_gradient_norm`` counts them as all others.

    Parameters
    ----------
    tol : float
        At least 0, in the units of the gradient.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or is out of range. Every rule raises these.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    >>> result = st.minimize(bowl, np.ones(2), st.GradientDescent(0.25), stop=[st.stop.GradientNorm(1e-3)])
    >>> result.stop_reason, bool(result.history["gradient_norm"][-1] <= 1e-3)
    ('GradientNorm', True)
    """

    _reads_change: ClassVar[bool] = False
    tol: float

    def __post_init__(self) -> None:
        check_number("tol", self.tol, least=0.0)

    def __call__(self, progress: Progress) -> bool:
        return progress.gradient_norm <= self.tol


class OwnNorms:
    """A rule of the gradient norm that judges other norms than those of the history.

    Attributes
    ----------
    norms : list of float
        The norms that it judged, one for each evaluated epoch.
    """

    norms: list[float]


@dataclass
class LossChange(StopRule):
    """Stop when the loss has changed by at most ``tol`` since the last evaluated epoch.

    Parameters
    ----------
    tol : float
        Absolute change, up or down, at least 0.

    Raises
    ------
    TypeError, ValueError
        The argument has the wrong type or is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    >>> result = st.minimize(bowl, np.ones(2), st.GradientDescent(0.25), stop=[st.stop.LossChange(1e-3)])
    >>> result.stop_reason, bool(result.value < 1e-3)
    ('LossChange', True)
    """

    tol: float
    _previous: float | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("tol", self.tol, least=0.0)

    def reset(self) -> None:
        self._previous = None

    def state(self) -> dict[str, Any]:
        return {"previous": self._previous}

    def resume(self, state: dict[str, Any]) -> None:
        self._previous = state["previous"]

    def __call__(self, progress: Progress) -> bool:
        previous, self._previous = self._previous, progress.loss
        return previous is not None and abs(progress.loss - previous) <= self.tol


@dataclass
class ParameterChange(StopRule):
    """Stop when w has moved by at most ``tol`` since the last evaluated epoch.

    Parameters
    ----------
    tol : float
        Euclidean norm of the change of w, at least 0.

    Raises
    ------
    TypeError, ValueError
        The argument has the wrong type or is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    >>> result = st.minimize(bowl, np.ones(2), st.GradientDescent(0.25), stop=[st.stop.ParameterChange(1e-3)])
    >>> result.stop_reason, bool(abs(result.w).max() < 1e-2)
    ('ParameterChange', True)
    """

    tol: float

    def __post_init__(self) -> None:
        check_number("tol", self.tol, least=0.0)

    def __call__(self, progress: Progress) -> bool:
        return progress.parameter_change is not None and progress.parameter_change <= self.tol


@dataclass
class NoImprovement(StopRule):
    """Early stopping: end the run after ``patience`` evaluated epochs in a row without a better validation loss.

    A loss is better if it is lower than the best loss so far by more than ``min_delta``. It then becomes the best loss.
    A loss of nan is never better.

    Parameters
    ----------
    patience : int
        Number of evaluated epochs, at least 1.
    min_delta : float
        Smallest decrease that counts, at least 0, in the units of the loss.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or is out of range, or the run has no validation data.

    Notes
    -----
    Prechelt, "Early Stopping - But When?", in Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    The validation targets follow another slope than the training targets, so the fit overshoots them:

    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 6.0])
    >>> objective = st.LeastSquares(X, y, intercept=False)
    >>> rule = st.stop.NoImprovement(patience=2)
    >>> result = st.minimize(
    ...     objective, optimizer=st.GradientDescent(0.02), stop=[rule], validation=(X, 1.5 * X[:, 0]), max_epochs=100
    ... )
    >>> result.stop_reason, result.best_epoch, result.n_epochs
    ('NoImprovement', 7, 9)
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

    def state(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited}

    def resume(self, state: dict[str, Any]) -> None:
        self._best, self._waited = state["best"], state["waited"]

    def __call__(self, progress: Progress) -> bool:
        if progress.validation_loss is None:
            raise ValueError("NoImprovement needs a validation loss: expected validation data, got none")
        if progress.validation_loss < self._best - self.min_delta:
            self._best = progress.validation_loss
            self._waited = 0
        else:
            self._waited += 1
        return self._waited >= self.patience
