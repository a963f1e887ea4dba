"""Cross-validated estimators: against scikit-learn's, against fits of copied rows, and their choices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.linear_model import ElasticNetCV, LassoCV
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

import steepest as st

N, D = 150, 8


def rows(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)) @ (np.eye(D) + 0.4 * rng.standard_normal((D, D))) + 1


def regression(seed=0):
    X = rows(seed)
    return X, X[:, :3] @ [3.0, -2.0, 1.0] + 4 * np.random.default_rng(seed + 1).standard_normal(N)


def classes(k=2):
    X, y = regression()
    return X, np.array(["a", "b", "c"])[np.digitize(y, np.quantile(y, np.arange(1, k) / k))]


CHECKED = [
    st.LinearRegressorCV(n_alphas=4, cv=3),
    st.LinearRegressorCV(l1_ratio=[0.2, 0.9], n_alphas=3, cv=2, standardize=True, rule="one-standard-error"),
    st.LogisticClassifierCV(n_alphas=4, cv=3, smallest=0.05),
    st.LogisticClassifierCV(n_alphas=3, cv=2, scoring="accuracy", l1_ratio=0.5),
]


def each_check():
    names, checks = (mark := parametrize_with_checks(CHECKED).mark).args
    return pytest.mark.parametrize(names, list(checks), **mark.kwargs)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@each_check()
def test_follows_the_contract(estimator, check):
    check(estimator)


def test_lasso_cv_of_scikit_learn():
    X, y = regression()
    ours = st.LinearRegressorCV(n_alphas=30).fit(X, y)
    theirs = LassoCV(alphas=ours.alphas_ / 2, cv=5, tol=1e-10, max_iter=1_000_000).fit(X, y)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
    assert ours.alpha_ == pytest.approx(2 * theirs.alpha_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert ours.l1_ratio_ == 1.0
    assert ours.alphas_.shape == (30,)


def test_elastic_net_cv_of_scikit_learn():
    X, y = regression()
    ratios = [0.2, 0.6, 1.0]
    ours = st.LinearRegressorCV(l1_ratio=ratios, n_alphas=20, cv=4).fit(X, y)
    assert ours.mse_path_.shape == (3, 20, 4)
    for ratio, alphas, losses in zip(ratios, ours.alphas_, ours.mse_path_, strict=True):
        theirs = ElasticNetCV(l1_ratio=ratio, alphas=alphas / 2, cv=4, tol=1e-10, max_iter=1_000_000).fit(X, y)
        np.testing.assert_allclose(losses, theirs.mse_path_, rtol=1e-5)
    means = ours.mse_path_ @ np.bincount(np.arange(N) * 4 // N) / N  # weighted by the sizes of the folds
    ratio, alpha = np.unravel_index(means.argmin(), means.shape)
    assert (ours.l1_ratio_, ours.alpha_) == (ratios[ratio], ours.alphas_[ratio, alpha])


@pytest.mark.parametrize("loss", ["huber", "poisson"])
def test_other_losses_against_fits_of_copied_rows(loss):
    X, y = regression()
    y = np.random.default_rng(0).poisson(np.exp(y / 10)).astype(float) if loss == "poisson" else y
    model = st.LinearRegressorCV(loss=loss, alphas=[0.3, 0.03], cv=3).fit(X, y)
    kind = {"huber": st.Huber, "poisson": st.Poisson}[loss]
    for place, (train, test) in enumerate(KFold(3).split(X)):
        for at, alpha in enumerate(model.alphas_):
            w = st.minimize(kind(X[train], y[train], alpha=alpha, l1_ratio=1.0)).w
            assert model.loss_path_[at, place] == pytest.approx(kind(X[test], y[test]).value(w), rel=1e-4)
    assert not hasattr(model, "mse_path_")
    plain = st.LinearRegressor(loss=loss, alpha=model.alpha_, l1_ratio=1.0).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-7)


@pytest.mark.parametrize("k", [2, 3])
def test_classes_against_fits_of_copied_rows(k):
    X, y = classes(k)
    model = st.LogisticClassifierCV(alphas=[0.2, 0.02, 0.002], l1_ratio=0.5, cv=3, class_weight={"a": 2.0}).fit(X, y)
    factor = np.where(y == "a", 2.0, 1.0)
    for place, (train, test) in enumerate(StratifiedKFold(3).split(X, y)):
        for at, alpha in enumerate(model.alphas_):
            one = st.LogisticClassifier(alpha=alpha, l1_ratio=0.5).fit(X[train], y[train], factor[train])
            expected = log_loss(y[test], one.predict_proba(X[test]), sample_weight=factor[test], labels=one.classes_)
            assert model.loss_path_[at, place] == pytest.approx(expected, rel=1e-4)
    np.testing.assert_array_equal(model.scores_, -model.loss_path_)
    by_accuracy = clone(model).set_params(scoring="accuracy", class_weight=None).fit(X, y)
    for place, (train, test) in enumerate(StratifiedKFold(3).split(X, y)):
        for at, alpha in enumerate(model.alphas_):
            one = st.LogisticClassifier(alpha=alpha, l1_ratio=0.5).fit(X[train], y[train])
            assert by_accuracy.scores_[at, place] == pytest.approx(one.score(X[test], y[test]), abs=1 / 50 + 1e-9)


def test_standardised_columns_are_those_of_the_rows_trained_on():
    X, y = regression()
    X = X * np.array([1, 10, 100, 1, 1, 1, 1, 0.01])
    model = st.LinearRegressorCV(alphas=[1.0, 0.1], cv=3, standardize=True).fit(X, y)
    for place, (train, test) in enumerate(KFold(3).split(X)):
        for at, alpha in enumerate(model.alphas_):
            one = st.LinearRegressor(alpha=alpha, l1_ratio=1.0, standardize=True).fit(X[train], y[train])
            expected = np.mean((one.predict(X[test]) - y[test]) ** 2)
            assert model.mse_path_[at, place] == pytest.approx(expected, rel=1e-5)
    plain = st.LinearRegressor(alpha=model.alpha_, l1_ratio=1.0, standardize=True).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-6)


def test_a_weight_counts_as_copies():
    X, y = regression()
    weight = np.random.default_rng(3).integers(0, 3, N)
    half = np.arange(N) < N // 2
    splits = [(np.flatnonzero(half), np.flatnonzero(~half)), (np.flatnonzero(~half), np.flatnonzero(half))]
    times = np.repeat(np.arange(N), weight)
    copied = [(np.flatnonzero(half[times]), np.flatnonzero(~half[times]))]
    copied.append(copied[0][::-1])
    of_weights = st.LinearRegressorCV(n_alphas=10, cv=splits).fit(X, y, sample_weight=weight.astype(float))
    of_copies = st.LinearRegressorCV(n_alphas=10, cv=copied).fit(X[times], y[times])
    np.testing.assert_allclose(of_weights.mse_path_, of_copies.mse_path_, rtol=1e-6)
    assert of_weights.alpha_ == pytest.approx(of_copies.alpha_)
    np.testing.assert_allclose(of_weights.coef_, of_copies.coef_, atol=1e-6)


def test_one_standard_error():
    X, y = regression()
    best = st.LinearRegressorCV(n_alphas=40).fit(X, y)
    plain = st.LinearRegressorCV(n_alphas=40, rule="one-standard-error").fit(X, y)
    means = best.mse_path_.mean(axis=1)  # the folds have equally many rows
    error = best.mse_path_[means.argmin()].std(ddof=1) / np.sqrt(5)
    assert best.alpha_ == best.alphas_[means.argmin()]
    assert plain.alpha_ == best.alphas_[np.flatnonzero(means <= means.min() + error)[0]]
    assert plain.alpha_ > best.alpha_
    assert np.count_nonzero(plain.coef_) <= np.count_nonzero(best.coef_)


def test_sparse_rows_and_data_frames():
    X, y = regression()
    X = np.where(np.abs(X) < 1, 0.0, X)
    dense = st.LinearRegressorCV(n_alphas=10).fit(X, y)
    sparse = st.LinearRegressorCV(n_alphas=10).fit(scipy.sparse.csr_array(X), y)
    np.testing.assert_allclose(sparse.mse_path_, dense.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-6)
    for scoring in ("loss", "accuracy"):
        kind = st.LogisticClassifierCV(n_alphas=10, scoring=scoring, standardize=True)
        apart = clone(kind).fit(X, y > 0), clone(kind).fit(scipy.sparse.csr_array(X), y > 0)
        np.testing.assert_allclose(apart[0].scores_, apart[1].scores_, atol=1e-4 if scoring == "loss" else 0.04)
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(D)])
    named = st.LinearRegressorCV(n_alphas=10).fit(frame, y)
    np.testing.assert_allclose(named.coef_, dense.coef_, atol=1e-10)
    assert named.feature_names_in_.tolist() == list(frame.columns)
    frame["colour"] = np.where(np.arange(N) % 3 == 0, "red", "green")
    with_text = st.LinearRegressorCV(n_alphas=10).fit(frame, y + 5 * (frame["colour"] == "red"))
    assert with_text.get_feature_names_out()[-2:].tolist() == ["colour=green", "colour=red"]
    assert with_text.score(frame, y + 5 * (frame["colour"] == "red")) > 0.4
    by_accuracy = st.LogisticClassifierCV(n_alphas=5, scoring="accuracy").fit(frame, frame["colour"])
    assert by_accuracy.scores_.max() == 1.0


def test_float32_stays_float32():
    X, y = regression()
    model = st.LinearRegressorCV(n_alphas=10).fit(X.astype(np.float32), y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    exact = st.LinearRegressorCV(n_alphas=10).fit(X, y)
    np.testing.assert_allclose(model.mse_path_, exact.mse_path_, rtol=1e-3)


def test_x_is_neither_changed_nor_copied(monkeypatch):
    X, y = regression()
    before, seen = X.copy(), []
    bind = st.LeastSquares.with_data

    def with_data(self, data):
        seen.append(data.X)
        return bind(self, data)

    monkeypatch.setattr(st.LeastSquares, "with_data", with_data)
    st.LinearRegressorCV(n_alphas=3, cv=3).fit(X, y)
    np.testing.assert_array_equal(X, before)
    whole = [each for each in seen if len(each) == N]
    assert len(whole) >= 3
    assert all(each is X for each in whole)


def test_splitters_and_the_path_of_all_rows():
    X, y = regression()
    model = st.LinearRegressorCV(n_alphas=10, cv=ShuffleSplit(3, random_state=0)).fit(X, y)
    assert model.mse_path_.shape == (10, 3)
    expected = st.path(st.LeastSquares(X, y), model.alphas_)
    np.testing.assert_array_equal(model.path_.coefs.toarray(), expected.coefs.toarray())
    at = int(np.argmin(np.abs(model.alphas_ - model.alpha_)))
    np.testing.assert_allclose(model.path_.parameters(at)[:-1], model.coef_, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"cv": 1}, ValueError, "cv must be an integer of at least 2, got 1"),
        ({"cv": "five"}, TypeError, "cv must be an integer of at least 2, got 'five'"),
        ({"cv": object()}, TypeError, "cv must be an integer, a splitter or an iterable of splits, got object"),
        ({"cv": []}, ValueError, "cv must give at least one split"),
        ({"cv": [([0, 1], [])]}, ValueError, "got none held out in fold 0"),
        ({"cv": [([], [0, 1])]}, ValueError, "got none to train on in fold 0"),
        ({"rule": "1se"}, ValueError, "rule must be 'best' or 'one-standard-error', got '1se'"),
        ({"l1_ratio": 2.0}, ValueError, "l1_ratio must be a finite number of at least 0 and at most 1"),
        ({"l1_ratio": []}, ValueError, "l1_ratio must be a number from 0 to 1, or several, got none"),
        ({"n_alphas": 0}, ValueError, "n_alphas must be an integer of at least 1"),
        ({"alphas": [0.0]}, ValueError, "alphas must be finite numbers above 0"),
        ({"smallest": 2.0}, ValueError, "smallest must be a finite number above 0 and below 1"),
        ({"standardize": 1}, TypeError, "standardize must be True or False"),
    ],
)
def test_bad_arguments(options, error, text):
    X, y = regression()
    model = st.LinearRegressorCV(n_alphas=5, cv=3).fit(X, y)
    before = dict(model.__dict__)
    model.set_params(**options)
    with pytest.raises(error, match=text):
        model.fit(X, y)
    assert model.coef_ is before["coef_"]
    assert model.alpha_ == before["alpha_"]


def test_arguments_of_other_libraries():
    with pytest.raises(TypeError, match=r"use alphas=\.\.\., which are 1"):
        st.LogisticClassifierCV(Cs=10)
    with pytest.raises(ValueError, match="scoring must be 'loss' or 'accuracy', got 'roc_auc'"):
        st.LogisticClassifierCV(scoring="roc_auc").fit(*classes())


def test_few_rows_have_few_folds():
    X, y = classes(3)
    few = np.concatenate([np.flatnonzero(y == name)[:3] for name in "abc"])
    assert st.LogisticClassifierCV(n_alphas=3).fit(X[few], y[few]).loss_path_.shape == (3, 3)
    assert st.LinearRegressorCV(n_alphas=3).fit(X[:4], np.arange(4.0)).loss_path_.shape == (3, 4)
    assert st.LinearRegressorCV(n_alphas=3).fit(X, np.arange(float(N))).loss_path_.shape == (3, 5)


def test_folds_with_one_class():
    X, y = classes()
    order = np.argsort(y)
    with pytest.raises(ValueError, match=r"all 2 classes to train on in each fold, got 1 class\(es\) in fold 0"):
        st.LogisticClassifierCV(n_alphas=3, cv=KFold(2)).fit(X[order], y[order])
    rare = np.array(["b"] * N)
    rare[3] = "a"
    with (
        pytest.warns(UserWarning, match="The least populated class"),
        pytest.raises(ValueError, match="rows of all 2 classes to train on"),
    ):
        st.LogisticClassifierCV(n_alphas=3).fit(X, rare)
    weight = np.where(y == "a", 0.0, 1.0)
    with pytest.raises(ValueError, match="at least two classes with a weight for cross-validation, got one"):
        st.LogisticClassifierCV(n_alphas=3).fit(X, y, sample_weight=weight)


def test_partial_fit_is_not_there():
    assert not hasattr(st.LinearRegressorCV(), "partial_fit")
    assert not hasattr(st.LogisticClassifierCV(), "partial_fit")


def test_data_in_parts_are_refused():
    from steepest.objectives.parts import Parts

    X, y = regression()
    with pytest.raises(TypeError, match="X must be an array, a sparse matrix or a data frame for cross-val"):
        st.LinearRegressorCV().fit(Parts.of([(X, y)]))


def held_out(model, kind, X, y, offset, weight, **options):
    """The mean losses of held-out rows, by fits of copied rows with their own offsets."""
    found = np.empty(model.loss_path_.shape)
    for place, (train, test) in enumerate(KFold(3).split(X)):
        for at, alpha in enumerate(model.alphas_):
            own = {"alpha": alpha, "l1_ratio": 1.0, **{k: v for k, v in options.items() if k != "positive"}}
            objective = kind(X[train], y[train], offset=offset[train], sample_weight=weight[train], **own)
            bounds = {"constraint": st.Box(0.0, np.inf), "optimizer": st.QuasiNewton()} if "positive" in options else {}
            w = st.minimize(objective, stop=st.stop.GradientNorm(1e-9), **bounds).w
            rest = kind(X[test], y[test], offset=offset[test], sample_weight=weight[test])
            found[at, place] = rest.value(w)
    return found


@pytest.mark.parametrize(
    "more", [{}, {"positive": True}, {"penalty_weight": np.array([0, 1, 2, 1, np.inf, 1, 1, 1.0])}]
)
@pytest.mark.parametrize("loss", ["least_squares", "huber", "poisson", "logistic"])
def test_offsets_bounds_and_factors_against_fits_of_copied_rows(loss, more):
    X, y = regression()
    rng = np.random.default_rng(3)
    offset, weight = rng.normal(size=N), rng.integers(1, 4, N).astype(float)
    kind = {"least_squares": st.LeastSquares, "huber": st.Huber, "poisson": st.Poisson, "logistic": st.Logistic}[loss]
    if loss == "poisson":
        y = rng.poisson(np.exp(y / 10 + offset)).astype(float)
    if loss == "logistic":
        y = (y + offset > 0).astype(float)
        model = st.LogisticClassifierCV(alphas=[0.1, 0.01], cv=KFold(3), **more)
    else:
        model = st.LinearRegressorCV(loss=loss, alphas=[0.3, 0.03], cv=KFold(3), **more)
    model.fit(X, y, weight, offset=offset)
    np.testing.assert_allclose(model.loss_path_, held_out(model, kind, X, y, offset, weight, **more), rtol=2e-4)
    plain = st.LogisticClassifier if loss == "logistic" else st.LinearRegressor
    own = {} if loss == "logistic" else {"loss": loss}
    one = plain(alpha=model.alpha_, l1_ratio=1.0, **own, **more).fit(X, y, weight, offset=offset)
    np.testing.assert_allclose(model.coef_, one.coef_, atol=1e-6)
    with pytest.raises(ValueError, match="offset must be given"):
        model.predict(X)
    assert model.predict(X, offset=offset).shape == (N,)


def test_bad_offsets_and_factors():
    X, y = regression()
    model = st.LinearRegressorCV(n_alphas=3, cv=2)
    with pytest.raises(ValueError, match=r"offset must be finite numbers of shape \(150,\)"):
        model.fit(X, y, offset=np.ones(3))
    assert not hasattr(model, "coef_")
    with pytest.raises(ValueError, match="penalty_weight"):
        st.LinearRegressorCV(penalty_weight=-np.ones(D)).fit(X, y)
    with pytest.raises(TypeError, match="positive must be"):
        st.LinearRegressorCV(positive="yes").fit(X, y)
    X, y = classes(3)
    with pytest.raises(NotImplementedError, match="offset must be None for more than two classes"):
        st.LogisticClassifierCV(n_alphas=3, cv=2).fit(X, y, offset=np.ones(N))


def test_few_alphas_of_float32_make_no_warning():
    """The path to the last fit goes as far as rounding allows, which is no fault of the fit."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 4)).astype(np.float32)
    model = st.LogisticClassifierCV(n_alphas=3, cv=2).fit(X, X[:, 0] + rng.logistic(size=60) > 0)
    assert model.converged_
