"""Units: a power of two in columns, targets or weights changes no bit of a fit, beside the units of what it finds."""

from __future__ import annotations

import warnings

import hypothesis.strategies as some
import numpy as np
import pytest
from hypothesis import given, settings

import steepest as st

EXPONENTS = {np.float32: 100, np.float64: 900}
LINEAR = [{}, {"standardize": True}, {"optimizer": "momentum"}, {"optimizer": "momentum", "standardize": True}]
pytestmark = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def problem(dtype, seed, n=60, d=3):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)).astype(dtype)
    z = X @ np.arange(1, d + 1) + random.logistic(size=n) * 2
    return X, z.astype(dtype), random.integers(1, 4, n).astype(dtype)


def fitted(model, X, y, weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, sample_weight=weight)


def assert_same_bits(found, expected):
    """Where both are normal numbers."""
    tiny = np.finfo(expected.dtype).tiny
    normal = (np.abs(expected) >= tiny) & np.isfinite(expected) & np.isfinite(found)
    assert normal.any()
    assert np.array_equal(found[normal], expected[normal])


def powers(dtype):
    return some.integers(-EXPONENTS[dtype], EXPONENTS[dtype])


@pytest.mark.parametrize("options", LINEAR, ids=str)
@given(data=some.data())
@settings(max_examples=15)
def test_a_column_times_a_power_of_two(dtype, options, data):
    k, seed = data.draw(powers(dtype)), data.draw(some.integers(0, 99))
    X, y, _ = problem(dtype, seed)
    shifts = np.array([0, k, 0])
    model, other = (fitted(st.LinearRegressor(**options), A, y) for A in (X, np.ldexp(X, shifts)))
    assert_same_bits(other.coef_, np.ldexp(model.coef_, -shifts).astype(dtype))
    assert other.intercept_ == model.intercept_
    assert other.n_iter_ == model.n_iter_


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("options", LINEAR, ids=str)
@given(data=some.data())
@settings(max_examples=10)
def test_a_column_of_classes_times_a_power_of_two(dtype, options, n_classes, data):
    k, seed = data.draw(powers(dtype)), data.draw(some.integers(0, 99))
    X, z, _ = problem(dtype, seed)
    y = np.digitize(z, [-1.0, 2.0][: n_classes - 1])
    shifts = np.array([0, k, 0])
    alpha = 1e-2 if "standardize" in options else 0.0
    model, other = (fitted(st.LogisticClassifier(alpha=alpha, **options), A, y) for A in (X, np.ldexp(X, shifts)))
    assert_same_bits(other.coef_, np.ldexp(model.coef_, -shifts).astype(dtype))
    assert np.array_equal(other.intercept_, model.intercept_)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("options", LINEAR, ids=str)
@given(data=some.data())
@settings(max_examples=15)
def test_a_target_times_a_power_of_two(dtype, options, alpha, data):
    k, seed = data.draw(powers(dtype)), data.draw(some.integers(0, 99))
    X, y, _ = problem(dtype, seed)
    model, other = (fitted(st.LinearRegressor(alpha=alpha, **options), X, t) for t in (y, np.ldexp(y, k)))
    assert_same_bits(other.coef_, np.ldexp(model.coef_, k).astype(dtype))
    assert other.n_iter_ == model.n_iter_


@pytest.mark.parametrize("kind", [st.LinearRegressor, st.LogisticClassifier])
@pytest.mark.parametrize("options", LINEAR, ids=str)
@given(data=some.data())
@settings(max_examples=10)
def test_weights_times_a_power_of_two(dtype, options, kind, data):
    k, seed = data.draw(powers(dtype)), data.draw(some.integers(0, 99))
    X, z, weight = problem(dtype, seed)
    y = z if kind is st.LinearRegressor else z > 0
    model, other = (fitted(kind(alpha=0.0, **options), X, y, w) for w in (weight, np.ldexp(weight, k)))
    assert np.array_equal(other.coef_, model.coef_)
    assert np.array_equal(other.intercept_, model.intercept_)


@pytest.mark.parametrize("kind", [st.LinearRegressor, st.LogisticClassifier])
@pytest.mark.parametrize("options", LINEAR, ids=str)
def test_rows_without_a_weight_are_absent_even_where_they_are_huge(dtype, options, kind):
    X, z, weight = problem(dtype, 3)
    y = z if kind is st.LinearRegressor else (z > 0).astype(dtype)
    huge = np.full((2, X.shape[1]), np.finfo(dtype).max / 4, dtype)
    rows, targets = np.concatenate([X, huge]), np.concatenate([y, y[:2]])
    model = fitted(kind(alpha=0.0, **options), X, y, weight)
    other = fitted(kind(alpha=0.0, **options), rows, targets, np.concatenate([weight, np.zeros(2, dtype)]))
    np.testing.assert_allclose(other.coef_, model.coef_, rtol=1e-5 if dtype == np.float32 else 1e-8)


@pytest.mark.parametrize("kind", [st.LinearRegressor, st.LogisticClassifier])
@pytest.mark.parametrize("options", LINEAR, ids=str)
def test_repeated_rows_are_weights_and_an_order_says_nothing(dtype, options, kind):
    X, z, weight = problem(dtype, 4)
    y = z if kind is st.LinearRegressor else (z > 0).astype(dtype)
    tolerance = {"rtol": 1e-4 if dtype == np.float32 else 1e-6}
    model = fitted(kind(alpha=0.0, **options), X, y, weight)
    times = weight.astype(int)
    repeated = fitted(kind(alpha=0.0, **options), np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(repeated.coef_, model.coef_, **tolerance)
    order, columns = np.random.default_rng(0).permutation(len(y)), [2, 0, 1]
    permuted = fitted(kind(alpha=0.0, **options), X[order][:, columns], y[order], weight[order])
    np.testing.assert_allclose(permuted.coef_.ravel(), model.coef_.ravel()[columns], **tolerance)


@pytest.mark.parametrize("options", LINEAR, ids=str)
def test_a_shift_of_columns_and_targets_moves_the_intercept_only(dtype, options):
    X, y, _ = problem(dtype, 5)
    X, y = np.round(X * 64) / 64, np.round(y * 64) / 64  # so that the shifts lose no bit
    model = fitted(st.LinearRegressor(**options), X, y)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        other = st.LinearRegressor(**options).fit(X + dtype(1024), y + dtype(4096))
    if options == {"optimizer": "momentum"}:  # raw columns far from zero are ill-conditioned: it does not get there
        assert any("not converged" in str(each.message) for each in told)
        return
    assert not told
    np.testing.assert_allclose(other.coef_, model.coef_, rtol=1e-5)
    np.testing.assert_allclose(other.predict(X + dtype(1024)), model.predict(X) + 4096, rtol=1e-6)


@pytest.mark.parametrize("loss", ["least_squares", "huber", "poisson", "logistic"])
def test_ridge_over_columns_of_small_numbers(loss, dtype):
    """The rounding of the intercept's derivative, which exceeds those of the coefficients, ends no fit at zeros."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3)).astype(dtype)
    score, units = X @ np.array([0.5, -0.3, 0.2], dtype), [dtype(1.0), dtype(0.1 * np.finfo(dtype).eps)]
    if loss == "logistic":
        y = score + rng.logistic(size=80) > 0
        found = [st.LogisticClassifier(alpha=0.01 * float(u) ** 2).fit(X * u, y) for u in units]
    else:
        y = rng.poisson(np.exp(score)).astype(dtype)
        found = [st.LinearRegressor(loss=loss, alpha=0.01 * float(u) ** 2).fit(X * u, y) for u in units]
    near, far = (model.coef_ * unit for model, unit in zip(found, units, strict=True))
    np.testing.assert_allclose(far, near, rtol=0.01, atol=1e-3)
