"""Columns far from zero without an intercept are nearly multiples of each other: fits solve them, or say that not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import steepest as st
from steepest.analysis.certain_fall import CertainFall
from test_estimators_ends import data

RESOLVED = 1e-14  # share of the largest singular value; two equal columns have less, columns at 1e12 have 5e-13
WEAK = 2e-3  # of the loss: coefficients near 1 of float32 change the scores of columns at 1e6 by some 0.03
BY_CHANCE = 0.036  # of the loss, at 1000 rows: directions within four units in the last place may explain that much


def far(offset, dtype, twins, n=1000):
    """Return columns at an offset, two of them the same once they are rounded if asked for, targets and classes."""
    X, t, y = data(n)
    if twins:
        X[:, 1] = X[:, 0]
    return (X + offset).astype(dtype), t.astype(dtype), y


def least_squares(X, t, weight=None):
    """Return the least mean squared error: that of the stored numbers projected on the columns, in float64."""
    root = np.ones(len(t)) if weight is None else np.sqrt(weight)
    A, b = X.astype(np.float64) * root[:, None], t * root
    w = np.linalg.lstsq(A, b, rcond=RESOLVED)[0]
    return np.sum((A @ w - b) ** 2) / np.sum(root**2)


def least_of_classes(X, y):
    """Return the least logistic loss, by Newton steps in coordinates that are orthonormal."""
    U, values, _ = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    U = U[:, values > RESOLVED * values[0]]
    z = np.zeros(U.shape[1])
    for _ in range(30):
        share = 1 / (1 + np.exp(-U @ z))
        z -= np.linalg.solve((U * (share * (1 - share))[:, None]).T @ U, U.T @ (share - y))
    return logistic(U, z, y)


def logistic(X, w, y):
    return np.logaddexp(0, (1 - 2 * y) * (X.astype(np.float64) @ np.ravel(w).astype(np.float64))).mean()


def squares(X, w, t, weight=None):
    return np.average((X.astype(np.float64) @ w.astype(np.float64) - t) ** 2, weights=weight)


def told(call):
    """Return what a call returns, and whether it warned."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call()
    return result, bool(found)


CASES = [(offset, dtype, twins) for offset, dtype in ((1e6, np.float32), (1e12, np.float64)) for twins in (True, False)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("offset", "dtype", "twins"), CASES)
def test_little_least_squares_are_solved(offset, dtype, twins, weighted):
    X, t, _ = far(offset, dtype, twins)
    weight = np.random.default_rng(1).integers(0, 3, len(t)).astype(dtype) if weighted else None
    least = least_squares(X, t, weight)
    model, _ = told(lambda: st.LinearRegressor(fit_intercept=False).fit(X, t, sample_weight=weight))
    assert squares(X, model.coef_, t, weight) < (1 + WEAK) * least
    assert not twins or model.coef_[0] == pytest.approx(model.coef_[1], rel=1e-5)
    loss = st.LeastSquares(X, t, sample_weight=weight, intercept=False)
    result, warned = told(lambda: st.minimize(loss))  # whose arithmetic is float32 where X is
    assert warned or squares(X, result.w, t, weight) < (1 + WEAK) * least


@pytest.mark.parametrize("offset", [1e3, 1e4, 1e5, 1e6, 5e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("twins", [True, False])
@pytest.mark.parametrize("n", [1000, 20_000])
def test_no_fit_ends_above_the_minimum_in_silence(offset, dtype, twins, n):
    X, t, y = far(offset if dtype == np.float32 else offset**2, dtype, twins, n)
    label = y.astype(dtype)
    least, least_loss = least_squares(X, t), least_of_classes(X, y)
    fits = [
        (squares, t, least, lambda: st.LinearRegressor(fit_intercept=False).fit(X, t).coef_),
        (squares, t, least, lambda: st.minimize(st.LeastSquares(X, t, intercept=False))),
        (logistic, y, least_loss, lambda: st.LogisticClassifier(alpha=0, fit_intercept=False).fit(X, y).coef_),
        (logistic, y, least_loss, lambda: st.LogisticClassifier(fit_intercept=False).fit(X, y).coef_),
        (logistic, y, least_loss, lambda: st.minimize(st.Logistic(X, label, intercept=False))),
    ]
    for loss, target, lowest, fit in fits:
        found, warned = told(fit)
        w = getattr(found, "w", found)
        most = WEAK if offset < 2e6 else BY_CHANCE
        assert warned or not getattr(found, "converged", True) or loss(X, w, target) < (1 + most) * lowest


def minimum(objective):
    """Return the minimum of a smooth objective in float64, by shares of Newton steps along its own Hessian."""
    w = np.zeros(objective.n_parameters)
    for _ in range(50):
        values, vectors = np.linalg.eigh(objective.hessian(w))
        kept = values > 1e-14 * values[-1]
        step = vectors[:, kept] @ ((vectors[:, kept].T @ objective.gradient(w)) / values[kept])
        w = min((w - 0.5**halvings * step for halvings in range(8)), key=objective.value)
    return w


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("rare", [False, True])
@pytest.mark.parametrize("loss", [st.Logistic, st.Softmax, st.Huber])
def test_what_is_left_to_fall_is_noticed_from_a_thousandth(loss, rare, alpha):
    """Rare classes, and far rows of Huber's loss, curve a tenth as much as the bound of the curvature says."""
    X, t, _ = far(100.0, np.float64, False, 2000)
    y = np.digitize(t, [1.8, 2.3] if rare else [-0.5, 0.5])
    y = {st.Logistic: np.minimum(y, 1), st.Softmax: y, st.Huber: t}[loss].astype(float)
    options = {"delta": 0.05 if rare else 0.5} if loss is st.Huber else {}
    objective = loss(X, y, intercept=False, alpha=alpha, **options)
    w = minimum(objective)
    least, rule = objective.value(w), CertainFall.of(objective)
    away = np.random.default_rng(0).standard_normal(len(w))
    away.reshape(-1, 5)[:] -= away.reshape(-1, 5).mean(axis=1, keepdims=True)  # along the columns' differences
    for excess, noticed in ((2e-3, True), (5e-4, False)):
        low, high = 0.0, 100.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if objective.value(w + middle * away) < (1 + excess) * least else (low, middle)
        there = w + low * away
        assert rule.is_noticeable(there, objective.value(there)) == noticed


@pytest.mark.parametrize("optimizer", ["momentum", "gradient-descent", "nesterov"])
def test_other_optimizers_do_not_take_the_gradient_at_zeros_for_the_measure(optimizer):
    X, t, y = far(1e4, np.float32, False)
    for fit in (
        lambda: st.LinearRegressor(optimizer, fit_intercept=False).fit(X, t),
        lambda: st.LogisticClassifier(optimizer, alpha=0, fit_intercept=False).fit(X, y),
    ):
        _, warned = told(fit)
        assert warned


@pytest.mark.parametrize(("offset", "dtype"), [(1e6, np.float32), (1e12, np.float64)])
def test_huber_says_that_it_did_not_reach_the_minimum(offset, dtype):
    """With a delta beyond all errors the loss is that of least squares, and so is its minimum."""
    X, t, _ = far(offset, dtype, False)
    objective = st.Huber(X, t, delta=100.0, intercept=False)
    result, warned = told(lambda: st.minimize(objective))
    assert warned or not result.converged or squares(X, result.w, t) < (1 + WEAK) * least_squares(X, t)


def test_softmax_says_that_it_did_not_reach_the_minimum():
    X, t, _ = far(1e12, np.float64, False)
    y = np.digitize(t, [-1.0, 1.0])
    (_, of_model), (result, of_run) = (
        told(lambda: st.LogisticClassifier(alpha=0, fit_intercept=False).fit(X, y)),
        told(lambda: st.minimize(st.Softmax(X, y.astype(np.float64), intercept=False))),
    )
    assert of_model
    assert of_run
    assert result.stop_reason == "rounding"


@pytest.mark.parametrize("offset", [1e3, 1e6])
@pytest.mark.parametrize("twins", [True, False])
def test_a_start_that_is_the_minimum_is_no_rounding(offset, twins):
    # Residuals are orthogonal to the columns. In float64 columns at 1e6 leave these many digits.
    X, t, _ = far(offset, np.float64, twins)
    U, values, _ = np.linalg.svd(X, full_matrices=False)
    U = U[:, values > RESOLVED * values[0]]
    rest = t - U @ (U.T @ t)
    rest -= U @ (U.T @ rest)
    (model, of_model), (result, of_run) = (
        told(lambda: st.LinearRegressor(fit_intercept=False).fit(X, rest)),
        told(lambda: st.minimize(st.LeastSquares(X, rest, intercept=False))),
    )
    assert not of_model
    assert not of_run
    assert squares(X, model.coef_, rest) < (1 + 1e-9) * np.mean(rest**2)
    assert squares(X, result.w, rest) < (1 + 1e-9) * np.mean(rest**2)


@pytest.mark.parametrize("offset", [1e3, 1e6])
@pytest.mark.parametrize("twins", [True, False])
def test_targets_without_noise_are_no_rounding(offset, twins):
    # At 1e6, scores of float64 have ten digits, of which two are before the point.
    X, _, _ = far(offset, np.float64, twins)
    t = X @ np.array([1.0, -2.0, 1.0, 0.5, -0.5])
    (model, of_model), (result, of_run) = (
        told(lambda: st.LinearRegressor(fit_intercept=False).fit(X, t)),
        told(lambda: st.minimize(st.LeastSquares(X, t, intercept=False))),
    )
    assert not of_model
    assert not of_run
    assert squares(X, model.coef_, t) < 1e-12
    assert squares(X, result.w, t) < 1e-12


def test_separable_classes_are_named():
    X, _, _ = far(1e3, np.float64, False)
    y = (X[:, 0] > X[:, 1]).astype(int)
    model, warned = told(lambda: st.LogisticClassifier(alpha=0, fit_intercept=False).fit(X, y))
    assert warned
    assert model.stop_reason_ == "separable"
