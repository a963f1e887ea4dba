"""What changes no fit of LogisticClassifier: shifts of columns, repeated rows for weights, rows without a weight.

Units of columns and weights are in test_units.py, which has all of these for LinearRegressor too.
"""

import warnings

import numpy as np
import pytest

import steepest as st

LINEAR = [{}, {"standardize": True}, {"optimizer": "momentum"}, {"optimizer": "momentum", "standardize": True}]
pytestmark = [
    pytest.mark.parametrize("dtype", [np.float32, np.float64]),
    pytest.mark.parametrize("n_classes", [2, 3]),
    pytest.mark.parametrize("alpha", [0.0, None, 0.1]),
    pytest.mark.parametrize("options", LINEAR, ids=str),
]


def _problem(dtype, n_classes):
    """Return rows in multiples of 1/64, to which float32 adds 1024 without a loss, their classes and whole weights."""
    random = np.random.default_rng(5)
    X = (np.round(random.normal(size=(90, 3)) * 64) / 64).astype(dtype)
    score = X @ [1, 2, 3] + 2 * random.logistic(size=90)
    return X, np.digitize(score, [0] if n_classes == 2 else [-2, 2]), random.integers(1, 4, 90).astype(dtype)


def _fitted(options, alpha, X, y, weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return st.LogisticClassifier(alpha=alpha, **options).fit(X, y, sample_weight=weight)


def _assert_alike(found, expected):
    """To the tolerance of a fit, a share of the gradient, over the least curvature, which is above 1e-2 here."""
    tolerance = 1e-4 if expected.coef_.dtype == np.float32 else 1e-8
    size = np.abs(expected.coef_).max()
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=tolerance * size)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, atol=tolerance * size)


def test_a_shift_of_the_columns_moves_the_intercept_only(dtype, n_classes, alpha, options):
    X, y, weight = _problem(dtype, n_classes)
    far = X + dtype(1024)
    expected = _fitted(options, alpha, X, y, weight)
    if options == {"optimizer": "momentum"}:  # raw columns far from zero are ill-conditioned: it does not get there
        with pytest.warns(UserWarning, match="not converged"):
            st.LogisticClassifier(alpha=alpha, **options).fit(far, y, sample_weight=weight)
        return
    found = _fitted(options, alpha, far, y, weight)
    # A score adds up products of up to 1024 times a coefficient below 4, which float32 rounds to 2^-12 of one.
    atol = 1e-3 if dtype == np.float32 else 1e-8
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=atol * np.abs(expected.coef_).max())
    np.testing.assert_allclose(found.predict_proba(far), expected.predict_proba(X), atol=atol)


def test_repeated_rows_are_weights(dtype, n_classes, alpha, options):
    X, y, weight = _problem(dtype, n_classes)
    times = weight.astype(int)
    found = _fitted(options, alpha, np.repeat(X, times, axis=0), np.repeat(y, times))
    _assert_alike(found, _fitted(options, alpha, X, y, weight))


def test_rows_without_a_weight_are_absent(dtype, n_classes, alpha, options):
    X, y, weight = _problem(dtype, n_classes)
    huge = np.full((n_classes, 3), np.finfo(dtype).max / 4, dtype)
    rows, targets = np.concatenate([huge, X]), np.concatenate([np.arange(n_classes), y])
    found = _fitted(options, alpha, rows, targets, np.concatenate([np.zeros(n_classes, dtype), weight]))
    _assert_alike(found, _fitted(options, alpha, X, y, weight))


def test_the_order_of_rows_columns_and_classes_says_nothing(dtype, n_classes, alpha, options):
    X, y, weight = _problem(dtype, n_classes)
    expected = _fitted(options, alpha, X, y, weight)
    order, columns = np.random.default_rng(0).permutation(len(y)), [2, 0, 1]
    found = _fitted(options, alpha, X[order][:, columns], (n_classes - 1 - y)[order], weight[order])
    atol = 1e-4 if dtype == np.float32 else 1e-7
    np.testing.assert_allclose(found.predict_proba(X[:, columns])[:, ::-1], expected.predict_proba(X), atol=atol)
    signs = -1 if n_classes == 2 else 1
    np.testing.assert_allclose(signs * found.coef_[::-1], expected.coef_[:, columns], atol=10 * atol)
