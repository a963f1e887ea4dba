"""The record of a run: its settings, and a row for each evaluated epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
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
    """The checked settings of a run. Most are arguments of `minimize`.

    Attributes
    ----------
    batch_size : int
        Rows of a step, 0 for all.
    steps_per_epoch : int
        Number of steps that make an epoch.
    constrained : bool
        Whether the run has a constraint.
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

    def shared(self) -> dict[str, Any]:
        """Return all that members of a team must have alike, by name. Their callbacks may be their own."""
        alike = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "callbacks"}
        return alike | {"validation": self.validation is not None}


class Row(NamedTuple):
    """The state of a run at an evaluated epoch. `Result.history` has a column for each field."""

    epoch: int
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None


@dataclass
class Record:
    """The facts about a run while it goes on.

    Attributes
    ----------
    w, start_w : arrays of shape (n_parameters,)
        The current parameters, and those of the start.
    rows : list of Row
        One row for each evaluated epoch.
    separation : str
        Why there is no minimum, as `separation` names it; "" if there is one or nothing tells.
    """

    objective: Any
    optimizer: Optimizer | QuasiNewton
    w: NDArray[Any]
    start_w: NDArray[Any]
    settings: RunSettings
    rows: list[Row] = field(default_factory=list)
    separation: Separation = ""

    def history(self) -> dict[str, NDArray[Any]]:
        """Return the columns of the rows by name, without "validation_loss" if there are no validation data."""
        names = Row._fields if self.settings.validation is not None else Row._fields[:-1]
        columns = np.array([row[: len(names)] for row in self.rows], dtype=np.float64).reshape(-1, len(names)).T
        found: dict[str, NDArray[Any]] = dict(zip(names, columns, strict=True))
        found["epoch"] = found["epoch"].astype(np.int64)
        return found
