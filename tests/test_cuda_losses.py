"""Losses and slopes of float32 on a device, row by row: within the error that docs/gpu.md states."""

from __future__ import annotations

import numpy as np
import pytest

from cases import LOSSES
from test_cuda_gradient import evaluate

ERROR = 2.0**-20
ROUNDING = 2.0**-24
SCORES = {"logistic": 85.0, "poisson": 60.0}


def scores_of(loss, n):
    """Scores of all sizes up to where the loss is neither infinite nor a denormal number, and their targets."""
    most = SCORES.get(loss, 1e4)
    sizes = np.concatenate([np.geomspace(1e-6, most, n // 4), np.linspace(0.01, most, n // 4)])
    z = np.concatenate([sizes, -sizes]).astype(np.float32)
    y = LOSSES[loss].targets(np.random.default_rng(0).standard_normal(z.size)).astype(np.float32)
    return z, y


def exact(loss, z, y):
    """The loss and its slope in float64; of the logistic loss, by a form in which nothing cancels."""
    z, y = np.asarray(z, float), np.asarray(y, float)
    if loss != "logistic":
        return LOSSES[loss].formula.value(z, y), LOSSES[loss].formula.slope(z, y)
    sign = 1 - 2 * y
    return np.logaddexp(0.0, sign * z), sign / (1 + np.exp(-sign * z))


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "split"])
@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_keep_their_digits(memory, loss, tiling):
    z, y = scores_of(loss, 256)
    w = np.ones(z.size, np.float32)
    _, gradient, _ = evaluate(
        memory, loss, "float32", (np.diag(z), None, y, None, w), intercept=False, tiling=tiling
    )  # row i has the score z[i]: component i is its slope times z[i]
    expected = exact(loss, z, y)[1] * z / z.size
    cancelled = np.abs(y) / z.size * np.abs(z) if loss == "poisson" else 0.0  # the slope is a difference there
    error = np.abs(gradient - expected)
    assert np.all(error <= (ERROR + 3 * ROUNDING) * (np.abs(expected) + cancelled) + 1e-37)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_keep_their_digits(memory, loss):
    z, y = scores_of(loss, 64)
    for score, target in zip(z, y, strict=True):
        data = np.array([[score]]), None, np.array([target]), None, np.ones(1, np.float32)
        value, _, _ = evaluate(memory, loss, "float32", data, intercept=False)
        expected = exact(loss, score, target)[0]
        size = abs(expected) + (2 * abs(float(target) * float(score)) if loss == "poisson" else 0.0)
        assert abs(value - expected) <= (ERROR + ROUNDING) * size + 1e-37, (score, target)


def test_a_loss_beyond_the_largest_number_shows(memory):
    data = np.array([[200.0]], np.float32), None, np.zeros(1, np.float32), None, np.ones(1, np.float32)
    assert evaluate(memory, "poisson", "float32", data, intercept=False)[0] == np.inf
    data = np.array([[np.nan]], np.float32), None, np.zeros(1, np.float32), None, np.ones(1, np.float32)
    for loss in LOSSES:
        assert np.isnan(evaluate(memory, loss, "float32", data, intercept=False)[0])
