"""`path`: values against scikit-learn, the conditions of a minimum in NumPy, and the ends of paths."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import LogisticRegression, Ridge, enet_path, lasso_path

import steepest as st
from path_problems import LOSSES, D, N, dense, rows, targets, violations


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_point_is_a_minimum(loss, l1_ratio):
    X = rows()
    y = targets(loss, X)
    path = st.path(getattr(st, loss)(X, y), l1_ratio=l1_ratio, n_alphas=30)
    assert path.converged.all()
    assert violations(loss, X, y, path).max() < 1e-3
    assert np.isfinite(path.values).all()
    assert np.all(path.gaps >= 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_storages_give_the_same_path(loss):
    X = np.where(np.random.default_rng(5).random((N, D)) < 0.5, rows(), 0.0)
    y, kind = targets(loss, X), getattr(st, loss)
    expected = st.path(kind(X, y), n_alphas=20, tol=1e-10)
    for stored in (np.asfortranarray(X), scipy.sparse.csr_array(X)):
        path = st.path(kind(stored, y), expected.alphas, tol=1e-10)
        np.testing.assert_allclose(dense(path), dense(expected), atol=1e-5)
    narrow = st.path(kind(X.astype(np.float32), y.astype(np.float32)), expected.alphas)
    assert narrow.parameters(0).dtype == np.float32
    np.testing.assert_allclose(dense(narrow), dense(expected), atol=3e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_count_as_copies(loss):
    X = rows()
    y, kind = targets(loss, X), getattr(st, loss)
    weight = np.random.default_rng(2).integers(0, 4, N).astype(float)
    times = weight.astype(int)
    of_weights = st.path(kind(X, y, sample_weight=weight), n_alphas=20, tol=1e-10)
    of_copies = st.path(kind(np.repeat(X, times, axis=0), np.repeat(y, times)), n_alphas=20, tol=1e-10)
    np.testing.assert_allclose(of_weights.alphas, of_copies.alphas, rtol=1e-9)
    np.testing.assert_allclose(dense(of_weights), dense(of_copies), atol=1e-5)
    assert violations(loss, X, y, of_weights, weight).max() < 1e-3


@pytest.mark.parametrize("loss", LOSSES)
def test_the_first_alpha_is_the_smallest_without_coefficients(loss):
    X = rows()
    y, kind = targets(loss, X), getattr(st, loss)
    largest = st.path(kind(X, y), n_alphas=1).alphas[0]
    assert st.path(kind(X, y), [largest]).n_nonzero.tolist() == [0]
    assert st.path(kind(X, y), [0.999 * largest]).n_nonzero[0] > 0
    assert st.path(kind(X, y), l1_ratio=0.5, n_alphas=1).alphas[0] == pytest.approx(2 * largest)


def test_standardised_objectives():
    X = rows()
    y = targets("LeastSquares", X)
    mean, deviation = st.objectives.column_statistics(X)
    inside = st.path(st.LeastSquares(X, y, centre=mean, scale=deviation), n_alphas=20, tol=1e-10)
    outside = st.path(st.LeastSquares((X - mean) / deviation, y), inside.alphas, tol=1e-10)
    np.testing.assert_allclose(dense(inside), dense(outside), atol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("intercept", [True, False])
def test_lasso_path_of_scikit_learn(intercept, offset):
    X = rows() + offset
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y, intercept=intercept), n_alphas=40, tol=1e-12, smallest=1e-3)
    Z, t = (X - X.mean(axis=0), y - y.mean()) if intercept else (X, y)
    _, coefs, _ = lasso_path(Z, t, alphas=path.alphas / 2, tol=1e-12, max_iter=1_000_000)
    np.testing.assert_allclose(path.coefs.toarray(), coefs.T, atol=1e-6 if offset == 0 or intercept else 1e-4)
    if offset == 0:
        assert path.alphas[0] / 2 == pytest.approx(np.abs(Z.T @ t).max() / N)
    predictions = Z @ coefs
    explained = 1 - ((t[:, None] - predictions) ** 2).sum(axis=0) / (t**2).sum()
    np.testing.assert_allclose(path.deviance_explained, explained, atol=1e-8)


def test_enet_path_of_scikit_learn():
    X = rows()
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y), l1_ratio=0.3, n_alphas=40, tol=1e-12)
    options = {"l1_ratio": 0.3, "alphas": path.alphas / 2, "tol": 1e-12, "max_iter": 1_000_000}
    _, coefs, _ = enet_path(X - X.mean(axis=0), y - y.mean(), **options)
    np.testing.assert_allclose(path.coefs.toarray(), coefs.T, atol=1e-7)


def test_ridge_of_scikit_learn():
    X = rows()
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y), [10.0, 0.1, 1.0], l1_ratio=0)
    assert path.alphas.tolist() == [10.0, 1.0, 0.1]
    for index, alpha in enumerate(path.alphas):
        ridge = Ridge(alpha=alpha * N / 2).fit(X, y)
        np.testing.assert_allclose(path.parameters(index), [*ridge.coef_, ridge.intercept_], atol=1e-9)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("loss", ["Logistic", "Softmax"])
def test_logistic_regression_of_scikit_learn(loss, l1_ratio):
    X = rows()
    y = targets(loss, X)
    path = st.path(getattr(st, loss)(X, y), [0.1, 0.01], l1_ratio=l1_ratio, tol=1e-12)
    for index, alpha in enumerate(path.alphas):
        options = {"C": 1 / (alpha * N), "solver": "saga", "l1_ratio": l1_ratio, "tol": 1e-10, "max_iter": 100_000}
        model = LogisticRegression(**options).fit(X, y)
        np.testing.assert_allclose(np.atleast_2d(path.parameters(index))[:, :-1], model.coef_, atol=1e-5)


@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic"])
def test_more_columns_than_rows(loss):
    X = rows(n=40, d=90)
    y = targets(loss, X)
    path = st.path(getattr(st, loss)(X, y), n_alphas=30)
    assert path.converged.all()
    assert path.alphas[-1] / path.alphas[0] > 0.0099  # the smallest share where columns outnumber the rows
    assert violations(loss, X, y, path).max() < 1e-3
    assert path.n_nonzero.max() <= 40


def test_more_parameters_than_a_hessian_is_kept_for(monkeypatch):
    monkeypatch.setattr("steepest.paths.choice._MOST", 4)
    for loss in LOSSES:
        X = rows()
        y = targets(loss, X)
        path = st.path(getattr(st, loss)(X, y), n_alphas=10)
        assert path.converged.all()
        assert violations(loss, X, y, path).max() < 1e-3


def test_fewer_different_rows_than_columns():
    """Four copies of 15 rows: 14 columns fit the centred rows exactly, and the minimum has no more."""
    X = np.tile(rows(n=15, d=30), (4, 1))
    y = np.tile(np.random.default_rng(0).integers(0, 3, 15).astype(float), 4)
    path = st.path(st.LeastSquares(X, y), smallest=1e-4, tol=1e-12, early_end=False)
    assert path.converged.all()
    assert path.n_nonzero.max() <= 14
    assert violations("LeastSquares", X, y, path).max() < 1e-5


def test_twin_and_constant_columns():
    X = rows()
    X[:, 4] = X[:, 3]
    X[:, 5] = 2.0
    for loss in LOSSES:
        y = targets(loss, X)
        path = st.path(getattr(st, loss)(X, y), n_alphas=20)
        assert violations(loss, X, y, path).max() < 1e-3
        assert not np.atleast_2d(path.parameters(-1))[:, 5].any()


def test_the_deviance_of_counts():
    """Against the formula 2 sum(y log(y / mean) - (y - mean)), of which y log y is 0 for y = 0."""
    X = rows()
    y = targets("Poisson", X)
    path = st.path(st.Poisson(X, y), [0.05])
    mean = np.exp(X @ path.parameters(0)[:-1] + path.parameters(0)[-1])

    def deviance(mean):
        return 2 * np.sum(np.where(y > 0, y * np.log(np.maximum(y, 1) / mean), 0.0) - (y - mean))

    assert path.deviance_explained[0] == pytest.approx(1 - deviance(mean) / deviance(np.full(N, y.mean())))


def test_values_are_those_of_the_objective():
    for loss in LOSSES:
        X = rows()
        y, kind = targets(loss, X), getattr(st, loss)
        path = st.path(kind(X, y), n_alphas=5, l1_ratio=0.5)
        for index, alpha in enumerate(path.alphas):
            value = kind(X, y, alpha=alpha, l1_ratio=0.5).value(path.parameters(index))
            assert path.values[index] == pytest.approx(value, rel=1e-10)


def test_the_path_ends_early():
    X = rows()
    y = X[:, 0] * 2 + 1
    path = st.path(st.LeastSquares(X, y))
    assert path.stop_reason == "explained"
    assert len(path) < 100
    assert path.deviance_explained[-1] > 0.999 > path.deviance_explained[-2]
    assert "ended early: nearly all deviance is explained" in repr(path)
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y))
    assert path.stop_reason == "saturated"
    gain = np.diff(path.deviance_explained) / path.deviance_explained[1:]
    assert gain[-1] < 1e-5 < gain[3:-1].min()
    whole = st.path(st.LeastSquares(X, y), early_end=False)
    assert (len(whole), whole.stop_reason) == (100, "all alphas")
    assert len(st.path(st.LeastSquares(X, y), whole.alphas)) == 100  # given alphas are all fitted


def test_the_share_of_the_l1_norm_is_that_of_the_objective():
    X = rows()
    y = targets("LeastSquares", X)
    assert st.path(st.LeastSquares(X, y), n_alphas=2).l1_ratio == 1.0
    assert st.path(st.LeastSquares(X, y, l1_ratio=0.3), n_alphas=2).l1_ratio == 0.3
    assert st.path(st.LeastSquares(X, y, alpha=0.1), n_alphas=2).l1_ratio == 0.0
    assert st.path(st.LeastSquares(X, y, alpha=0.1), n_alphas=2, l1_ratio=0.7).l1_ratio == 0.7


def test_a_ridge_path_begins_where_a_little_l1_would():
    X = rows()
    y = targets("LeastSquares", X)
    ridge, little = (st.path(st.LeastSquares(X, y), l1_ratio=r, n_alphas=3) for r in (0.0, 1e-3))
    np.testing.assert_allclose(ridge.alphas, little.alphas)


def test_a_path_is_a_table_in_print():
    X = rows()
    path = st.path(st.LeastSquares(X, targets("LeastSquares", X)), n_alphas=20, early_end=False)
    lines = repr(path).splitlines()
    assert lines[0].startswith("Path(20 alphas, ")
    assert lines[1].split() == ["alpha", "non-zeros", "deviance", "explained"]
    assert len(lines) == 12
    assert lines[2].split()[1:] == ["0", "0.0000"]


def test_several_scores():
    X = rows()
    path = st.path(st.Softmax(X, targets("Softmax", X)), n_alphas=6)
    assert [each.shape for each in path.coefs] == [(6, D)] * 3
    assert path.intercepts.shape == (6, 3)
    assert path.parameters(-1).shape == (3, D + 1)
    for score in range(3):
        np.testing.assert_array_equal(path.coefs[score].toarray()[-1], path.parameters(-1)[score, :-1])
        np.testing.assert_array_equal(path.intercepts[-1, score], path.parameters(-1)[score, -1])
    assert path.n_nonzero.tolist() == [sum(each[[k]].nnz for each in path.coefs) for k in range(6)]


def test_the_threads_change_no_bit():
    X = rows(n=1500, d=110)
    for loss in ("LeastSquares", "Logistic", "Huber"):
        y, found = targets(loss, X), []
        for threads in (1, 2):
            with st.threads(threads):
                found.append(dense(st.path(getattr(st, loss)(X, y), n_alphas=5)).tobytes())
        assert len(set(found)) == 1


@pytest.mark.parametrize(("n", "d", "l1_ratio", "seed"), [(69, 50, 0.9, 0), (68, 20, 0.9, 2), (76, 50, 0.5, 7)])
def test_flat_directions_of_few_rows_make_no_warning_of_numpy(n, d, l1_ratio, seed):
    """In float32, a Hessian of rows that are nearly all far leaves steps of 1e160, which are not taken."""
    random = np.random.default_rng(seed)
    X = (random.standard_normal((n, d)) * 10 ** random.uniform(-2, 2, d)).astype(np.float32)
    y = (X @ random.standard_normal(d) * 0.1 + random.standard_t(1.2, n)).astype(np.float32)
    with np.errstate(over="raise", invalid="raise"):
        path = st.path(st.Huber(X, y, delta=0.01), l1_ratio=l1_ratio, n_alphas=20)
    assert path.converged.all()
