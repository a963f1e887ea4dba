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
