"""Classes whose rows all have a weight of 0: kept, with a probability of 0 and the parameters of the limit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

import steepest as st
from linear_models import logistic_regression

random = np.random.default_rng(0)
Y = np.repeat([0, 1, 2], 30)
X = random.standard_normal((90, 2)) + 0.7 * np.array([[1, 0], [0, 1], [-1, -1]])[Y]
WEIGHT = (Y < 2) * random.uniform(0.5, 1.5, 90)
KEPT = Y < 2


def check_probabilities(model, absent):
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.isfinite(model.decision_function(X)).all()
    assert (probabilities[:, absent] == 0).all()
    assert not np.isin(model.predict(X), model.classes_[absent]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"alpha": 0.02, "l1_ratio": 0.5}], ids=str)
def test_the_others_are_as_in_a_fit_without_the_class(dtype, options):
    data = X.astype(dtype)
    model = st.LogisticClassifier(**options).fit(data, Y, sample_weight=WEIGHT)
    assert list(model.classes_) == [0, 1, 2]
    check_probabilities(model, [2])
    # The softmax of two classes with coefficients v and -v is the logistic loss with coefficients 2 v; its L2 penalty,
    # 2 |v|^2, is half of that of 2 v, its L1 penalty, 2 |v|, the same.
    alpha, share = options.get("alpha", 1 / WEIGHT.sum()), options.get("l1_ratio", 0.0)
    l1, l2 = alpha * share, alpha * (1 - share) / 2
    peer = options | {"alpha": l1 + l2, "l1_ratio": l1 / (l1 + l2)}
    two = st.LogisticClassifier(**peer).fit(data[KEPT], Y[KEPT], sample_weight=WEIGHT[KEPT])
    rtol = 1e-3 if dtype is np.float32 else 1e-6
    np.testing.assert_allclose(model.coef_[1] - model.coef_[0], two.coef_[0], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], two.predict_proba(X)[:, 1], atol=rtol)
    assert (model.coef_[2] == 0).all()


def test_scikit_learn_goes_to_the_same_limit():
    ours = st.LogisticClassifier().fit(X, Y, sample_weight=WEIGHT)
    theirs = logistic_regression(C=1.0).fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    without = {"fit_intercept": False}  # nothing takes the probability to 0: a class like the others
    ours = st.LogisticClassifier(**without).fit(X, Y, sample_weight=WEIGHT)
    theirs = logistic_regression(C=1.0, **without).fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("only", [0, 1])
def test_one_class_has_all_the_weight(k, only):
    rows = k > Y
    model = st.LogisticClassifier(warm_start=True)
    model.fit(X[rows], Y[rows], sample_weight=1.0 * (Y[rows] == only))
    check_probabilities(model, [label for label in range(k) if label != only])
    theirs = LogisticRegression().fit(X[rows], Y[rows], sample_weight=1.0 * (Y[rows] == only))
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-3)
    assert model.coef_.shape == theirs.coef_.shape
    assert model.n_iter_ == 0
    assert model.stop_reason_ == "GradientNorm"
    model.fit(X[rows], Y[rows])  # a warm start leaves the limit
    np.testing.assert_allclose(model.coef_, st.LogisticClassifier().fit(X[rows], Y[rows]).coef_, atol=1e-6)


def test_partial_fit_leaves_the_limit():
    model = st.LogisticClassifier(random_state=0).fit(X, Y, sample_weight=WEIGHT)
    for _ in range(60):
        model.partial_fit(X, Y)
    assert model.score(X, Y) > 0.6
    assert np.abs(model.intercept_).max() < 10


def test_a_class_weight_of_0_is_a_weight_of_0_of_its_rows():
    ours = st.LogisticClassifier(class_weight={2: 0}).fit(X, Y)
    rows = st.LogisticClassifier().fit(X, Y, sample_weight=1.0 * KEPT)
    for name in ("coef_", "intercept_"):
        assert np.array_equal(getattr(ours, name), getattr(rows, name))
    both = st.LogisticClassifier(class_weight={2: 0}, early_stopping=True, random_state=0, standardize=True).fit(X, Y)
    check_probabilities(both, [2])
    with pytest.raises(ValueError, match="leave some row a weight above 0"):
        st.LogisticClassifier(class_weight={0: 0, 1: 0}).fit(X[KEPT], Y[KEPT])
    with pytest.raises(ValueError, match="class_weight must be 0 or within float32"):
        st.LogisticClassifier(class_weight={2: 1e-60}).fit(X.astype(np.float32), Y)


def test_balanced_weights_are_those_of_the_classes_with_a_weight():
    ours = st.LogisticClassifier(class_weight="balanced", alpha=0.1).fit(X, Y, sample_weight=WEIGHT)
    totals = np.bincount(Y, WEIGHT)
    shares = {0: WEIGHT.sum() / (2 * totals[0]), 1: WEIGHT.sum() / (2 * totals[1])}
    same = st.LogisticClassifier(class_weight=shares, alpha=0.1).fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(ours.coef_, same.coef_, atol=1e-9)


def test_a_validation_set_may_not_hold_what_has_no_weight():
    model = st.LogisticClassifier(class_weight={2: 0}).fit(X, Y, X_val=X, y_val=Y)  # their losses have no weight either
    assert np.isfinite(model.history_["validation_loss"]).all()
    model = st.LogisticClassifier().fit(X, Y, WEIGHT, X_val=X[KEPT], y_val=Y[KEPT])
    assert np.isfinite(model.history_["validation_loss"]).all()
    with pytest.raises(ValueError, match=r"y_val must hold only classes that have a weight in the fit, got .*2"):
        st.LogisticClassifier().fit(X, Y, WEIGHT, X_val=X, y_val=Y)


def test_ensembles_that_draw_rows_by_weights():
    X_rare, rare = np.vstack([X, X[:2]]), np.append(Y, [3, 3])  # a class of two rows, which most samples leave out
    bagging = BaggingClassifier(st.LogisticClassifier(), n_estimators=20, random_state=0).fit(X_rare, rare)
    assert any((each.intercept_ == -1e9).any() for each in bagging.estimators_)
    for each in bagging.estimators_:
        assert len(each.classes_) == 4
    theirs = BaggingClassifier(LogisticRegression(), n_estimators=20, random_state=0).fit(X_rare, rare)
    np.testing.assert_allclose(bagging.predict_proba(X), theirs.predict_proba(X), atol=1e-2)
    model = st.LogisticClassifier()
    for ensemble in (
        VotingClassifier([("a", model), ("b", LogisticRegression())], voting="soft"),
        VotingClassifier([("a", model), ("b", LogisticRegression())], voting="hard"),
        StackingClassifier([("a", model), ("b", LogisticRegression())]),
    ):
        ensemble.fit(X, Y, sample_weight=WEIGHT)
        assert (ensemble.predict(X) < 2).all()
        assert list(ensemble.classes_) == [0, 1, 2]
    assert OneVsRestClassifier(st.LogisticClassifier()).fit(X, Y).score(X, Y) > 0.6


@pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])
def test_no_iteration_leaves_the_start(make):
    with pytest.warns(match="max_iter=0"):
        model = make(max_iter=0).fit(X, Y)
    assert model.n_iter_ == 0
    assert not model.coef_.any()
    with pytest.raises(ValueError, match="max_iter must be an integer of at least 0, got -1"):
        make(max_iter=-1).fit(X, Y)
