"""Data, peers and a comparison for the tests of the estimators."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression


def assert_same(found, expected, tolerance=1e-5):
    """Coefficients and intercepts agree to a share of each, and of the largest where one is next to nothing."""
    for name in ("coef_", "intercept_"):
        ours, theirs = np.ravel(getattr(found, name)), np.ravel(getattr(expected, name))
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max(initial=0))


def logistic_regression(**options):
    return LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=1000, **options)


def blobs(dtype=np.float64, n=400, d=5, noise=1.0):
    """Rows, a numeric target and a binary one that no line separates, the columns of different scale and centre."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, d))
    z = X @ rng.standard_normal(d)
    X = X * np.geomspace(0.5, 2, d) + np.linspace(-1, 1, d)
    return X.astype(dtype), z + noise * rng.standard_normal(n) + 5, (z > rng.logistic(size=n)).astype(int)
