"""Learning-rate schedules. Users import them from `steepest.schedules`; its docstring says what a schedule is."""

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
    """The base class of the schedules: a call takes one count of steps, or an array of counts.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> schedule = st.schedules.StepDecay(learning_rate=0.5, factor=0.5, every=10)
    >>> isinstance(schedule, st.schedules.Schedule)
    True
    >>> schedule(0), schedule(25)
    (0.5, 0.125)
    >>> schedule(np.array([0, 10, 20]))
    array([0.5  , 0.25 , 0.125])
    """

    @overload
    def __call__(self, step: float) -> float: ...

    @overload
    def __call__(self, step: NDArray[Any]) -> NDArray[np.float64]: ...

    def __call__(self, step: float | NDArray[Any]) -> float | NDArray[np.float64]:
        """Return the learning rate after ``step`` steps: a float, or a float64 array with the shape of ``step``."""
        steps = np.asarray(step, dtype=np.float64)
        rates = self._rates(steps)
        return rates if steps.ndim else float(rates)

    @abstractmethod
    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate at every step.

    Parameters
    ----------
    learning_rate : float
        The rate, above 0.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or lies outside its range. Every schedule raises these.

    Examples
    --------
    >>> import steepest as st
    >>> st.schedules.Constant(0.1)(1000)
    0.1
    """

    learning_rate: float

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0.0)

    def _rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(t.shape, self.learning_rate, dtype=np.float64)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Decay in steps: ``learning_rate * factor ** floor(t / every)``.

    Parameters
    ----------
    learning_rate : float
        The rate at t = 0, above 0.
    factor : float
        What the rate is multiplied by after every ``every`` steps, above 0 and at most 1.
    every : float
        Number of steps between two changes of the rate, above 0.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or lies outside its range.

    Examples
    --------
    >>> import steepest as st
    >>> schedule = st.schedules.StepDecay(0.5, factor=0.5, every=10)
    >>> schedule(9), schedule(10)
    (0.5, 0.25)
    """

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
    """Exponential decay: ``learning_rate * factor ** (t / every)``.

    Parameters
    ----------
    learning_rate : float
        The rate at t = 0, above 0.
    factor : float
        What the rate is multiplied by over ``every`` steps, above 0 and at most 1.
    every : float
        Number of steps over which ``factor`` is applied once, above 0.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or lies outside its range.

    Examples
    --------
    >>> import steepest as st
    >>> schedule = st.schedules.ExponentialDecay(0.5, factor=0.25, every=10)
    >>> schedule(5), schedule(10)
    (0.25, 0.125)
    """

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
    """Decay with the inverse of time: ``learning_rate / (1 + decay * t / every)``.

    Parameters
    ----------
    learning_rate : float
        The rate at t = 0, above 0.
    decay : float
        Speed of the decay, at least 0. With 1 the rate has halved after ``every`` steps.
    every : float
        Unit of time, in steps, above 0.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or lies outside its range.

    Notes
    -----
    Rates that fall like 1 / t: Robbins, Monro, "A Stochastic Approximation Method", The Annals of Mathematical
    Statistics 22, 1951.

    Examples
    --------
    >>> import steepest as st
    >>> schedule = st.schedules.InverseTimeDecay(0.5, decay=1.0, every=10)
    >>> schedule(10), schedule(30)
    (0.25, 0.125)
    """

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
    """Half a cosine wave, from ``learning_rate`` at t = 0 down to ``minimum`` at t = ``steps``.

    ::

        minimum + (learning_rate - minimum) (1 + cos(pi min(t / steps, 1))) / 2

    Parameters
    ----------
    learning_rate : float
        The rate at t = 0, above 0.
    steps : int
        Number of steps until the rate reaches ``minimum``, at least 1. It stays at ``minimum`` from there on.
    minimum : float
        The last rate, from 0 to ``learning_rate``.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or lies outside its range.

    Notes
    -----
    Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.

    Examples
    --------
    >>> import steepest as st
    >>> schedule = st.schedules.CosineDecay(0.5, steps=100)
    >>> [round(schedule(t), 3) for t in (0, 50, 100, 200)]
    [0.5, 0.25, 0.0, 0.0]
    """

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
    """A linear rise over ``steps`` steps, followed by another rate or schedule.

    While t < steps the rate is ``start + (target - start) * (t + 1) / steps``. The target is ``learning_rate``, or its
    first rate if it is a schedule. Afterwards ``learning_rate`` applies; a schedule is called with t - steps.

    Parameters
    ----------
    learning_rate : float or schedule
        The rate, above 0, or the schedule that follows the rise.
    steps : int
        Number of steps of the rise, at least 1.
    start : float
        The rate that the rise starts from, at least 0. The first step is already one part of ``steps`` beyond it.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or lies outside its range.

    Notes
    -----
    Goyal, Dollar, Girshick, Noordhuis, Wesolowski, Kyrola, Tulloch, Jia, He, "Accurate, Large Minibatch SGD: Training
    ImageNet in 1 Hour", arXiv 1706.02677, 2017.

    Examples
    --------
    >>> import steepest as st
    >>> schedule = st.schedules.LinearWarmup(st.schedules.StepDecay(0.5, 0.5, every=10), steps=4)
    >>> schedule(0), schedule(3), schedule(4), schedule(14)
    (0.125, 0.5, 0.5, 0.25)
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
    """Return a schedule: `Constant` for a number, a callable as it is.

    Parameters
    ----------
    learning_rate : float or callable
        A number above 0, or a callable of the number of steps taken.

    Raises
    ------
    TypeError
        The argument is neither a number nor a callable. "auto" is neither.
    ValueError
        The number is not positive and finite.

    Examples
    --------
    >>> import steepest as st
    >>> st.schedules.as_schedule(0.1)
    Constant(learning_rate=0.1)
    """
    if callable(learning_rate) and not isinstance(learning_rate, type):
        return learning_rate
    if isinstance(learning_rate, bool) or not isinstance(learning_rate, Real):
        expected = "a number above 0 or a schedule (a callable of the number of steps taken)"
        raise TypeError(f"learning_rate must be {expected}, got {describe(learning_rate)}")
    return Constant(check_number("learning_rate", learning_rate, above=0.0))


def rates_at(schedule: ScheduleLike, steps: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rates of a schedule at an array of step counts, as a float64 array with the same shape.

    Parameters
    ----------
    schedule : callable
        A schedule of this module is called once with the whole array. Any other callable is called once for each count,
        with an int or a float.
    steps : array of any shape
        Numbers of steps taken so far.

    Raises
    ------
    TypeError, ValueError
        A callable returned something other than a finite number of at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> st.schedules.rates_at(lambda t: 1 / (1 + t), np.array([0, 1, 3]))
    array([1.  , 0.5 , 0.25])
    """
    if isinstance(schedule, Schedule):
        return np.asarray(schedule(np.asarray(steps)), dtype=np.float64)
    rates = np.empty(np.shape(steps))
    for index, step in np.ndenumerate(steps):
        count = step.item()
        rates[index] = check_number(f"learning_rate at step {count}", schedule(count), least=0.0)
    return rates
