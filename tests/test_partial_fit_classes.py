"""Classes that arrive late in `partial_fit`: what grows, what stays as it is, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from steepest.optimizers.names import OPTIMIZERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(11)
CENTRES = 3.0 * np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, -1.0, -1.0]])
LABELS = RNG.integers(0, 4, 2000)
X = CENTRES[LABELS] + RNG.standard_normal((2000, 3))
NAMES = np.array(["bee", "cat", "dog", "ant"])[LABELS]  # sorted: ant, bee, cat, dog


def rows_of(*names):
    return np.isin(NAMES, names)


def classifier(optimizer="adam", **options):
    return st.LogisticClassifier(optimizer, **{"alpha": 1e-3, "random_state": 0} | options)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_third_and_a_fourth_class_are_learned(optimizer, standardize):
    model = classifier(optimizer, standardize=standardize)
    for names in (["bee", "dog"], ["bee", "cat", "dog"], ["ant", "bee", "cat", "dog"]):
        some = rows_of(*names)
        for rows in np.array_split(np.flatnonzero(some), 10):
            model.partial_fit(X[rows], NAMES[rows], classes=names)
    assert model.classes_.tolist() == ["ant", "bee", "cat", "dog"]
    assert model.coef_.shape == (4, 3)
    declared = classifier().fit(X, NAMES)
    assert model.score(X, NAMES) > declared.score(X, NAMES) - 0.04


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("names", [["bee", "dog"], ["bee", "cat", "dog"]])
def test_the_odds_of_the_old_classes_stay(names, dtype, sparse):
    some = rows_of(*names)
    data = (sp.csr_matrix(X) if sparse else X).astype(dtype)
    old = classifier().partial_fit(data[some], NAMES[some], classes=names)
    grown = classifier().partial_fit(data[some], NAMES[some], classes=names)
    grown._grow(np.unique([*names, "ant"]))
    before, after = old.predict_proba(data), grown.predict_proba(data)
    assert grown.coef_.dtype == dtype
    kept = after[:, 1:] / after[:, 1:].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(kept, before, rtol=1e-4 if dtype == np.float32 else 1e-9)
    assert np.array_equal(grown.predict(data), old.predict(data))


def test_two_classes_become_three_scores_of_which_the_new_one_is_zero():
    some = rows_of("bee", "dog")
    model = classifier("momentum", learning_rate=0.01).partial_fit(X[some], NAMES[some], classes=["bee", "dog"])
    w, b = model.coef_[0].copy(), model.intercept_[0]
    velocity = model._online.optimizer.state_dict()["state"]["velocity"].copy()
    model._grow(np.array(["bee", "cat", "dog"]))
    assert np.array_equal(model.coef_, [-w / 2, 0 * w, w / 2])
    assert np.array_equal(model.intercept_, [-b / 2, 0.0, b / 2])
    grown = model._online.optimizer.state_dict()
    assert np.array_equal(grown["state"]["velocity"], np.concatenate([-velocity, 0 * velocity, velocity]))
    assert grown["n_steps"] == -(-some.sum() // 32)


def test_three_classes_become_four_and_squares_keep_their_sign():
    names = ["bee", "cat", "dog"]
    some = rows_of(*names)
    model = classifier("adam", learning_rate=0.01).partial_fit(X[some], NAMES[some], classes=names)
    table = np.column_stack([model.coef_, model.intercept_])
    squares = model._online.optimizer.state_dict()["state"]["square_average"].reshape(3, 4)
    model._grow(np.array(["ant", *names]))
    np.testing.assert_array_equal(model.coef_[1:], table[:, :3])
    np.testing.assert_allclose(model.coef_[0], table[:, :3].mean(axis=0), atol=1e-16)
    grown = model._online.optimizer.state_dict()["state"]["square_average"].reshape(4, 4)
    np.testing.assert_array_equal(grown, np.vstack([0 * squares[:1], squares]))


def test_growth_after_a_fit():
    some = rows_of("bee", "dog")
    model = classifier(optimizer="auto").fit(X[some], NAMES[some])
    before = model.predict_proba(X)[:, 1]
    model.set_params(optimizer="gradient-descent", learning_rate=1e-9)
    model.partial_fit(X[:1], NAMES[:1], classes=np.unique(NAMES))
    after = model.predict_proba(X)
    two = after[:, [1, 3]] / after[:, [1, 3]].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(two[:, 1], before, rtol=1e-6)


def test_growth_after_a_fit_with_a_class_of_weight_zero():
    names = ["bee", "cat", "dog"]
    some = np.flatnonzero(rows_of(*names))
    weight = np.where(NAMES[some] == "cat", 0.0, 1.0)
    model = classifier().fit(X[some], NAMES[some], weight)
    assert model.intercept_.min() <= -1e8
    model.partial_fit(X[:200], NAMES[:200], classes=np.unique(NAMES))
    assert np.abs(model.intercept_).max() < 100


def test_a_grown_model_pickles_and_sparsifies():
    import pickle

    some = rows_of("bee", "dog")
    model = classifier().partial_fit(X[some], NAMES[some], classes=["bee", "dog"]).sparsify()
    model.partial_fit(X, NAMES, classes=np.unique(NAMES))
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, NAMES)
    assert np.array_equal(again.coef_, model.partial_fit(X, NAMES).coef_)


def test_numbers_as_classes_and_class_weights():
    model = classifier(class_weight={0: 2.0, 3: 1.0})
    some = np.isin(LABELS, [0, 3])
    model.partial_fit(X[some], LABELS[some], classes=[0, 3])
    model.set_params(class_weight={0: 2.0, 1: 0.5}).partial_fit(X[some], LABELS[some], classes=[0, 1, 3])
    assert model.classes_.tolist() == [0, 1, 3]
    assert model.coef_.shape == (3, 3)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["bee", "cat"], r"classes must hold all those of the calls before, \['bee' 'dog'\], got \['bee' 'cat'\]"),
        (["bee"], "at least two classes"),
    ],
)
def test_no_class_can_leave(classes, message):
    some = rows_of("bee", "dog")
    model = classifier().partial_fit(X[some], NAMES[some], classes=["bee", "dog"])
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X[some], NAMES[some], classes=classes)
    assert np.array_equal(model.coef_, before)
    assert model.classes_.tolist() == ["bee", "dog"]


def test_a_label_that_no_call_has_named_is_an_error():
    """It may be a misprint, which must not make a class."""
    some = rows_of("bee", "dog")
    model = classifier().partial_fit(X[some], NAMES[some], classes=["bee", "dog"])
    with pytest.raises(ValueError, match=r"y must hold the classes \['bee' 'dog'\] only, got .*'ant'"):
        model.partial_fit(X[LABELS == 3], NAMES[LABELS == 3])


def test_a_call_that_fails_does_not_grow():
    some = rows_of("bee", "dog")
    model = classifier().partial_fit(X[some], NAMES[some], classes=["bee", "dog"])
    with pytest.raises(ValueError, match="X has 2 features"):
        model.partial_fit(X[:, :2], NAMES, classes=np.unique(NAMES))
    assert model.coef_.shape == (1, 3)
    assert model.classes_.tolist() == ["bee", "dog"]
    assert model._online.optimizer.state_dict()["state"]["average"].shape == (4,)
    model.partial_fit(X, NAMES, classes=np.unique(NAMES))
