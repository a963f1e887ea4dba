"""What a caller may give as one run or as several."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Run(Protocol):
    """What is read of a Result: its history, and `best_epoch` where it has one."""

    @property
    def history(self) -> Mapping[str, Array]:
        """Arrays by name: "epoch", "loss" and, where asked, "seconds" and "validation_loss"."""


class Runs(Protocol):
    """What is read of a GridSearch: a Result for each learning rate."""

    @property
    def learning_rates(self) -> Any:
        """The rates, in the order of the results."""

    @property
    def results(self) -> Any:
        """The results."""


def is_search(value: Any) -> bool:
    """Return whether it is a GridSearch, or looks like one."""
    return hasattr(value, "learning_rates") and hasattr(value, "results")


def labelled(value: Any) -> dict[Any, Any]:
    """Return runs by their label: of a mapping, of a GridSearch by rate, of a list by number, a single one under ""."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return {f"run {i}": run for i, run in enumerate(value, 1)}
    if is_search(value):
        return dict(zip(map(_label, value.learning_rates), value.results, strict=True))
    return {"": value}


def _label(rate: Any) -> float | str:
    """Return a rate as a number, or by its name where it is a schedule or "auto"."""
    return float(rate) if isinstance(rate, Real) else str(rate)


def text_of(label: Any) -> str:
    """Return what a legend says: a rate is written as short as may be."""
    return f"{label:g}" if isinstance(label, float | np.floating) else str(label)


def check_history(name: str, run: Any, columns: tuple[str, ...]) -> None:
    """Check that a run has these columns."""
    if not hasattr(run, "history"):
        raise TypeError(f"{name}: expected something with a history, got {type(run).__name__}")
    for column in columns:
        if column not in run.history:
            raise ValueError(f"history: expected '{column}' in it, got {sorted(run.history)}")


def finite(values: Any) -> Array:
    """Return the values as floats with nan for all that cannot be drawn."""
    values = np.asarray(values, dtype=float)
    return np.where(np.isfinite(values), values, np.nan)
