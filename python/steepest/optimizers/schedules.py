"""Learning-rate schedules; users import them from `steepest.schedules`, whose docstring describes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_count, check_number, describe

ScheduleLike: TypeAlias = Callable[[Any], Any]

__all__ = [
    "Constant",
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearWarmup",
    "Schedule",
    "StepDecay",
    "as_schedule",
    "rates_at",
]


class Schedule(ABC):
    """What the schedules of this module share: calling with one count or with an array of them."""

    @overload
    def __call__(self, step: float) -> float: ...

    @overload
    def __call__(self, step: NDArray[Any]) -> NDArray[np.float64]: ...

    def __call__(self, step: float | NDArray[Any]) -> float | NDArray[np.float64]:
        """Return the learning rate after ``step`` steps: a float, or a float64 array of the shape of ``step``."""
        steps = np.asarray(step, dtype=np.float64)
        rates = self._rates(steps)
        return rates if steps.ndim else float(rates)

    @abstractmethod
    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate at every step.

    Raises
    ------
    TypeError, ValueError
        Here and in every schedule: an argument of the wrong type, or outside the range its schedule names.
    """

    learning_rate: float

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0.0)

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(t.shape, self.learning_rate, dtype=np.float64)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """``learning_rate * factor ** floor(t / every)``, with factor in (0, 1] and every > 0 steps."""

    learning_rate: float
    factor: float = 0.5
    every: float = 1000

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0.0)
        check_number("factor", self.factor, above=0.0, most=1.0)
        check_number("every", self.every, above=0.0)

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.learning_rate * self.factor ** np.floor(t / self.every), dtype=np.float64)


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """``learning_rate * factor ** (t / every)``, with factor in (0, 1] and every > 0 steps."""

    learning_rate: float
    factor: float = 0.96
    every: float = 1000

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0.0)
        check_number("factor", self.factor, above=0.0, most=1.0)
        check_number("every", self.every, above=0.0)

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.learning_rate * self.factor ** (t / self.every), dtype=np.float64)


@dataclass(frozen=True)
class InverseTimeDecay(Schedule):
    """``learning_rate / (1 + decay * t / every)``, with decay >= 0 and every > 0 steps."""

    learning_rate: float
    decay: float = 1.0
    every: float = 1000

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0.0)
        check_number("decay", self.decay, least=0.0)
        check_number("every", self.every, above=0.0)

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.learning_rate / (1 + self.decay * t / self.every), dtype=np.float64)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a cosine from ``learning_rate`` at t = 0 down to ``minimum`` at t = ``steps``, where it stays."""

    learning_rate: float
    steps: int
    minimum: float = 0.0

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0.0)
        check_count("steps", self.steps, 1)
        check_number("minimum", self.minimum, least=0.0, most=self.learning_rate)

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        falling = (1 + np.cos(np.pi * np.minimum(t / self.steps, 1.0))) / 2
        return np.asarray(self.minimum + (self.learning_rate - self.minimum) * falling, dtype=np.float64)


@dataclass(frozen=True)
class LinearWarmup(Schedule):
    """A straight rise over ``steps`` steps, then the rate or schedule it leads to.

    For t < steps: ``start + (target - start) * (t + 1) / steps``, where target is ``learning_rate`` or, if that is a
    schedule, its rate at 0; afterwards ``learning_rate`` itself, a schedule counting from the end of the rise.
    """

    learning_rate: float | ScheduleLike
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)
        check_count("steps", self.steps, 1)
        check_number("start", self.start, least=0.0)

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        inner = as_schedule(self.learning_rate)
        target = rates_at(inner, np.zeros(()))
        rising = self.start + (target - self.start) * (t + 1) / self.steps
        return np.where(t < self.steps, rising, rates_at(inner, np.maximum(t - self.steps, 0.0)))


def as_schedule(learning_rate: object) -> ScheduleLike:
    """Turn a positive number into `Constant` and hand a callable through.

    Raises
    ------
    TypeError
        For anything else, the name "auto" included.
    ValueError
        For a number that is not positive and finite.
    """
    if callable(learning_rate) and not isinstance(learning_rate, type):
        return learning_rate
    if isinstance(learning_rate, bool) or not isinstance(learning_rate, Real):
        expected = "a number above 0 or a schedule (a callable of the number of steps taken)"
        raise TypeError(f"learning_rate must be {expected}, got {describe(learning_rate)}")
    return Constant(check_number("learning_rate", learning_rate, above=0.0))


def rates_at(schedule: ScheduleLike, steps: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rates of a schedule at an array of step counts, as a float64 array of its shape.

    A schedule of this module is called once, any other callable once for each count, with an int or float.

    Raises
    ------
    TypeError, ValueError
        If a callable returns anything but a finite number of at least 0.
    """
    if isinstance(schedule, Schedule):
        return np.asarray(schedule(np.asarray(steps)), dtype=np.float64)
    rates = np.empty(np.shape(steps))
    for index, step in np.ndenumerate(steps):
        count = step.item()
        rates[index] = check_number(f"learning_rate at step {count}", schedule(count), least=0.0)
    return rates
