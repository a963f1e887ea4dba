"""The six schedules: values, arrays, identity and errors."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from steepest.optimizers import schedules
from steepest.optimizers.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    LinearWarmup,
    StepDecay,
    as_schedule,
    rates_at,
)

VALUES = [
    # a schedule, the steps taken, the rates of the next step
    (Constant(0.1), [0, 1, 10**6], [0.1, 0.1, 0.1]),
    (StepDecay(0.8, 0.5, 10), [0, 9, 10, 19, 20, 35], [0.8, 0.8, 0.4, 0.4, 0.2, 0.1]),
    (StepDecay(1.0), [999, 1000], [1.0, 0.5]),
    (ExponentialDecay(2.0, 0.5, 10), [0, 5, 10, 30], [2.0, math.sqrt(2.0), 1.0, 0.25]),
    (ExponentialDecay(1.0), [1000], [0.96]),
    (InverseTimeDecay(0.6, 2.0, 10), [0, 5, 10], [0.6, 0.3, 0.2]),
    (InverseTimeDecay(1.0), [1000, 3000], [0.5, 0.25]),
    (CosineDecay(1.0, 100), [0, 50, 100, 101, 10**6], [1.0, 0.5, 0.0, 0.0, 0.0]),
    (CosineDecay(1.0, 60, 0.2), [0, 20, 40, 60, 61], [1.0, 0.8, 0.4, 0.2, 0.2]),
    (LinearWarmup(0.4, 4), [0, 1, 2, 3, 4, 100], [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]),
    (LinearWarmup(0.5, 4, 0.1), [0, 1, 3, 4], [0.2, 0.3, 0.5, 0.5]),
    (LinearWarmup(StepDecay(0.4, 0.5, 10), 2), [0, 1, 2, 11, 12], [0.2, 0.4, 0.4, 0.4, 0.2]),
    (LinearWarmup(lambda t: 1.0 if t < 3 else math.exp(-1.0), 2), [0, 1, 4, 5], [0.5, 1.0, 1.0, math.exp(-1.0)]),
]
each = pytest.mark.parametrize(("schedule", "steps", "rates"), VALUES, ids=lambda v: type(v).__name__)


@each
def test_values_one_by_one_and_as_an_array(schedule, steps, rates):
    for step, rate in zip(steps, rates, strict=True):
        assert type(schedule(step)) is float
        assert schedule(step) == pytest.approx(rate, rel=1e-14, abs=1e-16)
        assert schedule(float(step)) == schedule(step)
    together = schedule(np.array(steps))
    assert together.dtype == np.float64
    assert together.shape == (len(steps),)
    np.testing.assert_array_equal(together, [schedule(step) for step in steps])
    assert schedule(np.zeros((2, 0))).shape == (2, 0)


@each
def test_immutable_and_equal_by_value(schedule, steps, rates):
    with pytest.raises(FrozenInstanceError):
        schedule.learning_rate = 1.0
    arguments = [getattr(schedule, field.name) for field in fields(schedule)]
    twin = type(schedule)(*arguments)
    assert twin == schedule
    assert hash(twin) == hash(schedule)
    assert schedule != type(schedule)(0.777, *arguments[1:])
    if not callable(schedule.learning_rate) or isinstance(schedule.learning_rate, StepDecay):
        assert eval(repr(schedule), vars(schedules)) == schedule
        assert pickle.loads(pickle.dumps(schedule)) == schedule


@each
def test_rates_never_negative(schedule, steps, rates):
    assert (schedule(np.arange(0, 5000, 7)) >= 0).all()


ERRORS = [
    (lambda: Constant(0.0), ValueError, "learning_rate must be a finite number above 0, got 0.0"),
    (lambda: Constant("fast"), TypeError, r"learning_rate must be .*, got 'fast' \(str\)"),
    (lambda: Constant(True), TypeError, r"learning_rate must be .*, got True \(bool\)"),
    (lambda: StepDecay(-1), ValueError, "learning_rate must be a finite number above 0, got -1"),
    (lambda: StepDecay(0.1, 1.5), ValueError, "factor must be a finite number above 0 and at most 1, got 1.5"),
    (lambda: StepDecay(0.1, 0.5, 0), ValueError, "every must be a finite number above 0, got 0"),
    (lambda: StepDecay(0.1, 0.5, None), TypeError, r"every must be a finite number above 0, got None \(NoneType\)"),
    (lambda: ExponentialDecay(math.nan), ValueError, "learning_rate must be a finite number above 0, got nan"),
    (lambda: ExponentialDecay(0.1, 0.0), ValueError, "factor must be .*, got 0.0"),
    (lambda: ExponentialDecay(0.1, 0.5, math.inf), ValueError, "every must be .*, got inf"),
    (lambda: InverseTimeDecay(math.inf), ValueError, "learning_rate must be .*, got inf"),
    (lambda: InverseTimeDecay(0.1, -1.0), ValueError, "decay must be a finite number of at least 0, got -1.0"),
    (lambda: CosineDecay(0.1, 0), ValueError, "steps must be an integer of at least 1, got 0"),
    (lambda: CosineDecay(0.1, 10.0), TypeError, r"steps must be an integer of at least 1, got 10.0 \(float\)"),
    (
        lambda: CosineDecay(0.1, 10, 0.2),
        ValueError,
        "minimum must be a finite number of at least 0 and at most 0.1, got 0.2",
    ),
    (lambda: LinearWarmup(0.0, 10), ValueError, "learning_rate must be a finite number above 0, got 0.0"),
    (lambda: LinearWarmup("auto", 10), TypeError, "learning_rate must be .*, got 'auto'"),
    (lambda: LinearWarmup(0.1, True), TypeError, r"steps must be .*, got True \(bool\)"),
    (lambda: LinearWarmup(0.1, 10, -0.1), ValueError, "start must be a finite number of at least 0, got -0.1"),
]


@pytest.mark.parametrize(("make", "error", "message"), ERRORS)
def test_errors_name_argument_expected_and_came(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_as_schedule():
    assert as_schedule(0.1) == Constant(0.1)
    assert as_schedule(1) == Constant(1.0)
    assert as_schedule(np.float32(0.5)) == Constant(0.5)
    decay = StepDecay(0.1)
    assert as_schedule(decay) is decay
    assert as_schedule(math.sqrt) is math.sqrt


@pytest.mark.parametrize("rate", [0, 0.0, -0.1, math.nan, math.inf])
def test_as_schedule_refuses_numbers_out_of_range(rate):
    with pytest.raises(ValueError, match="learning_rate must be a finite number above 0, got"):
        as_schedule(rate)


@pytest.mark.parametrize("rate", ["auto", None, True, [0.1], StepDecay, 1j])
def test_as_schedule_refuses_other_types(rate):
    with pytest.raises(TypeError, match=r"learning_rate must be a number above 0 or a schedule .*, got"):
        as_schedule(rate)


def test_rates_at_asks_a_plain_callable_once_a_step():
    asked = []

    def schedule(t):
        asked.append(t)
        return 1 / (1 + t)

    np.testing.assert_array_equal(rates_at(schedule, np.arange(3)), [1.0, 1 / 2, 1 / 3])
    assert asked == [0, 1, 2]
    assert all(type(step) is int for step in asked)
    np.testing.assert_array_equal(rates_at(StepDecay(1.0, 0.5, 1), np.arange(3)), [1.0, 0.5, 0.25])


@pytest.mark.parametrize(("rate", "error"), [(-1.0, ValueError), (math.nan, ValueError), (None, TypeError)])
def test_rates_at_checks_what_a_plain_callable_returns(rate, error):
    with pytest.raises(error, match="learning_rate at step 4 must be a finite number of at least 0, got"):
        rates_at(lambda t: rate, np.array([4, 5]))
