"""The four stopping rules, called by hand with the progress of imaginary runs."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from steepest.descent.stopping import GradientNorm, LossChange, NoImprovement, ParameterChange, Progress


def progress(**fields):
    """The progress of some epoch, with the given fields."""
    common = {"epoch": 1, "n_steps": 1, "w": np.zeros(2), "loss": 1.0, "gradient_norm": 1.0, "learning_rate": 0.1}
    return Progress(**{**common, "seconds": 0.0, **fields})


def answers(rule, field, values):
    """What a fresh run of the rule answers to the values of one field, epoch by epoch."""
    rule.reset()
    return [rule(progress(epoch=epoch, **{field: value})) for epoch, value in enumerate(values)]


CASES = [
    # a rule, the field it reads, its values from the start on, and whether the rule fires there
    (GradientNorm(0.1), "gradient_norm", [1.0, 0.11, 0.1, 0.0], [False, False, True, True]),
    (GradientNorm(0.0), "gradient_norm", [1e-300, 0.0], [False, True]),
    (GradientNorm(0.1), "gradient_norm", [math.nan, math.inf], [False, False]),
    (LossChange(0.5), "loss", [3.0, 2.0, 1.5, 1.25, 3.0], [False, False, True, True, False]),
    (LossChange(0.5), "loss", [1.0, 1.5, 0.5], [False, True, False]),
    (LossChange(0.0), "loss", [2.0, 2.0], [False, True]),
    (LossChange(0.5), "loss", [math.nan, 1.0, 1.0], [False, False, True]),
    (ParameterChange(0.1), "parameter_change", [None, 1.0, 0.1, 0.2], [False, False, True, False]),
    (NoImprovement(1), "validation_loss", [1.0, 0.9, 0.9, 0.8], [False, False, True, False]),
    (NoImprovement(2), "validation_loss", [1.0, 1.1, 0.9, 1.0, 0.9, 0.8], [False, False, False, False, True, False]),
    (NoImprovement(2), "validation_loss", [1.0, math.nan, 2.0], [False, False, True]),
    (NoImprovement(1, 0.5), "validation_loss", [2.0, 1.25, 1.0, 0.5], [False, False, True, False]),
    (NoImprovement(2, 0.25), "validation_loss", [2.0, 1.875, 1.625, 1.5, 1.5], [False, False, False, False, True]),
]


@pytest.mark.parametrize(("rule", "field", "values", "expected"), CASES)
def test_when_a_rule_fires(rule, field, values, expected):
    fired = answers(rule, field, values)
    assert fired == expected
    assert all(type(answer) is bool for answer in fired)
    assert answers(rule, field, values) == expected, "reset must forget the first run"


def test_no_improvement_needs_a_validation_loss():
    with pytest.raises(ValueError, match="NoImprovement needs a validation loss: expected validation data, got none"):
        NoImprovement(3)(progress())


def test_progress_is_read_only():
    with pytest.raises(FrozenInstanceError):
        progress().loss = 0.0


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (GradientNorm(1e-3), "GradientNorm(tol=0.001)"),
        (LossChange(tol=0.5), "LossChange(tol=0.5)"),
        (ParameterChange(1), "ParameterChange(tol=1)"),
        (NoImprovement(5), "NoImprovement(patience=5, min_delta=0.0)"),
    ],
)
def test_repr_and_equality_are_those_of_the_arguments(rule, text):
    assert repr(rule) == text
    assert eval(text) == rule
    rule(progress(validation_loss=1.0))
    assert eval(text) == rule
    assert repr(rule) == text


ERRORS = [
    *(
        (lambda rule=rule, tol=tol: rule(tol), error, f"tol must be a finite number of at least 0, got {tol!r}")
        for rule in (GradientNorm, LossChange, ParameterChange)
        for tol, error in [(-1e-9, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("1", TypeError)]
    ),
    (lambda: NoImprovement(0), ValueError, "patience must be an integer of at least 1, got 0"),
    (lambda: NoImprovement(2.0), TypeError, r"patience must be an integer of at least 1, got 2.0 \(float\)"),
    (lambda: NoImprovement(True), TypeError, r"patience must be an integer of at least 1, got True \(bool\)"),
    (lambda: NoImprovement(1, -0.1), ValueError, "min_delta must be a finite number of at least 0, got -0.1"),
]


@pytest.mark.parametrize(("make", "error", "message"), ERRORS)
def test_errors_name_argument_expected_and_came(make, error, message):
    with pytest.raises(error, match=message):
        make()
