"""The forms in which a caller may give one run or several."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Run(Protocol):
    """The part of a Result that plots read: its history, and `best_epoch` if it has one."""

    @property
    def history(self) -> Mapping[str, Array]:
        """Arrays by name: "epoch", "loss" and, if recorded, "seconds" and "validation_loss"."""


class Runs(Protocol):
    """The part of a GridSearch that plots read: a Result for each learning rate."""

    @property
    def learning_rates(self) -> Any:
        """The learning rates, in the order of the results."""

    @property
    def results(self) -> Any:
        """The results, in the order of the rates."""


def is_search(value: Any) -> bool:
    """Return whether a value is a GridSearch, or has its attributes."""
    return hasattr(value, "learning_rates") and hasattr(value, "results")


def labelled(value: Any) -> dict[Any, Any]:
    """Return runs by label. Labels are the keys of a mapping, the rates of a GridSearch, or numbers for a list.

    A single run has the label "".
    """
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return {f"run {i}": run for i, run in enumerate(value, 1)}
    if is_search(value):
        return dict(zip(map(_label, value.learning_rates), value.results, strict=True))
    return {"": value}


def _label(rate: Any) -> float | str:
    """Return a rate as a number, or as a text if it is a schedule or "auto"."""
    return float(rate) if isinstance(rate, Real) else str(rate)


def text_of(label: Any) -> str:
    """Return the text of a label in a legend; a rate is written in its shortest form."""
    return f"{label:g}" if isinstance(label, float | np.floating) else str(label)


def check_history(name: str, run: Any, columns: tuple[str, ...]) -> None:
    """Check that a run has these columns."""
    if not hasattr(run, "history"):
        raise TypeError(f"{name} must be something with a history, got {type(run).__name__}")
    for column in columns:
        if column not in run.history:
            raise ValueError(f"{name} must have '{column}' in its history, got {sorted(run.history)}")


def finite(values: Any) -> Array:
    """Return the values as floats, with nan for each that is not finite."""
    values = np.asarray(values, dtype=float)
    return np.where(np.isfinite(values), values, np.nan)
