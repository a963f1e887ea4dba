"""Rows of weight 0 are absent, even where their scores, losses or standardised numbers overflow.

Every result must have the bits of the same rows with zeros in place of the absent ones, whose 0 * 0 adds nothing.
"""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import LOSSES
from steepest import reference
from steepest.objectives.rounding import rounding_of_gradient
from steepest.objectives.scaling import column_statistics
from steepest.quasi_newton.sample import column_squares
from storages import LARGEST, STORAGES, arithmetic, rounded

SIZES = [(300, 3), (41, 40), (1200, 17)]
CLASSES = 3
NAMES = ["least_squares", "logistic", "softmax"]
PRODUCTS = {"none": None, "fused": (2.0, 1.0), "blockwise": (400.0, 1.0), "wide": (1e7, 1.0), "tiny": (0.0, 1e-5)}


def pair(name, storage, n, d, order="C", way="none"):
    """Objectives over rows of which some are absent, with all that overflows in these, and with zeros there."""
    rng = np.random.default_rng(n)
    dtype = arithmetic(storage)
    X, weight = rng.standard_normal((n, d)), rng.uniform(0.5, 2.0, n).astype(dtype)
    y = rng.integers(0, CLASSES if name == "softmax" else 2, n).astype(dtype)
    absent = rng.random(n) < 0.3
    absent[:2], absent[2] = True, False
    weight[absent] = 0.0
    scaling = PRODUCTS[way]
    options = {"sample_weight": weight, **({"n_classes": CLASSES} if name == "softmax" else {})}
    if scaling:
        options["centre"], options["scale"] = np.full(d, scaling[0]), np.full(d, scaling[1])
    for filled in (True, False):
        Z, t = X.copy(), y.copy()
        Z[absent] = np.where(np.arange(d) % 3 == 1, -1.0, 1.0) * LARGEST[storage] if filled else 0.0
        if name == "least_squares":
            t[absent] = np.finfo(dtype).max / 2 if filled else 0.0
        stored = np.asarray(rounded(Z, storage)[0], order=order)
        kind = {"least_squares": st.LeastSquares, "logistic": st.Logistic, "softmax": st.Softmax}[name]
        yield kind(stored, t, **options)


def point(objective, seed=0):
    w = np.random.default_rng(seed).standard_normal(objective.parameters_shape)
    return (3 * w + np.copysign(1, w)).astype(objective.dtype)


@pytest.mark.parametrize("way", PRODUCTS)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_pass(isa, name, storage, order, way):
    for n, d in SIZES:
        objective, twin = pair(name, storage, n, d, order, way)
        w, v = point(objective), point(objective, 1)
        for one, other in zip(results(objective, w, v), results(twin, w, v), strict=True):
            assert np.isfinite(one).all()
            np.testing.assert_array_equal(one, other)


def results(objective, w, v):
    yield objective.value(w)
    yield from objective.value_and_gradient(w)
    yield objective.hessian_product(w, v)
    yield objective.hessian(w)
    yield from objective.native.value_gradient_and_hessian(w.ravel())


@pytest.mark.parametrize("way", ["none", "tiny"])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_estimated_of_the_rows(name, storage, way):
    """The rounding of a gradient, and the curvature of the columns."""
    objective, twin = pair(name, storage, 300, 3, way=way)
    assert rounding_of_gradient(objective) == rounding_of_gradient(twin) > 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        squares = column_squares(objective, 300, 0)
    assert np.isfinite(squares).all()
    np.testing.assert_array_equal(squares, column_squares(twin, 300, 0))


@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("way", ["none", "fused", "blockwise"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_step(name, storage, order, way, batch_size):
    runs = []
    for objective in pair(name, storage, 41, 40, order, way):
        w = 0.1 * point(objective)
        runs.append(st.minimize(objective, w, st.Adam(0.01), batch_size=batch_size, max_epochs=2, random_state=0,
                                diagnose=False))  # fmt: skip
    assert runs[0].stop_reason == runs[1].stop_reason != "diverged"
    np.testing.assert_array_equal(runs[0].w, runs[1].w)


@pytest.mark.parametrize("order", ["C", "F"])
def test_statistics_of_columns(order):
    X = np.asarray(np.random.default_rng(0).standard_normal((500, 3)), order=order)
    weight = np.ones(500)
    weight[::7] = 0.0
    expected = column_statistics(X, weight)
    X[::7], X[::14] = 1.7e308, -1.7e308
    for one, other in zip(column_statistics(X, weight), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_reference(loss):
    X, y, s = np.array([[1.0], [1.5e308], [2.0]]), np.array([0.0, 1.0, 1.0]), np.array([1.0, 0.0, 2.0])
    function, hessian = LOSSES[loss][1], getattr(reference, f"{loss}_hessian")
    w = np.array([3.0, 0.5])
    value, gradient = function(X, y, w, sample_weight=s)
    expected = function(X[::2], y[::2], w, sample_weight=s[::2])
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])
    np.testing.assert_array_equal(hessian(X, y, w, sample_weight=s), hessian(X[::2], y[::2], w, sample_weight=s[::2]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("optimizer", ["quasi-newton", "gradient-descent", "adam"])
def test_an_absent_row_that_is_not_finite_is_named(bad, optimizer, dtype):
    X = np.random.default_rng(0).standard_normal((40, 3)).astype(dtype)
    X[7, 1] = bad
    weight = np.ones(40, dtype)
    weight[[3, 7]] = 0.0
    objective = st.LeastSquares(X, X[:, 0].copy(), sample_weight=weight)
    assert np.isnan(objective.gradient(np.zeros(4, dtype))[1])
    options = {"adam": {"optimizer": st.Adam(0.1), "batch_size": 8}}.get(optimizer, {})
    if optimizer == "gradient-descent":
        options = {"optimizer": st.GradientDescent(0.01)}
    with pytest.raises(ValueError, match=rf"rows of weight 0 too, got {bad} in row 7 of column 1"):
        st.minimize(objective, **options)
    X[7, 1] = 0.0
    assert np.isfinite(st.minimize(objective, **options).value)
