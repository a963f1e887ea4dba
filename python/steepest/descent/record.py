"""The record of a run: what it was asked for, and where it stood at each evaluated epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..analysis.separability import Separation
from ..optimizers.base import Optimizer
from ..quasi_newton.optimizer import QuasiNewton
from .stopping import Progress, StopRule

__all__ = ["Callback", "Record", "RunSettings"]

Callback = Callable[[Progress], Any]


@dataclass(frozen=True)
class RunSettings:
    """What a run is asked for, checked: see `minimize`.

    Attributes
    ----------
    batch_size, steps_per_epoch : int
        Rows of a step, 0 for all, and how many make an epoch.
    constrained : bool
        Whether w is kept in a set.
    """

    batch_size: int
    steps_per_epoch: int
    max_epochs: int
    max_seconds: float
    evaluate_every: int
    diagnose: bool
    constrained: bool
    record_path: bool
    stop: Sequence[StopRule]
    callbacks: Sequence[Callback]
    validation: Any


@dataclass
class Record:
    """What is known of a run while it goes on.

    Attributes
    ----------
    w, start_w : arrays of shape (n_parameters,)
        Where the run stands, and where it began.
    rows : list of tuple
        A row for each evaluated epoch: epoch, loss, gradient norm, learning rate, seconds and, with validation data,
        their loss.
    separation : str
        Whether classes without a penalty are separable: "all", "some" or "".
    """

    objective: Any
    optimizer: Optimizer | QuasiNewton
    w: NDArray[Any]
    start_w: NDArray[Any]
    settings: RunSettings
    rows: list[tuple[float, ...]] = field(default_factory=list)
    separation: Separation = ""
