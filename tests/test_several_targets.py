"""Several targets of `LinearRegressor`: scikit-learn's coefficients, and those of a fit to each target alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import threadpoolctl
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.utils.estimator_checks import check_regressor_multioutput

import steepest as st
from steepest.estimators import several
from steepest.estimators.blas import on_one_thread
from steepest.estimators.passes import Passes

RNG = np.random.default_rng(0)
N, D, K = 300, 5, 4
X = RNG.normal(size=(N, D)) * [1, 20, 0.5, 1, 1] + [0, 100, -1, 0, 3]
Y = X @ RNG.normal(size=(D, K)) + RNG.normal(size=(N, K)) + [0.0, 1e6, -3.0, 4.0]
WEIGHT = RNG.integers(0, 4, N).astype(float)
STORED = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": sp.csr_matrix,
    "csr float32": lambda X: sp.csr_matrix(X.astype(np.float32)),
}


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each target was done by the shared factor."""
    told: list[bool] = []
    real = several._Shared.fit

    def fit(self: Any, rows: Any) -> Any:
        found = real(self, rows)
        told.extend(each.result.converged for each in found)
        return found

    monkeypatch.setattr(several._Shared, "fit", fit)
    return told


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("name", list(STORED))
def test_coefficients_of_scikit_learn(
    name: str, alpha: float, intercept: bool, weighted: bool, shared: list[bool]
) -> None:
    weight = WEIGHT if weighted else None
    total = WEIGHT.sum() if weighted else N
    stored = STORED[name](X)
    model = st.LinearRegressor(alpha=alpha, fit_intercept=intercept).fit(stored, Y, weight)
    rounded = (X.astype(stored.dtype).astype(float), Y.astype(stored.dtype).astype(float))
    theirs = Ridge(alpha * total / 2, fit_intercept=intercept, solver="svd").fit(*rounded, weight)
    rtol = 3e-4 if "32" in name else 1e-7
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_ * np.ones(K), rtol=rtol, atol=rtol)
    assert model.coef_.dtype == stored.dtype
    assert model.converged_.all()
    assert shared == [True] * K
    found = model.predict(stored)
    assert found.shape == (N, K)
    np.testing.assert_allclose(found, theirs.predict(X), rtol=rtol * 10, atol=rtol * 10)
    assert model.score(stored, Y, weight) == pytest.approx(r2_score(Y, found, sample_weight=weight))


OPTIONS: list[dict[str, Any]] = [
    {},
    {"alpha": 0.1, "standardize": True},
    {"standardize": True, "fit_intercept": False},
    {"alpha": 0.2, "l1_ratio": 0.5},
    {"loss": "huber", "delta": 2.0},
    {"optimizer": "nesterov", "standardize": True, "max_iter": 30},
    {"optimizer": "adam", "batch_size": 16, "max_iter": 3, "random_state": 0},
    {"early_stopping": True, "random_state": 0, "optimizer": "adam", "max_iter": 20},
    {"max_iter": 2},
    {"tol": 0.0, "max_iter": 5},
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_each_target_is_that_of_a_fit_to_it_alone(options: dict[str, Any], shared: list[bool]) -> None:
    model = st.LinearRegressor(**options).fit(X, Y, WEIGHT)
    for j in range(K):
        alone = clone(model).fit(X, Y[:, j], WEIGHT)
        if shared:
            np.testing.assert_allclose(model.coef_[j], alone.coef_, rtol=1e-8, atol=1e-8)
            np.testing.assert_allclose(model.intercept_[j], alone.intercept_, rtol=1e-8)
        else:
            np.testing.assert_array_equal(model.coef_[j], alone.coef_)
            assert model.intercept_[j] == alone.intercept_
            assert (model.n_iter_[j], model.stop_reason_[j]) == (alone.n_iter_, alone.stop_reason_)
        assert model.converged_[j] == alone.converged_
        assert model.history_[j]["loss"][-1] == pytest.approx(alone.history_["loss"][-1], rel=1e-9)
        np.testing.assert_allclose(model.predict(X)[:, j], alone.predict(X), rtol=1e-8, atol=1e-7)
    plain = {"optimizer", "l1_ratio", "loss", "early_stopping", "tol", "max_iter"}.isdisjoint(options)
    assert bool(shared) == plain


def test_counts() -> None:
    counts = RNG.poisson(np.exp(0.3 * X[:, [0, 2]])).astype(float)
    model = st.LinearRegressor(loss="poisson").fit(X, counts)
    np.testing.assert_array_equal(model.coef_[1], st.LinearRegressor(loss="poisson").fit(X, counts[:, 1]).coef_)
    assert (model.predict(X) > 0).all()
    with pytest.raises(ValueError, match=r"target 1 of y: .*at least 0"):
        model.fit(X, counts * [1, -1])


def test_a_mixed_penalty_against_scikit_learn() -> None:
    model = st.LinearRegressor(alpha=0.4, l1_ratio=0.5).fit(X, Y)
    theirs = ElasticNet(alpha=0.2, l1_ratio=0.5, tol=1e-10, max_iter=100_000).fit(X, Y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-4, atol=1e-6)


def test_more_columns_than_the_factor_takes(monkeypatch: pytest.MonkeyPatch, shared: list[bool]) -> None:
    monkeypatch.setattr(several, "_MOST_COLUMNS", D - 1)
    model = st.LinearRegressor().fit(X, Y)
    assert not shared
    np.testing.assert_array_equal(model.coef_[2], st.LinearRegressor().fit(X, Y[:, 2]).coef_)


def test_columns_that_depend_on_each_other(shared: list[bool]) -> None:
    """The factor does not exist. Predictions are those of least squares all the same."""
    twice = np.column_stack([X, 2 * X[:, 0]])
    model = st.LinearRegressor().fit(twice, Y)
    assert not shared
    np.testing.assert_allclose(model.predict(twice), LinearRegression().fit(X, Y).predict(X), rtol=1e-6, atol=1e-6)
    few = st.LinearRegressor().fit(X[:3], Y[:3])
    np.testing.assert_allclose(few.predict(X[:3]), Y[:3], rtol=1e-5, atol=1e-5)
    penalised = st.LinearRegressor(alpha=0.1).fit(twice[:4], Y[:4])
    theirs = Ridge(0.2, solver="svd").fit(twice[:4], Y[:4])
    np.testing.assert_allclose(penalised.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)


def test_nearly_dependent_columns_are_refined_or_handed_on() -> None:
    """Whatever the factor is worth, a target that it does not solve to the tolerance is fitted by itself."""
    for apart in (1e-3, 1e-5, 1e-7):
        near = np.column_stack([X, X[:, 0] + apart * RNG.normal(size=N)])
        model = st.LinearRegressor().fit(near, Y)
        expected = near @ np.linalg.lstsq(near - near.mean(axis=0), Y - Y.mean(axis=0), rcond=None)[0]
        expected += Y.mean(axis=0) - expected.mean(axis=0)
        np.testing.assert_allclose(model.predict(near), expected, rtol=1e-6, atol=1e-4)


def test_a_wrong_factor_gives_no_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that are 1.9 times too long do not reach the tolerance, which the gradient of each target shows."""
    exact = several._core.Cholesky

    class Longer:
        definite = True

        def __init__(self, matrix: Any, ridge: float) -> None:
            self._exact = exact(matrix, ridge)

        def solve_all(self, vectors: Any) -> Any:
            return 1.9 * self._exact.solve_all(vectors)

    monkeypatch.setattr(several, "_core", SimpleNamespace(Cholesky=Longer))
    model = st.LinearRegressor().fit(X, Y)
    np.testing.assert_allclose(model.coef_, LinearRegression().fit(X, Y).coef_, rtol=1e-7, atol=1e-8)


def test_one_column_of_targets_as_scikit_learn() -> None:
    column = Y[:, [2]]
    ours, theirs = st.LinearRegressor().fit(X, column), LinearRegression().fit(X, column)
    assert ours.coef_.shape == theirs.coef_.shape == (1, D)
    assert ours.intercept_.shape == theirs.intercept_.shape == (1,)
    assert ours.predict(X).shape == theirs.predict(X).shape == (N, 1)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8)
    again = ours.fit(X, Y[:, 2])  # attributes have the shapes of one target again
    assert again.coef_.shape == (D,)
    assert np.ndim(again.intercept_) == 0
    assert isinstance(again.n_iter_, int)


@pytest.mark.parametrize("kind", ["frame", "list", "int", "object", "polars"])
def test_kinds_of_targets(kind: str) -> None:
    polars = pytest.importorskip("polars")
    whole = np.round(Y)
    given: Any = {
        "frame": pd.DataFrame(whole, columns=list("abcd")),
        "list": whole.tolist(),
        "int": whole.astype(int),
        "object": whole.astype(object),
        "polars": polars.DataFrame(whole, schema=list("abcd")),
    }[kind]
    np.testing.assert_array_equal(st.LinearRegressor().fit(X, given).coef_, st.LinearRegressor().fit(X, whole).coef_)


def test_data_frames_with_categories() -> None:
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(tree=np.array(["fir", "oak", "yew"])[np.arange(N) % 3])
    model = st.LinearRegressor().fit(frame, Y)
    assert model.coef_.shape == (K, 4)
    one = np.column_stack([X[:, :2], np.arange(N) % 3 == 1, np.arange(N) % 3 == 2])
    np.testing.assert_allclose(model.coef_, LinearRegression().fit(one, Y).coef_, rtol=1e-7, atol=1e-8)


def test_sparse_coefficients_and_pickles() -> None:
    model = st.LinearRegressor(alpha=3.0, l1_ratio=1.0).fit(X, Y)
    before, coef = model.predict(X), model.coef_.copy()
    np.testing.assert_allclose(model.sparsify().predict(X), before, rtol=1e-12)
    assert sp.issparse(model.coef_)
    np.testing.assert_array_equal(model.densify().coef_, coef)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), before)
    assert "<td" in model._repr_html_()


def test_a_warm_start() -> None:
    model = st.LinearRegressor("momentum", warm_start=True, standardize=True, max_iter=5, tol=0).fit(X, Y)
    first = [history["loss"][-1] for history in model.history_]
    model.fit(X, Y)
    for history, loss in zip(model.history_, first, strict=True):
        assert history["loss"][0] == pytest.approx(loss, rel=1e-9)
    with pytest.raises(ValueError, match=r"y must have 4 target\(s\) as in the last fit"):
        model.fit(X, Y[:, :2])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_validation_set() -> None:
    options: dict[str, Any] = {"optimizer": "adam", "standardize": True, "max_iter": 20}
    model = st.LinearRegressor(**options).fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:])
    alone = st.LinearRegressor(**options).fit(X[:200], Y[:200, 3], X_val=X[200:], y_val=Y[200:, 3])
    np.testing.assert_array_equal(model.coef_[3], alone.coef_)
    np.testing.assert_array_equal(model.history_[3]["validation_loss"], alone.history_["validation_loss"])
    with pytest.raises(ValueError, match="y_val must have 4 targets, as y"):
        st.LinearRegressor(**options).fit(X, Y, X_val=X, y_val=Y[:, :3])


def test_what_takes_one_target_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint must be None for y of several targets"):
        st.LinearRegressor().fit(X, Y, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match=r"one target for each row here, got 4 columns; only fit takes several"):
        st.LinearRegressor("adam").partial_fit(X, Y)
    model = st.LinearRegressor("adam", max_iter=1, tol=0).fit(X, Y)
    with pytest.raises(ValueError, match="partial_fit takes one target, and this model was fitted to 4"):
        model.partial_fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="model must have one target, got 4"):
        st.summary(st.LinearRegressor().fit(X, Y), X, Y[:, 0])
    with pytest.raises(ValueError, match="estimator must have one target to be saved, got 4"):
        st.save_model(st.LinearRegressor().fit(X, Y), tmp_path / "model.json")
    with pytest.warns(DataConversionWarning):
        st.LinearRegressor("adam").partial_fit(X, Y[:, :1])


@pytest.mark.parametrize("options", [{}, {"optimizer": "adam"}], ids=str)
def test_a_classifier_takes_one_target(options: dict[str, Any]) -> None:
    labels = (Y.mean(axis=0) < Y).astype(int)
    for given in (labels, labels.tolist(), pd.DataFrame(labels)):
        with pytest.raises(ValueError, match="got 4 columns; fit a LogisticClassifier for each"):
            st.LogisticClassifier(**options).fit(X, given)
    with pytest.raises(ValueError, match="got 4 columns"):
        st.LogisticClassifier("adam").partial_fit(X, labels, [0, 1])


@pytest.mark.parametrize(("value", "error"), [(np.nan, ValueError), (np.inf, ValueError), ("a", ValueError)])
def test_faults_of_targets_are_named(value: Any, error: type[Exception]) -> None:
    wrong = Y.astype(object)
    wrong[7, 2] = value
    model = st.LinearRegressor().fit(X, Y)
    before = model.coef_
    with pytest.raises(error, match=r"in row 7 of target 2"):
        model.fit(X, wrong)
    assert model.coef_ is before
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, Y[:-1])
    with pytest.raises(ValueError, match=r"target 1 of y: y must be within float32"):
        model.fit(X.astype(np.float32), Y[:, :2] * [1, 1e100])


def test_sparse_targets_are_refused() -> None:
    for model in (st.LinearRegressor(), st.LogisticClassifier()):
        with pytest.raises(TypeError, match=r"y must be a dense array, got a sparse matrix; convert it with y.toarray"):
            model.fit(X, sp.csr_matrix(Y))


def test_constant_targets_and_few_rows() -> None:
    flat = np.column_stack([np.zeros(N), np.full(N, 5.0), Y[:, 0]])
    model = st.LinearRegressor().fit(X, flat)
    np.testing.assert_allclose(model.coef_[:2], 0, atol=1e-12)
    np.testing.assert_allclose(model.intercept_[:2], [0, 5], atol=1e-10)
    np.testing.assert_allclose(model.coef_[2], LinearRegression().fit(X, Y[:, 0]).coef_, rtol=1e-8)
    one = st.LinearRegressor().fit(X[:1], Y[:1])
    np.testing.assert_allclose(one.predict(X[:1]), Y[:1], rtol=1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_passes_by_blocks_are_those_of_each_target(order: Any, dtype: Any, scaled: bool, weighted: bool) -> None:
    """Values and gradients of the native objective, at any parameters."""
    rng = np.random.default_rng(2)
    many = np.asarray(rng.normal(size=(5001, 30)) + 2, dtype, order=order)
    targets, w = rng.normal(size=(4, 5001)).astype(dtype), rng.normal(size=(3, 31)).astype(dtype)
    scaling = {"centre": rng.normal(size=30), "scale": rng.uniform(0.5, 3, 30)} if scaled else {}
    weight = rng.integers(0, 3, 5001).astype(dtype) if weighted else None
    objective = st.LeastSquares(many, targets[0], sample_weight=weight, alpha=0.3, **scaling)
    passes, some = Passes.of(objective, targets, True), np.array([0, 2, 3])
    assert passes.by_blocks
    found, expected = passes(some, w), Passes(objective, targets, False)(some, w)
    rtol = 1e-12 if dtype == np.float64 else 1e-4
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol * np.abs(other).max())


def test_the_number_of_threads_changes_no_bit() -> None:
    rng = np.random.default_rng(1)
    wide, targets = rng.normal(size=(3000, 40)), rng.normal(size=(3000, 6))
    for stored in (wide, np.asfortranarray(wide), wide.astype(np.float32), sp.csr_matrix(wide)):
        first, second = (st.LinearRegressor(n_jobs=n).fit(stored, targets) for n in (1, 2))
        np.testing.assert_array_equal(first.coef_, second.coef_)
        np.testing.assert_array_equal(first.intercept_, second.intercept_)


def test_blocks_on_one_thread_may_overlap() -> None:
    """The first one to end neither lifts the limit of the other nor leaves its own behind."""

    def limits() -> list[int]:
        return [each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]

    with threadpoolctl.threadpool_limits(3, user_api="blas"):
        before, first, second = limits(), on_one_thread(), on_one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert limits() == [1] * len(before)
        second.__exit__(None, None, None)
        assert limits() == before


def test_the_contract_of_scikit_learn() -> None:
    for model in (st.LinearRegressor(), st.LinearRegressor(alpha=0.1, l1_ratio=0.5), st.LinearRegressor(loss="huber")):
        check_regressor_multioutput("LinearRegressor", model)
        assert model.__sklearn_tags__().target_tags.multi_output
