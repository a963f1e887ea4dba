"""Paths over more columns than rows, which go by working sets: the conditions of a minimum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import enet_path, lasso_path

import steepest as st
from path_problems import LOSSES, rows, slopes, targets, violations
from steepest.paths.wide import WorkingSets

N, D = 60, 300


@pytest.fixture
def counted(monkeypatch):
    """The number of alphas that working sets solved."""
    found, solve = [], WorkingSets.solve

    def counting(self, alpha):
        found.append(alpha)
        return solve(self, alpha)

    monkeypatch.setattr(WorkingSets, "solve", counting)
    return found


@pytest.mark.parametrize("kind", ["C", "F", "CSR"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_point_is_a_minimum(loss, kind, counted):
    X = rows(n=N, d=D)
    if kind == "CSR":
        X = np.where(np.abs(X) < 1, 0.0, X)
    y = targets(loss, X)
    stored = {"C": X, "F": np.asfortranarray(X), "CSR": scipy.sparse.csr_array(X)}[kind]
    path = st.path(getattr(st, loss)(stored, y), n_alphas=20, tol=1e-9)
    assert path.converged.all()
    assert violations(loss, X, y, path).max() < 0.02
    assert counted == path.alphas.tolist()
    assert np.all(path.gaps >= 0)
    np.testing.assert_allclose(
        path.values[-1],
        getattr(st, loss)(X, y, alpha=path.alphas[-1], l1_ratio=1.0).value(path.parameters(-1)),
        rtol=1e-8,
    )


def test_lasso_path_of_scikit_learn():
    X = rows(n=N, d=D)
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y), n_alphas=30, tol=1e-11)
    options = {"alphas": path.alphas / 2, "tol": 1e-12, "max_iter": 1_000_000}
    _, coefs, _ = lasso_path(X - X.mean(axis=0), y - y.mean(), **options)
    np.testing.assert_allclose(path.coefs.toarray(), coefs.T, atol=1e-4)


def test_a_ridge_path_needs_no_working_sets(counted):
    X = rows(n=N, d=D)
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y), n_alphas=5, l1_ratio=0)
    assert violations("LeastSquares", X, y, path).max() < 1e-3
    assert not counted


def test_float32_and_weights():
    X = rows(n=N, d=D)
    y = targets("Logistic", X)
    weight = np.random.default_rng(1).integers(1, 4, N).astype(float)
    exact = st.path(st.Logistic(X, y, sample_weight=weight), n_alphas=10, tol=1e-9)
    assert violations("Logistic", X, y, exact, weight).max() < 0.02
    narrow = [each.astype(np.float32) for each in (X, y, weight)]
    path = st.path(st.Logistic(narrow[0], narrow[1], sample_weight=narrow[2]), exact.alphas)
    assert path.parameters(0).dtype == np.float32
    np.testing.assert_allclose(path.values, exact.values, rtol=1e-4)


def test_cross_validation_of_wide_data():
    X = rows(n=N, d=D)
    y = targets("LeastSquares", X)
    model = st.LinearRegressorCV(n_alphas=10, cv=3).fit(X, y)
    plain = st.LinearRegressor(alpha=model.alpha_, l1_ratio=1.0).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-4)
    assert slopes("LeastSquares", model.predict(X), y).shape == (N,)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_pass_judges_several_alphas(loss):
    """All points have their duality gap, but the passes are fewer than the alphas."""
    X = rows(n=N, d=D)
    y = targets(loss, X)
    path = st.path(getattr(st, loss)(X, y), n_alphas=40)
    assert path.converged.all()
    assert path.n_passes < len(path)
    assert violations(loss, X, y, path).max() < 0.02


def test_rows_of_weight_zero_count_for_nothing_in_joint_passes():
    X = rows(n=N, d=D)
    y, weight = targets("LeastSquares", X), np.ones(N)
    weight[::7] = 0.0
    kept = weight > 0.0
    expected = st.path(st.LeastSquares(X[kept], y[kept]), n_alphas=10, tol=1e-10)
    X[~kept] = 1e6
    path = st.path(st.LeastSquares(X, y, sample_weight=weight), expected.alphas, tol=1e-10)
    np.testing.assert_allclose(path.values, expected.values, rtol=1e-9)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_positive_path_of_scikit_learn(ratio, counted):
    X = rows(n=N, d=D)
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y), n_alphas=12, l1_ratio=ratio, tol=1e-11, positive=True, early_end=False)
    options = {"alphas": path.alphas / 2, "tol": 1e-12, "max_iter": 1_000_000, "l1_ratio": ratio, "positive": True}
    _, coefs, _ = enet_path(X - X.mean(axis=0), y - y.mean(), **options)
    assert counted
    assert path.converged.all()
    assert path.coefs.toarray().min() == 0.0
    np.testing.assert_allclose(path.coefs.toarray(), coefs.T, atol=1e-4)
