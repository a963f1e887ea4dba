"""`st.Softmax` of implicitly standardised columns against that of standardised float64 copies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import steepest as st
from steepest import _core

SHIFTS = {np.float32: {"fused": 2.0, "blockwise": 300.0}, np.float64: {"fused": 2.0, "blockwise": 1e6}}
TOLERANCE = {np.float32: 4e-6, np.float64: 1e-12}
K, SIZES = 4, [(40, 5), (3001, 40)]
OPTIONS = [{}, {"intercept": False}, {"alpha": 0.3, "l1_ratio": 0.4}]


def pair(n, d, dtype, order, way, **options):
    """Return an objective of raw columns and its twin."""
    rng = np.random.default_rng(n)
    scale = 10.0 ** np.linspace(-2, 2, d)
    centre = SHIFTS[dtype][way] * scale * np.cos(np.arange(d))
    X = np.asarray(rng.standard_normal((n, d)) * scale + centre, dtype, order=order)
    y, s = rng.integers(0, K, n).astype(dtype), rng.uniform(0.2, 3.0, n).astype(dtype)
    ours = st.Softmax(X, y, sample_weight=s, n_classes=K, centre=centre, scale=scale, **options)
    Z = np.asarray((X.astype(float) - centre) / scale, order=order)
    return ours, st.Softmax(Z, y.astype(float), sample_weight=s.astype(float), n_classes=K, **options)


def drawn(objective, seed):
    shape = objective.parameters_shape
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(shape[1])).astype(objective.dtype)


def answers(objective, w, v):
    value, gradient = objective.value_and_gradient(w)
    return value, objective.value(w), gradient, objective.hessian_product(w, v), objective.hessian(w)


@lru_cache(maxsize=len(SIZES))
def expected_of(n, d, dtype, way, options):
    """The answers of standardised copies, which are the same for every level and order."""
    ours, theirs = pair(n, d, dtype, "C", way, **dict(options))
    return answers(theirs, drawn(ours, 1).astype(float), drawn(ours, 2).astype(float))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("way", ["fused", "blockwise"])
@pytest.mark.parametrize("dtype", list(SHIFTS))
def test_passes_follow_standardised_copies(isa, dtype, order, way, options):  # the first two vary fastest: expected_of
    for n, d in SIZES:
        ours, _ = pair(n, d, dtype, order, way, **options)
        expected = expected_of(n, d, dtype, way, tuple(options.items()))
        for got, wanted in zip(answers(ours, drawn(ours, 1), drawn(ours, 2)), expected, strict=True):
            tolerance = TOLERANCE[dtype] * max(1.0, float(np.abs(wanted).max()))
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("way", ["fused", "blockwise"])
def test_mini_batches_follow_standardised_copies(way, batch_size):
    runs = [
        st.minimize(
            each, None, st.GradientDescent(0.01), batch_size=batch_size, max_epochs=3, random_state=1, diagnose=False
        ).w
        for each in pair(40, 5, np.float64, "C", way, alpha=0.1)
    ]
    np.testing.assert_allclose(*runs, rtol=0, atol=1e-11)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_quasi_newton_finds_the_minimum_of_standardised_copies(l1_ratio):
    options = {"stop": st.stop.GradientNorm(1e-9), "max_epochs": 200}
    pairs = pair(300, 5, np.float64, "C", "fused", alpha=0.02, l1_ratio=l1_ratio)
    found = [st.minimize(each, **options) for each in pairs]
    assert found[0].stop_reason == found[1].stop_reason == "GradientNorm"
    for result in found:  # a number added to all intercepts changes nothing
        result.w[:, -1] -= result.w[:, -1].mean()
    np.testing.assert_allclose(found[0].w, found[1].w, rtol=0, atol=1e-6)


def test_loss_on_keeps_the_scaling():
    objective, _ = pair(40, 5, np.float64, "C", "fused")
    other = objective.loss_on(objective.X, objective.y, objective.sample_weight)
    w = drawn(objective, 1)
    assert other.value(w) == objective.value(w)


def test_one_of_centre_and_scale_is_refused():
    with pytest.raises(ValueError, match="scale must be given if centre is"):
        st.Softmax(np.eye(3), np.arange(3.0), centre=np.zeros(3))
