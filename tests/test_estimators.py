"""The estimators find scikit-learn's coefficients, in both dtypes, read X in place, and take weights as repeats."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import datasets
import steepest as st
from linear_models import assert_same, blobs, logistic_regression
from steepest import reference
from steepest.objectives.dense import DenseData

each_small = pytest.mark.parametrize("name", ["diabetes", "breast_cancer"])


@pytest.mark.parametrize("l1_ratio", [0.2, 0.8])
def test_elastic_net(l1_ratio):
    X, y, _ = blobs()
    ours = st.LinearRegressor(alpha=0.4, l1_ratio=l1_ratio).fit(X, y)
    assert_same(ours, ElasticNet(alpha=0.2, l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000).fit(X, y))


@pytest.mark.parametrize("intercept", [True, False])
def test_linear_regression(intercept):
    X, y, _ = blobs()
    ours = st.LinearRegressor(fit_intercept=intercept).fit(X, y)
    theirs = LinearRegression(fit_intercept=intercept).fit(X, y)
    assert_same(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("C", [0.01, 100.0])
def test_logistic_regression_with_weights(C, intercept):
    X, _, y = blobs()
    s = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    options = {"class_weight": {0: 2.0, 1: 0.5}, "fit_intercept": intercept}
    total = float(np.where(y == 0, 2.0, 0.5) @ s)
    ours = st.LogisticClassifier(alpha=1 / (C * total), **options).fit(X, y, sample_weight=s)
    assert_same(ours, logistic_regression(C=C, **options).fit(X, y, sample_weight=s))


def test_l1_of_the_logistic_loss_is_at_its_optimum():
    data = datasets.small("breast_cancer").standardised()
    alpha, l1_ratio = 0.05, 0.9
    model = st.LogisticClassifier(alpha=alpha, l1_ratio=l1_ratio).fit(data.X, data.y)
    w = np.append(model.coef_[0], model.intercept_)
    _, gradient = reference.logistic(data.X, data.y, w, alpha=alpha, l1_ratio=l1_ratio)
    zero, l1 = model.coef_[0] == 0, alpha * l1_ratio
    assert 0 < zero.sum() < len(zero)
    assert (np.abs(gradient[:-1][zero]) <= l1).all()
    np.testing.assert_allclose(gradient[:-1][~zero], -l1 * np.sign(model.coef_[0][~zero]), atol=1e-8)
    assert abs(gradient[-1]) < 1e-8


@each_small
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_standardize_is_a_pipeline_with_a_scaler(name, intercept, alpha):
    data = datasets.small(name)
    if data.loss is st.Logistic:
        estimator, alpha = st.LogisticClassifier(fit_intercept=intercept), alpha + 0.05  # separable: needs a penalty
    else:
        estimator = st.LinearRegressor(fit_intercept=intercept)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(data.y))
    ours = estimator.set_params(alpha=alpha, standardize=True).fit(data.X, data.y, sample_weight=weights)
    scaler = StandardScaler(with_mean=intercept).fit(data.X, sample_weight=weights)
    plain = type(estimator)(alpha=alpha, fit_intercept=intercept).fit(scaler.transform(data.X), data.y, weights)
    np.testing.assert_allclose(np.ravel(ours.coef_ * scaler.scale_), np.ravel(plain.coef_), rtol=1e-5, atol=1e-7)
    pipeline = make_pipeline(scaler, plain)
    np.testing.assert_allclose(ours.predict(data.X), pipeline.predict(data.X), rtol=1e-5)


def test_columns_that_never_change_do_no_harm():
    X, y, _ = blobs()
    warm = st.LinearRegressor(standardize=True, warm_start=True).fit(X, y)
    X[:, 2] = 1e3 / 3
    for model in (st.LinearRegressor(standardize=True), warm):
        assert model.fit(X, y).coef_[2] == pytest.approx(0, abs=1e-100)
        theirs = LinearRegression().fit(np.delete(X, 2, axis=1), y)
        np.testing.assert_allclose(np.delete(model.coef_, 2), theirs.coef_, rtol=1e-5)
    X[:, 2] = 4 / 3
    without = st.LinearRegressor(standardize=True, fit_intercept=False).fit(X, y)
    assert_same(without, LinearRegression(fit_intercept=False).fit(X, y))


@pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])
def test_float32_stays_float32(make):
    X, target, label = blobs(np.float32)
    y = target if make is st.LinearRegressor else label
    single, double = make().fit(X, y), make().fit(X.astype(np.float64), y)
    assert single.coef_.dtype == np.float32
    assert single.stop_reason_ == "GradientNorm"
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"early_stopping": True}], ids=str)
def test_the_data_are_read_in_place(monkeypatch, dtype, order, options):
    X, y, _ = blobs(dtype)
    X, y = np.array(np.tile(X, (40, 1)), order=order), np.tile(y, 40)  # little data are copied
    before = X.copy()
    seen = []
    bind = DenseData.bind
    monkeypatch.setattr(DenseData, "bind", lambda self, terms: (seen.append(self.X), bind(self, terms))[1])
    st.LinearRegressor(**options).fit(X, y)
    assert np.shares_memory(seen[0], X)
    assert seen[0].shape == X.shape
    assert np.array_equal(X, before)


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.tolist(),
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.astype(">f8"),
        lambda X: X[::-1][::-1],
    ],
    ids=["list", "strided", "big-endian", "view"],
)
def test_anything_else_is_converted(convert):
    X, _, y = blobs()
    found = st.LogisticClassifier().fit(convert(X), y.tolist())
    np.testing.assert_array_equal(found.coef_, st.LogisticClassifier().fit(X, y).coef_)


@pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"early_stopping": True}], ids=str)
def test_a_weight_of_k_is_k_rows(make, options):
    X, target, label = blobs(n=60)
    y = target if make is st.LinearRegressor else label
    k = np.random.default_rng(1).integers(0, 4, len(y))
    fits = [(X, y, k), (np.repeat(X, k, axis=0), np.repeat(y, k), None)]
    if options.get(
        "early_stopping"
    ):  # the rows held out are another choice of others, so only those left out can agree
        k = np.minimum(k, 1)
        fits = [(X, y, k), (X[k > 0], y[k > 0], None)]
    weighted, repeated = (make(random_state=0, **options).fit(X, y, sample_weight=s) for X, y, s in fits)
    assert_same(weighted, repeated, 1e-7)


@pytest.mark.parametrize("threads", [1, 2, -1])
def test_the_number_of_threads_changes_no_bit(threads):
    X, y, _ = blobs(n=20_000)
    before = st.info()["threads"]
    one = st.LinearRegressor(max_iter=5, tol=0.0, n_jobs=threads).fit(X, y)
    assert st.info()["threads"] == before
    assert np.array_equal(one.coef_, st.LinearRegressor(max_iter=5, tol=0.0).fit(X, y).coef_)
