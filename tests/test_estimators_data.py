"""The estimators find scikit-learn's coefficients to 1e-5 on real data."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

import datasets
import steepest as st
from linear_models import assert_same, logistic_regression

REGRESSION = [lambda: datasets.small("diabetes"), datasets.diamonds, lambda: datasets.flights("delay")]
BINARY = [lambda: datasets.small("breast_cancer"), lambda: datasets.small("digits"), datasets.flights]
each_regression = pytest.mark.parametrize("load", REGRESSION, ids=["diabetes", "diamonds", "flights"])
each_binary = pytest.mark.parametrize("load", BINARY, ids=["breast_cancer", "digits", "flights"])


@each_regression
@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_ridge(load, alpha):
    data = load().standardised()
    ours = st.LinearRegressor(alpha=2 * alpha / len(data.y)).fit(data.X, data.y)
    assert_same(ours, Ridge(alpha=alpha, solver="cholesky").fit(data.X, data.y))
    assert ours.stop_reason_ == "GradientNorm"


@each_regression
def test_lasso(load):
    data = load().standardised()
    alpha = 0.02 * data.y.std()
    ours = st.LinearRegressor(alpha=2 * alpha, l1_ratio=1.0).fit(data.X, data.y)
    theirs = Lasso(alpha=alpha, tol=1e-12, max_iter=100_000).fit(data.X, data.y)
    assert_same(ours, theirs)
    assert np.array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    assert 0 < np.count_nonzero(ours.coef_) < len(ours.coef_)


@each_binary
def test_logistic_regression_by_default(load):
    data = load().standardised()
    ours = st.LogisticClassifier().fit(data.X, data.y)
    theirs = logistic_regression().fit(data.X, data.y)
    assert_same(ours, theirs)
    assert ours.stop_reason_ == "GradientNorm"
    np.testing.assert_allclose(ours.predict_proba(data.X), theirs.predict_proba(data.X), rtol=1e-4, atol=1e-6)
    assert ours.score(data.X, data.y) == theirs.score(data.X, data.y)
