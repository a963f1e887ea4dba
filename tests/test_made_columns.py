"""Columns that are made from others, but for rounding: their coefficients stay small, and nothing is warned of."""

import warnings

import numpy as np
import pytest

import steepest as st

N = 60


def _columns(kind, random):
    """Return columns of which the last is made from the others; in exact numbers they would depend on each other."""
    x = random.normal(size=N)
    if kind == "standard score":
        return np.column_stack([x, (x - x.mean()) / x.std()])
    if kind == "fahrenheit":
        celsius = 20 + 5 * x
        return np.column_stack([celsius, random.normal(size=N), 1.8 * celsius + 32])
    if kind == "shares":
        return random.dirichlet(np.ones(5), N)
    two = 100 + random.normal(size=(N, 2))
    if kind == "mean":
        return np.column_stack([two, two.mean(axis=1)])
    return np.column_stack([two, 0.1 * two[:, 0] - 0.1 * two[:, 1]])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["standard score", "fahrenheit", "shares", "difference"])
def test_least_squares_leave_rounding_alone(kind, dtype, seed):
    # The least loss is that of the columns without the last one: the last adds its rounding, which explains some
    # 1 / N of the noise by chance, by coefficients of noise over rounding, above 1e4.
    random = np.random.default_rng(seed)
    X = _columns(kind, random).astype(dtype)
    y = (X[:, 0] + random.normal(size=N)).astype(dtype)
    exact = X[:, :-1].astype(np.float64) - X[:, :-1].mean(axis=0, dtype=np.float64)
    target = y - y.mean(dtype=np.float64)
    least = np.mean((exact @ np.linalg.lstsq(exact, target, rcond=None)[0] - target) ** 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = st.LinearRegressor().fit(X, y)
        result = st.minimize(st.LeastSquares(X, y))
    assert np.abs(model.coef_).max() < 100
    assert np.abs(result.w[:-1]).max() < 100
    np.testing.assert_allclose(np.mean((model.predict(X) - y) ** 2, dtype=np.float64), least, rtol=1e-5)


@pytest.mark.parametrize("kind", ["standard score", "fahrenheit", "shares"])
def test_classes_leave_rounding_alone(kind):
    random = np.random.default_rng(0)
    X = _columns(kind, random)
    y = X[:, 0] + 2 * X[:, 0].std() * random.normal(size=N) > X[:, 0].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = st.LogisticClassifier(alpha=0).fit(X.astype(np.float32), y)
        exact = st.LogisticClassifier(alpha=0).fit(X[:, :-1], y)
    assert np.abs(model.coef_).max() < 100
    np.testing.assert_allclose(model.predict_proba(X), exact.predict_proba(X[:, :-1]), atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["difference", "mean"])
@pytest.mark.parametrize("task", ["classifier", "three classes", "logistic", "softmax", "regressor", "squares"])
def test_columns_far_from_zero_leave_rounding_alone(task, kind, seed):
    # The last column tells nothing of its own, so many coefficients predict alike; one choice is those of the columns
    # without it, and 0. No larger ones are needed. In units of the deviations the noise has coefficients above 10.
    random = np.random.default_rng(seed)
    X = _columns(kind, random)
    score = X[:, 0] - 100 + random.normal(size=N)
    y = np.digitize(score, [-0.5, 0.5]) if task in ("three classes", "softmax") else (score > 0).astype(int)
    y = score if task in ("regressor", "squares") else y

    def fit(X, dtype):
        X = X.astype(dtype)
        if task in ("classifier", "three classes"):
            model = st.LogisticClassifier(alpha=0).fit(X, y)
            return model.coef_, model.decision_function(X)
        if task == "regressor":
            model = st.LinearRegressor(alpha=0).fit(X, y.astype(dtype))
            return np.atleast_2d(model.coef_), model.predict(X)
        loss = {"logistic": st.Logistic, "softmax": st.Softmax, "squares": st.LeastSquares}[task]
        w = np.atleast_2d(st.minimize(loss(X, y.astype(dtype))).w).astype(np.float64)
        w = w - w.mean(axis=0) if task == "softmax" else w
        return w[:, :-1], (X.astype(np.float64) @ w[:, :-1].T + w[:, -1]).squeeze()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coefficients, scores = fit(X, np.float32)
    expected, exact = fit(X[:, :-1], np.float64)
    deviations = X.std(axis=0)
    assert np.linalg.norm(coefficients * deviations) < 1.01 * np.linalg.norm(expected * deviations[:-1])
    np.testing.assert_allclose(scores, exact, atol=1e-3 * np.abs(exact).max())


def test_a_small_difference_that_the_numbers_hold_is_found():
    # Two columns near 100 in float32 differ by multiples of 1 / 1024, 128 units in the last place; the target is their
    # difference, which the least squares of the two exact numbers give the coefficients 1 and -1.
    random = np.random.default_rng(0)
    first = 100 + np.round(random.normal(size=N) * 1024) / 1024
    second = first - random.integers(-2, 3, N) / 1024
    X = np.column_stack([first, second]).astype(np.float32)
    y = (1024 * (first - second)).astype(np.float32)
    np.testing.assert_allclose(st.LinearRegressor(alpha=0).fit(X, y).coef_, [1024, -1024], rtol=1e-3)
    np.testing.assert_allclose(st.minimize(st.LeastSquares(X, y)).w[:2], [1024, -1024], rtol=1e-3)


@pytest.mark.parametrize("alpha", [1e-30, 1e-25, 1e-20, 1e-18, 1e-16, 1e-14, 1e-12])
def test_a_weak_penalty_shares_out_equal_columns(alpha):
    # At the minimum two equal columns have equal coefficients: their squares add up to less than with any others. For
    # alpha to 0 these go to half of the coefficient that the column has alone.
    random = np.random.default_rng(1)
    two = random.normal(size=(40, 2))
    y = two @ [1.0, 2.0] + random.normal(size=40)
    alone = np.linalg.lstsq(np.column_stack([two, np.ones(40)]), y, rcond=None)[0]
    X = two[:, [0, 0, 1]].copy()
    expected = [alone[0] / 2, alone[0] / 2, alone[1]]
    for found in (
        st.LinearRegressor(alpha=alpha).fit(X, y).coef_,
        st.minimize(st.LeastSquares(X, y, alpha=alpha)).w[:3],
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
