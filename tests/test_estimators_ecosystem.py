"""The estimators among scikit-learn's tools: clone, pickles, searches, pipelines, data frames; and what they refuse."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import steepest as st
from interpreter import python
from linear_models import blobs

X, TARGET, LABEL = blobs()
NAMES = [f"x{i}" for i in range(X.shape[1])]
FRAME = pd.DataFrame(X, columns=NAMES)
each_kind = pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])


def targets(make):
    return TARGET if make is st.LinearRegressor else LABEL


@each_kind
def test_pickles_of_fitted_models_predict_and_go_on(make):
    model = make("adam", batch_size=32, max_iter=5, random_state=0).fit(X, targets(make)).partial_fit(X, targets(make))
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))
    ahead = [each.partial_fit(X, targets(make)).coef_ for each in (model, again)]
    assert np.array_equal(*ahead)


@each_kind
@pytest.mark.filterwarnings("ignore:The fit has learned nothing")  # in two passes
def test_a_clone_has_the_parameters_and_not_the_fit(make):
    optimizer = st.Adam(0.02)
    model = make(optimizer, alpha=0.3, batch_size=8, max_iter=2).fit(X, targets(make))
    copied = clone(model)
    assert not hasattr(copied, "coef_")
    assert copied.get_params()["alpha"] == 0.3
    assert copied.optimizer is not optimizer
    assert repr(copied) == repr(model)


def test_grid_search_finds_the_alpha_of_its_peer():
    alphas = np.geomspace(1e-3, 10, 5)
    ours = GridSearchCV(st.LogisticClassifier(), {"alpha": alphas}, scoring="neg_log_loss", cv=4).fit(X, LABEL)
    peer = {"C": 1 / (alphas * 300)}
    theirs = GridSearchCV(LogisticRegression(tol=1e-8), peer, scoring="neg_log_loss", cv=4).fit(X, LABEL)
    assert ours.best_index_ == theirs.best_index_
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name], rtol=1e-4)


def test_works_in_pipelines_and_meta_estimators():
    pipeline = make_pipeline(StandardScaler(), st.LogisticClassifier())
    assert cross_val_score(pipeline, X, LABEL).mean() > 0.7
    calibrated = CalibratedClassifierCV(st.LogisticClassifier(), cv=3).fit(X, LABEL)
    assert calibrated.score(X, LABEL) > 0.7


class Pandas:
    def frame(self, X, names):
        return pd.DataFrame(X, columns=names)

    def series(self, y):
        return pd.Series(y)


class Polars:
    def frame(self, X, names):
        return pytest.importorskip("polars").DataFrame(X, schema=names)

    def series(self, y):
        return pytest.importorskip("polars").Series(y)


@pytest.mark.parametrize("library", [Pandas(), Polars()], ids=["pandas", "polars"])
@each_kind
def test_data_frames_give_names_and_the_same_model(make, library):
    y, frame = targets(make), library.frame(X, NAMES)
    model = make(early_stopping=True, random_state=0).fit(frame, library.series(y))
    assert list(model.feature_names_in_) == NAMES
    assert model.n_features_in_ == len(NAMES)
    plain = make(early_stopping=True, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.predict(frame), plain.predict(X), rtol=1e-6)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(library.frame(X, [*NAMES[:-1], "z"]))


@each_kind
@pytest.mark.parametrize(
    ("X_fit", "X_val", "message"),
    [
        (X, X[:, :3], "X_val and y_val must be like X and y: X has 3 features, but .* is expecting 5 features"),
        (FRAME, FRAME.rename(columns={"x4": "z"}), "X_val and y_val must be like X and y: The feature names"),
    ],
)
def test_a_validation_set_of_other_columns_is_refused(make, X_fit, X_val, message):
    with pytest.raises(ValueError, match=message):
        make(early_stopping=True).fit(X_fit, targets(make), X_val=X_val, y_val=targets(make))


@each_kind
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"alpha": -1.0}, ValueError, r"alpha must be a finite number of at least 0, got -1\.0"),
        ({"l1_ratio": 2}, ValueError, "l1_ratio must be"),
        ({"max_iter": -1}, ValueError, "max_iter must be an integer of at least 0, got -1"),
        ({"tol": "small"}, TypeError, "tol must be a finite number"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be an integer"),
        ({"fit_intercept": 1}, TypeError, "fit_intercept must be True or False"),
        ({"standardize": "yes"}, TypeError, "standardize must be True or False"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction must be"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change must be"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be an integer from 1 .* -1 takes all"),
        ({"callbacks": [3]}, TypeError, "callbacks must be None or callables"),
        ({"verbose": "loud"}, TypeError, "verbose must be"),
        ({"random_state": "seed"}, ValueError, "'seed' cannot be used to seed"),
        (
            {"optimizer": "newton"},
            ValueError,
            "optimizer must be an optimizer or one of 'auto', .*'adam'.* got 'newton'",
        ),
        ({"optimizer": 3}, TypeError, "optimizer must be an optimizer"),
        ({"optimizer": st.Adam}, TypeError, "optimizer must be an optimizer"),
        ({"learning_rate": 0.1}, ValueError, "learning_rate must be \"auto\" with optimizer='auto'"),
        ({"optimizer": st.Adam(), "learning_rate": 0.1}, ValueError, 'learning_rate must be "auto" with an optimizer'),
        ({"optimizer": "quasi-newton", "batch_size": 8}, ValueError, "batch_size must be None with"),
        ({"optimizer": "adam", "learning_rate": -1}, ValueError, "learning_rate must be"),
    ],
    ids=str,
)
def test_wrong_parameters_are_named_by_fit(make, options, kind, message):
    model = make(**options)
    with pytest.raises(kind, match=message):
        model.fit(X, targets(make))


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({}, {}, "classes must be given in the first call of partial_fit"),
        ({}, {"classes": [0]}, "at least two classes"),
        ({}, {"classes": [0, 2]}, "y must hold the classes .* only, got .*1"),
        ({"class_weight": "balanced"}, {"classes": [0, 1]}, "class_weight must be a dict or None for partial_fit"),
    ],
)
def test_what_partial_fit_refuses(options, arguments, message):
    with pytest.raises(ValueError, match=message):
        st.LogisticClassifier(**options).partial_fit(X, LABEL, **arguments)


def test_later_calls_of_partial_fit_must_have_the_classes_and_columns_of_the_first():
    model = st.LogisticClassifier().partial_fit(X, LABEL, classes=[0, 1])
    with pytest.raises(ValueError, match="classes must hold all those of the calls before"):
        model.partial_fit(X, LABEL, classes=[0, 2])
    with pytest.raises(ValueError, match="X has 3 features"):
        model.partial_fit(X[:, :3], LABEL)
    model.partial_fit(X[:7], np.zeros(7, int))
    assert model.n_iter_ == 2


def test_what_fit_refuses_of_labels_and_class_weights():
    model = st.LogisticClassifier()
    with pytest.raises(ValueError, match="at least two classes, got 1 class"):
        model.fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match=r"X_val and y_val must be like X and y: y must hold the classes \[0 1\] only"):
        model.fit(X, LABEL, X_val=X, y_val=LABEL + 1)
    with pytest.raises(ValueError, match="given together or not at all, got only one"):
        model.fit(X, LABEL, X_val=X)
    for wrong, message in [
        ("even", "class_weight must be a dict"),
        ({0: -1.0}, "at least 0"),
        ({0: 1.0, 7: 2.0}, "class"),
    ]:
        with pytest.raises(ValueError, match=message):
            st.LogisticClassifier(class_weight=wrong).fit(X, LABEL)


@each_kind
def test_what_a_warm_start_refuses(make):
    model = make(warm_start=True).fit(X, targets(make))
    with pytest.raises(ValueError, match="X must have 5 columns as in the last fit"):
        model.fit(X[:, :3], targets(make))
    if make is st.LogisticClassifier:
        model = make(warm_start=True).fit(X, LABEL)
        with pytest.raises(ValueError, match=r"y must have the classes \[0 1\] of the last fit"):
            model.fit(X, LABEL + 1)


def test_weights_must_be_right():
    for weight, message in [(-np.ones(len(X)), "at least 0"), (np.full(len(X), np.nan), "NaN"), (np.ones(3), "shape")]:
        with pytest.raises(ValueError, match=message):
            st.LinearRegressor().fit(X, TARGET, sample_weight=weight)


def test_scikit_learn_is_optional():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import steepest as st; from steepest.extras import MissingExtraError\n"
        "assert 'LinearRegressor' in dir(st)\n"
        "try: st.LinearRegressor\nexcept MissingExtraError as error: print(error)"
    )
    assert python(code).stdout == "sklearn is not installed: pip install scikit-learn\n"
    with pytest.raises(AttributeError, match="has no attribute 'Regressor'"):
        _ = st.Regressor
