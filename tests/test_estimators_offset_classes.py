"""Offsets of a classifier of more than two classes: fits, predictions, held-out rows, absent classes, the summary."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import steepest as st
from steepest import reference
from steepest.estimators import LogisticClassifier

sparse = pytest.importorskip("scipy.sparse")


def offsets(n, k, seed=7):
    return 1.5 * np.random.default_rng(seed).standard_normal((n, k))


def classes(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X, offset = rng.standard_normal((n, 4)), offsets(n, 3)
    scores = X @ rng.standard_normal((4, 3)) + [0.3, 0.0, -0.4] + offset
    return X, (scores + rng.gumbel(size=(n, 3))).argmax(axis=1), offset


@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"alpha": 0.05, "l1_ratio": 0.5}], ids=str)
@pytest.mark.parametrize("kind", ["dense", "float32", "csr"])
def test_a_classifier_ends_at_the_minimum_of_the_reference(kind, options):
    X, numbers, offset = classes()
    names = np.array(["b", "c", "d"])
    made = {"dense": X, "float32": X.astype(np.float32), "csr": sparse.csr_array(X)}[kind]
    plain = not options
    model = LogisticClassifier(**({"alpha": 0.01} | options)).fit(made, names[numbers], offset=offset)
    w = np.column_stack([model.coef_, model.intercept_]).astype(float)
    if plain:
        gradient = reference.softmax(X, numbers, w, alpha=0.01, offset=offset)[1]
        assert np.abs(gradient).max() < (1e-4 if kind == "float32" else 1e-7)
    assert model.converged_
    scores = model.decision_function(made, offset=offset)
    near = 1e-5 if kind == "float32" else 1e-11
    np.testing.assert_allclose(scores, X @ w[:, :-1].T + w[:, -1] + offset, rtol=near, atol=10 * near)
    odds = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(made, offset), odds, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.predict(made, offset), names[scores.argmax(axis=1)])
    assert model.score(made, names[numbers], offset=offset) == np.mean(model.predict(made, offset) == names[numbers])
    assert model.score(made, names[numbers], offset=offset) > 0.6


def test_the_methods_that_predict_need_the_offsets():
    X, y, offset = classes(90)
    model = LogisticClassifier().fit(X, y, offset=offset)
    with pytest.raises(ValueError, match="offset must be given, as the model was fitted with one"):
        model.predict(X)
    np.testing.assert_array_equal(model.decision_function(X, 0.0), X @ model.coef_.T + model.intercept_)
    with pytest.raises(
        ValueError, match=r"offset must be finite numbers of shape \(90, 3\), one for each row of X and each"
    ):
        model.predict(X, offset=offset[:, 0])
    broken = offset.copy()
    broken[4, 2] = np.nan
    with pytest.raises(ValueError, match=r"got nan at index \(4, 2\)"):
        model.fit(X, y, offset=broken)
    with pytest.raises(ValueError, match="offset must be given"):
        pickle.loads(pickle.dumps(model)).predict(X)


def test_mini_batches_held_out_rows_and_absent_classes_have_their_offsets():
    X, y, offset = classes(2000)
    exact = LogisticClassifier(alpha=0.01).fit(X, y, offset=offset)
    options = {"alpha": 0.01, "early_stopping": True, "random_state": 0}
    held = LogisticClassifier(**options).fit(X, y, offset=offset)
    steps = LogisticClassifier("adam", batch_size=50, max_iter=30, **options).fit(X, y, offset=offset)
    for model in (held, steps):
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=0.15)
    given = LogisticClassifier(alpha=0.01).fit(X, y, None, X, y, offset=offset, offset_val=offset)
    w = np.column_stack([given.coef_, given.intercept_])
    expected = reference.softmax(X, y, w, offset=offset)[0]
    assert given.history_["validation_loss"].min() == pytest.approx(expected, rel=1e-9)
    weight = np.where(y == 1, 0.0, 1.0)
    absent = LogisticClassifier(alpha=0.01).fit(X, y, weight, offset=offset)
    some, own = y != 1, [0, 2]
    w = np.column_stack([absent.coef_, absent.intercept_])[own]
    gradient = reference.softmax(X[some], y[some] // 2, w, alpha=0.01, offset=offset[some][:, own])[1]
    assert np.abs(gradient).max() < 1e-7


def test_the_summary_of_a_fit_with_offsets():
    X, y, offset = classes(400)
    model = LogisticClassifier(alpha=0.0).fit(X, y, offset=offset)
    found = st.summary(model, X, y, offset=offset)
    w = np.column_stack([model.coef_, model.intercept_])
    value = reference.softmax(X, y, w, offset=offset)[0]
    assert found.log_likelihood == pytest.approx(-400 * value, rel=1e-9)
    with pytest.raises(ValueError, match="offset must be that of the fit, got None"):
        st.summary(model, X, y)
