"""The classifier of more than two classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine

import steepest as st
from linear_models import assert_same, logistic_regression

each_set = pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])


def data(load=load_wine):
    X, y = load(return_X_y=True)
    scale = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1.0), y


@each_set
def test_the_coefficients_of_logistic_regression(load):
    X, y = data(load)
    ours, theirs = st.LogisticClassifier(alpha=0.1).fit(X, y), logistic_regression(C=10 / len(y)).fit(X, y)
    assert_same(ours, theirs)
    assert ours.coef_.shape == (len(np.unique(y)), X.shape[1])
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-5)
    assert np.array_equal(ours.predict(X), theirs.predict(X))


def test_class_and_row_weights_and_labels_of_any_kind():
    X, y = data()
    labels = np.array(["red", "white", "rose"])[y]
    s = np.random.default_rng(0).integers(0, 3, len(y))
    options = {"class_weight": {"red": 2.0, "white": 1.0, "rose": 0.5}}
    total = float(np.array([2.0, 1.0, 0.5])[y] @ s)
    ours = st.LogisticClassifier(alpha=1 / total, **options).fit(X, labels, sample_weight=s)
    assert_same(ours, logistic_regression(**options).fit(X, labels, sample_weight=s))
    assert list(ours.classes_) == ["red", "rose", "white"]


def test_without_a_penalty_the_coefficients_of_a_column_add_up_to_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 4)), rng.integers(0, 3, 300)
    ours = st.LogisticClassifier(alpha=0.0).fit(X, y)
    assert_same(ours, logistic_regression(C=np.inf).fit(X, y))
    np.testing.assert_allclose(ours.coef_.sum(axis=0), 0, atol=1e-10)


@pytest.mark.parametrize(
    "options", [{}, {"standardize": True}, {"early_stopping": True}, {"warm_start": True}], ids=str
)
def test_the_ways_through_a_fit(options):
    X, y = load_wine(return_X_y=True)
    model = st.LogisticClassifier(alpha=0.01, random_state=0, **options).fit(X, y)
    assert model.score(X, y) > 0.95
    assert model.fit(X, y).score(X, y) > 0.95
    assert ("validation_loss" in model.history_) == ("early_stopping" in options)


def test_l1_leaves_coefficients_out():
    X, y = data()
    model = st.LogisticClassifier(alpha=0.1, l1_ratio=1.0).fit(X, y)
    assert 0 < np.count_nonzero(model.coef_) < model.coef_.size
    assert model.score(X, y) > 0.9


def test_partial_fit_takes_rows_of_some_classes_only():
    X, y = data()
    model = st.LogisticClassifier(random_state=0)
    for _ in range(40):
        for label in range(3):
            model.partial_fit(X[y == label], y[y == label], classes=[0, 1, 2])
    assert model.score(X, y) > 0.95
