"""A fit that says that it has converged has, and one that has says so: targets and columns far from zero, huge and tiny
units, weak L1 penalties, optimizers whose rates are absolute, and starts that are the minimum."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import steepest as st

DESCENTS = ["auto", "momentum", "nesterov", "gradient-descent"]


def rows(n=1000, d=3, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d))
    z = X @ np.array([1.0, -1.0, 0.5])[:d]
    return X, z + random.standard_normal(n), (z + random.logistic(size=n) > 0).astype(float)


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# A target far from zero


@pytest.mark.parametrize("optimizer", [*DESCENTS, "adam", "rmsprop"])
def test_a_target_far_from_zero(optimizer):
    # The slope of 5 (-1)^i + 2 i over i = 0 ... 9: 2 - 5 * sum (i - 4.5) (-1)^(i + 1) / sum (i - 4.5)^2 = 2 - 5 / 82.5
    x = np.arange(10.0, dtype=np.float32)[:, None]
    y = (1e5 + 2 * x[:, 0] + [5, -5] * 5).astype(np.float32)
    model = st.LinearRegressor(optimizer=optimizer).fit(x, y)
    np.testing.assert_allclose(model.coef_, 2 - 5 / 16.5, rtol=1e-5)
    np.testing.assert_allclose(model.predict(x).mean(), y.mean(dtype=float), rtol=1e-7)


@pytest.mark.parametrize("repeats", [1, 400])
@pytest.mark.parametrize("optimizer", DESCENTS)
def test_a_shift_of_the_target_changes_no_coefficient(optimizer, repeats):
    X, t, _ = rows(200)
    X, t = np.tile(X, (repeats, 1)).astype(np.float32), np.tile(t, repeats)
    near = st.LinearRegressor(optimizer=optimizer).fit(X, t.astype(np.float32))
    far = st.LinearRegressor(optimizer=optimizer).fit(X, (t + 1e5).astype(np.float32))
    np.testing.assert_allclose(far.coef_, near.coef_, atol=3e-3)  # of targets rounded to 1/128
    assert far.stop_reason_ == "GradientNorm"


def test_the_support_of_a_lasso_far_from_zero():
    from sklearn.linear_model import Lasso

    X, t, _ = rows(200)
    X32, y = X.astype(np.float32), (t + 1e6).astype(np.float32)
    ours = st.LinearRegressor(alpha=0.6, l1_ratio=1.0).fit(X32, y)
    theirs = Lasso(alpha=0.3, tol=1e-12).fit(X32.astype(float), y.astype(float))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5)


# Columns far from zero


@pytest.mark.parametrize("offset", [1e5, 1e9])
@pytest.mark.parametrize("kind", [st.LeastSquares, st.Logistic, st.Softmax])
def test_minimize_centres_columns_far_from_zero(kind, offset):
    X, t, c = rows()
    X = np.round(X * 2**20) / 2**20  # so that an offset loses no bit that matters
    y = t if kind is st.LeastSquares else c
    expected = st.minimize(kind(X, y))
    far = kind(X + offset, y)
    result = st.minimize(far)
    assert result.converged
    np.testing.assert_allclose(result.value, expected.value, rtol=1e-6)
    np.testing.assert_allclose(far.value(result.w), expected.value, rtol=1e-5)


def test_times_in_seconds_beside_other_columns():
    X, _, y = rows()
    Z = np.column_stack([X, 1.7e9 + 10 * np.random.default_rng(1).standard_normal(len(X))])
    centred = st.minimize(st.Logistic(Z - Z.mean(axis=0), y))
    np.testing.assert_allclose(st.minimize(st.Logistic(Z, y)).value, centred.value, rtol=1e-9)


def test_parameters_that_cannot_hold_the_minimum_are_told():
    X, _, y = rows()
    far = st.Logistic((X + 3e7).astype(np.float32), y.astype(np.float32))
    with pytest.warns(st.DiagnosisWarning, match="rounding"):
        result = st.minimize(far)
    assert (result.converged, result.stop_reason) == (False, "rounding")


# Huge and tiny units


@pytest.mark.parametrize(
    ("dtype", "unit"), [(np.float32, 1e36), (np.float32, 1e-25), (np.float64, 1e154), (float, 1e-160)]
)
@pytest.mark.parametrize("kind", [st.LeastSquares, st.Logistic])
@pytest.mark.parametrize("repeats", [1, 30])
def test_minimize_in_extreme_units(kind, dtype, unit, repeats):
    X, t, c = (np.tile(each.T, repeats).T for each in rows())
    y = (t if kind is st.LeastSquares else c).astype(dtype)
    expected = st.minimize(kind(X.astype(dtype), y))
    result = st.minimize(kind((X * unit).astype(dtype), y))
    assert result.converged
    tolerance = 2e-3 if dtype == np.float32 else 1e-6
    np.testing.assert_allclose(result.w[:3] * unit, expected.w[:3], rtol=tolerance)


def test_a_gradient_that_overflows_is_no_convergence():
    X, t, _ = rows()
    objective = st.LeastSquares((X * 1e154), t * 1e154)
    with pytest.raises(ValueError, match=r"finite"):
        st.minimize(objective, optimizer=st.Momentum(1e-3))
    with pytest.raises(ValueError, match="finite"):
        st.minimize(st.LeastSquares(X * 1e154, t), optimizer=st.Momentum("auto"))


@pytest.mark.parametrize("kind", [st.LeastSquares, st.Logistic])
@pytest.mark.parametrize(("unit", "repeats"), [(1000.0, 1), (1e150, 30)])
def test_the_norm_of_a_history_is_in_the_units_of_the_columns(kind, unit, repeats):
    X, t, c = (np.tile(each.T, repeats).T for each in rows())
    objective = kind(X * unit, t if kind is st.LeastSquares else c)
    result = st.minimize(objective, max_epochs=3, diagnose=False)
    gradient = objective.gradient(np.zeros(objective.n_parameters))
    expected = np.linalg.norm(gradient / unit) * unit
    np.testing.assert_allclose(result.history["gradient_norm"][0], expected, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-170, 1e-3, 1e170])
def test_a_norm_neither_overflows_nor_underflows(size):
    objective = st.LeastSquares(np.array([[3.0], [4.0]]), np.zeros(2), intercept=False)
    w = np.zeros(1)
    assert objective.native.gradient_norm(w, np.array([size])) == size


# Weak L1 penalties


def test_a_lasso_with_a_penalty_far_below_the_gradient():
    # Of three columns with 200,000 each: their l1 norm is 600,000 less what the penalty takes.
    random = np.random.default_rng(0)
    X, w = random.standard_normal((20, 40)).astype(np.float32), np.zeros(40)
    w[:3] = 200_000
    model = st.LinearRegressor(alpha=0.1, l1_ratio=1.0, fit_intercept=False).fit(X, (X @ w).astype(np.float32))
    np.testing.assert_allclose(np.abs(model.coef_).sum(), 600_000, rtol=1e-5)
    assert np.count_nonzero(model.coef_) == 3


# Adaptive optimizers


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 32, "max_iter": 20}, {"optimizer": "rmsprop", "batch_size": 32, "max_iter": 20}],
    ids=str,
)
def test_adaptive_optimizers_learn_targets_of_any_size(options):
    X, t, _ = rows()
    best = st.LinearRegressor().fit(X, 5000 + 4000 * t).score(X, 5000 + 4000 * t)
    model = st.LinearRegressor(**{"optimizer": "adam", "random_state": 0, **options}).fit(X, 5000 + 4000 * t)
    assert model.score(X, 5000 + 4000 * t) > best - 0.01


@pytest.mark.parametrize("optimizer", ["auto", "adagrad", "rmsprop"])
def test_a_stream_of_targets_of_any_size(optimizer):
    X, t, _ = rows(4000)
    y = 5000 + 4000 * t
    best, model = st.LinearRegressor().fit(X, y).score(X, y), st.LinearRegressor(optimizer=optimizer, random_state=0)
    for first in range(0, len(X), 100):
        model.partial_fit(X[first : first + 100], y[first : first + 100])
    assert model.score(X, y) > best - 0.05


def test_a_fit_above_the_intercept_alone_is_told():
    from sklearn.exceptions import ConvergenceWarning

    X, t, _ = rows()
    with pytest.warns(ConvergenceWarning, match="learned nothing"):
        st.LinearRegressor(st.Adam(1e-6), max_iter=3).fit(X, 5000 + 4000 * t)


# Starts that are the minimum


@pytest.mark.parametrize("repeats", [1, 100])
@pytest.mark.parametrize("optimizer", DESCENTS)
def test_a_start_that_is_the_minimum_ends_the_fit(optimizer, repeats):
    X, t, _ = (np.tile(each.T, repeats).T for each in rows(300))
    classes = np.arange(len(X)) % 2
    strong = {"optimizer": optimizer, "alpha": 1e3, "l1_ratio": 1.0}
    assert st.LinearRegressor(**strong).fit(X, t - t.mean()).n_iter_ == 0
    assert st.LogisticClassifier(**strong).fit(X, classes).n_iter_ <= 1
    residual = t - st.LinearRegressor().fit(X, t).predict(X)
    model = st.LinearRegressor(optimizer=optimizer).fit(X, residual)
    assert model.stop_reason_ in ("GradientNorm", "precision")
    np.testing.assert_allclose(model.coef_, 0, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minimize_at_a_start_that_is_the_minimum(dtype):
    X, t, _ = rows(300)
    X, t = X.astype(dtype), (t - t.mean()).astype(dtype)
    residual = (t - st.LinearRegressor().fit(X, t).predict(X)).astype(dtype)
    labels = (np.arange(300) % 2).astype(dtype)
    for objective in (
        st.LeastSquares(X, t, alpha=1e3, l1_ratio=1.0),
        st.Logistic(X, labels, alpha=10.0, l1_ratio=1.0),
        st.LeastSquares(X, residual),
    ):
        assert st.minimize(objective).converged


@pytest.mark.parametrize("seed", [9, 11, 0, 1])
def test_an_l1_penalty_on_columns_that_are_centred_as_they_are_read(seed):
    # Such scores are rounded some 10,000 times as much as their values are; a shift changes the intercept only.
    random = np.random.default_rng(seed)
    X = random.normal(size=(40, 3))
    y = X @ [1, 2, 3] + 0.1 * random.normal(size=40) > 0
    options = {"l1_ratio": 0.5, "alpha": 0.01}
    near = st.LogisticClassifier(**options).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = st.LogisticClassifier(**options).fit(X + 1e4, y)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-5)
