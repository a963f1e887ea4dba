"""Fits that go wrong: told, or mended, and never leaving an estimator between two states."""

from __future__ import annotations

import pickle
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression

import steepest as st


def data(n=1000, d=5, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d))
    z = X @ random.standard_normal(d)
    return X, z + random.standard_normal(n), (z > random.logistic(size=n)).astype(int)


# Columns far from zero


@pytest.mark.parametrize("offset", [1e5 * np.ones(5), np.array([0, 0, 1e6, 0, 0]), np.array([-1e4, 0, 3, 1e5, 0])])
def test_columns_far_from_zero_have_the_coefficients_of_scikit_learn(offset):
    X, t, y = data()
    ours, theirs = st.LinearRegressor().fit(X + offset, t), LinearRegression().fit(X, t)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.predict(X + offset), theirs.predict(X), atol=1e-6)
    ours, theirs = st.LogisticClassifier().fit(X + offset, y), LogisticRegression(tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)


def test_times_of_day_in_seconds_since_1970():
    X, _, y = data(2000, 4)
    X[:, 0] = 1.7e9 + np.random.default_rng(1).uniform(0, 86_400, len(X))
    centred = X - X.mean(axis=0)
    theirs = LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(centred, y)
    np.testing.assert_allclose(st.LogisticClassifier().fit(X, y).coef_, theirs.coef_, rtol=1e-4)


def test_float32_columns_far_from_zero():
    X, t, _ = data()
    X = (X + 1000).astype(np.float32)
    ours, theirs = st.LinearRegressor().fit(X, t.astype(np.float32)), LinearRegression().fit(X.astype(np.float64), t)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4)


def test_a_constant_column_beside_an_intercept_and_a_single_row():
    x = np.random.default_rng(0).standard_normal(50)
    model = st.LinearRegressor().fit(np.column_stack([np.full(50, 3.0), x]), x + 7)
    np.testing.assert_allclose([*model.coef_, model.intercept_], [0, 1, 7], atol=1e-9)
    model = st.LinearRegressor().fit(x[None], [3.0])
    np.testing.assert_array_equal([*model.coef_, model.intercept_], [0.0] * 50 + [3.0])


# What is told


SEPARABLE = {
    "weights": ({}, {"sample_weight": np.ones(1000)}, 2),
    "balanced": ({"class_weight": "balanced"}, {}, 2),
    "three classes": ({}, {}, 3),
    "never enough": ({"tol": 0.0}, {}, 3),
}


@pytest.mark.parametrize(("options", "arguments", "k"), SEPARABLE.values(), ids=SEPARABLE)
def test_separable_classes_without_a_penalty(options, arguments, k):
    X, _, _ = data()
    model = st.LogisticClassifier(alpha=0, **options)
    with pytest.warns(ConvergenceWarning, match="no minimum; the classes are separable"):
        model.fit(X, X[:, :k].argmax(axis=1), **arguments)
    assert model.stop_reason_ == "separable"


@pytest.mark.parametrize("options", [{"learning_rate": 100.0, "max_iter": 20}, {"learning_rate": 0.3, "batch_size": 8}])
def test_a_loss_that_explodes(options):
    X, t, _ = data()
    with pytest.warns(ConvergenceWarning, match=r"explodes|diverged"):
        st.LinearRegressor("momentum", **{"max_iter": 5, **options}).fit(5 * X, t)


def test_a_minimum_behind_two_equal_columns_far_from_zero():
    # The expected loss is the least one of the stored numbers; the coefficients are rounded to float32.
    X, t, _ = data()
    X[:, 1] = X[:, 0] + 1e-7 * X[:, 1]
    X, t = (X + 1e6).astype(np.float32), t.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = st.LinearRegressor(fit_intercept=False).fit(X, t)
    exact, target = X.astype(np.float64), t.astype(np.float64)
    best = exact @ np.linalg.lstsq(exact, target, rcond=None)[0]
    ours = exact @ model.coef_.astype(np.float64)
    np.testing.assert_allclose(np.mean((ours - target) ** 2), np.mean((best - target) ** 2), rtol=1e-3)


# Errors and interruptions


def test_a_fit_that_fails_changes_nothing():
    X, _, y = data()
    model = st.LogisticClassifier(warm_start=True).fit(X, y)
    before = pickle.dumps(model)
    for bad in ((X, np.array([7, 8])[y]), (X[:, :3], y), (X, np.zeros(len(y)))):
        with pytest.raises(ValueError, match=r"y must|X must"):
            model.fit(*bad)
        assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match=r"columns|features"):
        model.partial_fit(X[:, :3], y)
    assert pickle.dumps(model) == before


def test_a_first_partial_fit_that_fails_leaves_an_estimator_that_is_not_fitted():
    X, _, y = data()
    model = st.LogisticClassifier()
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y + 5, classes=[0, 1])
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert model.partial_fit(X[:, :2], y, classes=[0, 1]).n_features_in_ == 2


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_goes_on_after_the_state_is_kept(method):
    def interrupt(progress):
        if progress.epoch == 1:
            raise KeyboardInterrupt

    X, t, _ = data()
    model = st.LinearRegressor("adam", batch_size=50, max_iter=30, callbacks=interrupt)
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(X, t)
    assert model.stop_reason_ == "interrupted"
    assert model.score(X, t) > 0


def test_fits_at_once_leave_the_number_of_threads_as_it_was():
    X, _, y = data()
    before = st.info()["threads"]
    with ThreadPoolExecutor(4) as pool:
        fits = pool.map(lambda i: st.LogisticClassifier(n_jobs=1 + i % 3).fit(X, y).coef_.tobytes(), range(40))
        assert len(set(fits)) == 1
    assert st.info()["threads"] == before


# Details


def test_the_validation_loss_has_the_class_weights_of_the_training_rows():
    X, _, y = data()
    one = np.flatnonzero(y == 1)[:20]
    model = st.LogisticClassifier(class_weight="balanced", max_iter=3, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        history = model.fit(X, y, X_val=X[one], y_val=y[one]).history_
    loss = np.log1p(np.exp(-model.decision_function(X[one]))).mean()
    assert history["validation_loss"].min() == pytest.approx(loss, rel=1e-9)


def test_negative_weights_are_named():
    X, _, y = data()
    with pytest.raises(ValueError, match="sample_weight must be at least 0, got -1"):
        st.LogisticClassifier().fit(X, y, sample_weight=-np.ones(len(y)))


def test_a_fit_of_all_rows_draws_no_random_number():
    X, _, y = data()
    random = np.random.RandomState(0)
    st.LogisticClassifier(random_state=random).fit(X, y)
    assert random.randint(1000) == np.random.RandomState(0).randint(1000)


@pytest.mark.parametrize("kind", ["integers", "texts"])
def test_labels_take_little_memory(kind):
    X, _, y = data(400_000, 20)
    X, y = X.astype(np.float32), np.array(["no", "yes"])[y] if kind == "texts" else y
    model = st.LogisticClassifier()
    model.fit(X[:1000], y[:1000])
    tracemalloc.start()
    model.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.17 * X.nbytes  # a twentieth of the rows is copied as the sample; labels at once would add as much
