"""What a run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .diagnosis import Diagnosis


class StartError(ValueError):
    """The objective is not finite where a run is to start."""


@dataclass(eq=False)
class Result:
    """The outcome of `minimize`.

    Attributes
    ----------
    w : array of shape (n_parameters,), of the library of w0 or else of the objective's X
        The parameters found: the last ones; with validation those of the lowest validation loss; after divergence the
        last ones whose loss was evaluated and finite. Those of a `Softmax` are a matrix, of its `parameters_shape`.
    value : float
        The objective at w, penalty included. nan where Ctrl-C left no time to evaluate it.
    converged : bool
        Whether a rule of ``stop`` ended the run; without rules, whether it went as low as the arithmetic allows.
    stop_reason : str
        The class name of that rule, or "max_epochs", "max_seconds", "diverged", "callback" or "interrupted"; of
        QuasiNewton also "precision", where the arithmetic allows no lower value, and "rounding", where it hides the way
        down at a gradient that is still large. "separable" takes the place of a rule and of these where classes without
        a penalty, all or some, have no minimum to converge to; "max_epochs" and "max_seconds" stay, and the diagnosis
        says it, from 20 evaluated epochs on.
    n_epochs, n_steps : int
        Whole epochs and updates done.
    history : dict of str to array
        A row for the start and for each evaluated epoch: "epoch", "loss" (the whole objective), "gradient_norm",
        "learning_rate" (of the step before; at the start of the first one), "seconds" since the start and, with
        validation, "validation_loss".
    path : array of shape (n_steps + 1, n_parameters) or None
        The parameters at the start and after every step, where asked for.
    best_epoch : int or None
        The epoch of the lowest validation loss, where there is one.
    diagnosis : Diagnosis
        What ails the run, a str that is empty where nothing does: an exploding loss, an oscillation, very slow
        progress, a stall at a saddle, separable classes, rounding. Its `kind` is one of "", "exploding", "oscillating",
        "slow", "saddle", "separable" and "rounding", its `learning_rate` the number to set instead, or None.
    starts : tuple of Result or None
        The runs from all starts, where several were asked for; this result is the best of them.
    """

    w: Any
    value: float
    converged: bool
    stop_reason: str
    n_epochs: int
    n_steps: int
    history: dict[str, NDArray[Any]]
    path: NDArray[Any] | None = None
    best_epoch: int | None = None
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    starts: tuple[Result, ...] | None = None

    def __repr__(self) -> str:
        w = np.array2string(self.w, threshold=8, precision=4) if isinstance(self.w, np.ndarray) else self.w
        norm = next(reversed(self.history["gradient_norm"]), float("nan"))
        return (
            f"Result(value={self.value:.6g}, gradient_norm={norm:.3g}, stop_reason={self.stop_reason!r}, "
            f"converged={self.converged}, n_epochs={self.n_epochs}, n_steps={self.n_steps}, "
            f"w={w})"
        )
