"""The record of a run: what it was asked for, and where it stood at each evaluated epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..analysis.separability import Separation
from ..optimizers.base import Optimizer
from ..quasi_newton.optimizer import QuasiNewton
from .stopping import Progress, StopRule

__all__ = ["Callback", "Record", "Row", "RunSettings"]

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


class Row(NamedTuple):
    """Where a run stood at an evaluated epoch; `Result.history` has a column for each."""

    epoch: int
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None


@dataclass
class Record:
    """What is known of a run while it goes on.

    Attributes
    ----------
    w, start_w : arrays of shape (n_parameters,)
        Where the run stands, and where it began.
    rows : list of Row
        One for each evaluated epoch.
    separation : str
        Whether classes without a penalty are separable: "all", "some" or "".
    """

    objective: Any
    optimizer: Optimizer | QuasiNewton
    w: NDArray[Any]
    start_w: NDArray[Any]
    settings: RunSettings
    rows: list[Row] = field(default_factory=list)
    separation: Separation = ""

    def history(self) -> dict[str, NDArray[Any]]:
        """Return the rows as columns by name, without validation losses where there are none."""
        names = Row._fields if self.settings.validation is not None else Row._fields[:-1]
        columns = np.array([row[: len(names)] for row in self.rows], dtype=np.float64).reshape(-1, len(names)).T
        found: dict[str, NDArray[Any]] = dict(zip(names, columns, strict=True))
        found["epoch"] = found["epoch"].astype(np.int64)
        return found
