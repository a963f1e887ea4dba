"""`path`: values against scikit-learn, the conditions of a minimum in NumPy, and the ends of paths."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import LogisticRegression, Ridge, enet_path, lasso_path

import steepest as st

N, D = 300, 12


def rows(seed=0, n=N, d=D):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ (np.eye(d) + 0.4 * rng.standard_normal((d, d))) + rng.normal(0, 1, d)


def targets(loss, X, seed=1):
    rng = np.random.default_rng(seed)
    score = (X[:, :3] - X[:, :3].mean(axis=0)) @ [1.0, -0.7, 0.4]
    noise = rng.standard_normal(len(X))
    return {
        "LeastSquares": 5 + score + noise,
        "Huber": 5 + score + rng.standard_t(2, len(X)),
        "Logistic": np.where(score + noise > 0, 1.0, 0.0),
        "Softmax": np.digitize(score + noise, [-1.0, 0.5]).astype(float),
        "Poisson": rng.poisson(np.exp(0.5 * score)).astype(float),
    }[loss]


def slopes(loss, z, y):
    """The derivatives of the rows' losses by their scores, from the formulas in the docstrings of the losses."""
    if loss == "LeastSquares":
        return 2 * (z - y)
    if loss == "Huber":
        return 2 * np.clip(z - y, -1.35, 1.35)
    if loss == "Logistic":
        return 1 / (1 + np.exp(-z)) - y
    if loss == "Poisson":
        return np.exp(z) - y
    odds = np.exp(z - z.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True) - np.eye(z.shape[1])[y.astype(int)]


def violations(loss, X, y, path, weight=None):
    """For each alpha, by how much the conditions of a minimum fail, as a share of alpha."""
    weight = np.ones(len(y)) if weight is None else weight
    found = []
    for index, alpha in enumerate(path.alphas):
        w = np.atleast_2d(path.parameters(index)).astype(np.float64)
        z = X @ w[:, :-1].T + w[:, -1]
        slope = slopes(loss, z if loss == "Softmax" else z[:, 0], y).reshape(len(y), -1)
        gradient = (weight[:, None] * slope).T @ X / weight.sum() + alpha * (1 - path.l1_ratio) * w[:, :-1]
        l1, kept = alpha * path.l1_ratio, w[:, :-1] != 0
        off = np.where(kept, np.abs(gradient + l1 * np.sign(w[:, :-1])), np.maximum(np.abs(gradient) - l1, 0))
        found.append(max(off.max(), np.abs((weight[:, None] * slope).sum(axis=0) / weight.sum()).max()) / alpha)
    return np.array(found)


LOSSES = ["LeastSquares", "Huber", "Logistic", "Softmax", "Poisson"]


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


def dense(path):
    return np.array([path.parameters(index) for index in range(len(path))])


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


GOOD = rows(), targets("LeastSquares", rows())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"alphas": []}, ValueError, "alphas must be finite numbers above 0.* at least one, got none"),
        ({"alphas": [1.0, 0.0]}, ValueError, "alphas must be finite numbers above 0.*got 0 at index 1"),
        ({"alphas": [-1.0]}, ValueError, "got -1 at index 0"),
        ({"alphas": [np.nan, 1.0]}, ValueError, "got nan at index 0"),
        ({"alphas": [np.inf]}, ValueError, "got inf at index 0"),
        ({"alphas": 1.0}, TypeError, "in one dimension, got 1.0"),
        ({"alphas": "auto"}, TypeError, "got 'auto'"),
        ({"alphas": ["a"]}, TypeError, "alphas must be finite numbers"),
        ({"alphas": [[1.0]]}, ValueError, r"shape \(1, 1\)"),
        ({"alphas": [[1.0], [1.0, 2.0]]}, TypeError, "alphas must be"),
        ({"alphas": [True]}, TypeError, "alphas must be"),
        ({"n_alphas": 0}, ValueError, "n_alphas must be an integer of at least 1, got 0"),
        ({"n_alphas": 2.5}, TypeError, "n_alphas must be an integer"),
        ({"l1_ratio": 1.5}, ValueError, "l1_ratio must be a finite number of at least 0 and at most 1, got 1.5"),
        ({"l1_ratio": -0.1}, ValueError, "l1_ratio must be"),
        ({"l1_ratio": "lasso"}, TypeError, "l1_ratio must be"),
        ({"smallest": 0.0}, ValueError, "smallest must be a finite number above 0 and below 1, got 0"),
        ({"smallest": 1.0}, ValueError, "smallest must be"),
        ({"tol": 0.0}, ValueError, "tol must be a finite number above 0"),
        ({"early_end": 1}, TypeError, "early_end must be True or False"),
        ({"nlambda": 10}, TypeError, "use n_alphas"),
    ],
)
def test_bad_arguments(options, error, text):
    with pytest.raises(error, match=text):
        st.path(st.LeastSquares(*GOOD), **options)


def test_an_objective_without_data():
    bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    with pytest.raises(TypeError, match=r"st\.path needs an objective with rows of data.*got Function"):
        st.path(bowl)
    with pytest.raises(TypeError, match="objective must be"):
        st.path(GOOD[0])


@pytest.mark.parametrize("loss", LOSSES)
def test_targets_that_no_column_explains(loss):
    """With constant targets or a zero X, all coefficients are 0 at every alpha, and given alphas say so."""
    X, y = rows(), np.ones(N)
    kind = getattr(st, loss)
    objective = kind(X, y, n_classes=3) if loss == "Softmax" else kind(X, y)
    with pytest.raises(ValueError, match="alphas must be given for this objective: its gradient"):
        st.path(objective)
    path = st.path(objective, [1.0, 0.1])
    assert path.n_nonzero.tolist() == [0, 0]
    np.testing.assert_allclose(path.deviance_explained, 0.0, atol=1e-12)
    zero = kind(np.zeros((N, 2)), targets(loss, X))
    with pytest.raises(ValueError, match="alphas must be given"):
        st.path(zero)
    assert st.path(zero, [1.0]).n_nonzero.tolist() == [0]


@pytest.mark.parametrize("loss", LOSSES)
def test_as_many_rows_as_columns(loss):
    X = rows(n=20, d=20)
    y = targets(loss, X)
    path = st.path(getattr(st, loss)(X, y), n_alphas=20)
    assert path.converged.all()
    assert violations(loss, X, y, path).max() < 1e-3


def test_one_row_and_one_column():
    path = st.path(st.LeastSquares(np.array([[2.0]]), np.array([3.0])), [1.0])
    np.testing.assert_allclose(path.parameters(0), [0.0, 3.0])
    X = np.arange(10.0)[:, None]
    path = st.path(st.LeastSquares(X, 2 * X[:, 0] + 1), [1e-6])
    np.testing.assert_allclose(path.parameters(0), [2.0, 1.0], atol=1e-5)


def test_a_fit_that_falls_short_is_told(monkeypatch):
    monkeypatch.setattr("steepest.paths.newton._STEPS", 1)
    X = rows()
    with pytest.warns(st.DiagnosisWarning, match="1 of 2 fits did not reach the tolerance, the first at alpha=0.001"):
        path = st.path(st.Logistic(X, targets("Logistic", X)), [10.0, 0.001])
    assert path.converged.tolist() == [True, False]
    assert "1 of 2 fits did not reach the tolerance" in repr(path)


def test_parts_take_paths_too():
    from steepest.objectives.parts import Parts

    X = rows()
    for loss in LOSSES:
        y, kind = targets(loss, X), getattr(st, loss)
        expected = st.path(kind(X, y), n_alphas=5, tol=1e-10)
        parts = Parts.of([(X[:100], y[:100]), (X[100:], y[100:])])
        options = {"n_classes": 3} if loss == "Softmax" else {}
        np.testing.assert_allclose(
            dense(st.path(kind(parts, **options), expected.alphas, tol=1e-10)), dense(expected), atol=1e-5
        )


class Weighted(st.LeastSquares):
    """An objective whose columns have factors of the penalty, as a path reads them."""

    penalty_weight = None


def test_columns_that_are_not_penalised():
    """Against the path of the residuals of all else on the columns that are not penalised (Frisch, Waugh, Lovell)."""
    X = rows()
    y = targets("LeastSquares", X)
    objective = Weighted(X, y)
    objective.penalty_weight = np.array([0.0, 0.0] + [1.0] * (D - 3) + [np.inf])
    from steepest.paths.gram import Gram
    from steepest.paths.null_model import NullModel
    from steepest.paths.solvers import Goal

    A = np.column_stack([X[:, :2], np.ones(N)])
    best = np.linalg.lstsq(A, y, rcond=None)[0]
    w = np.zeros(D + 1)
    w[[0, 1, -1]] = best
    residual = y - A @ best
    gradient = -2 * np.column_stack([X, np.ones(N)]).T @ residual / N
    null = NullModel(w, float(np.mean(residual**2)), gradient, 1)
    point = Gram(objective, null, 1.0, Goal(1e-13, 1e-9, 0.0)).solve(0.1)
    left = X[:, 2:-1] - A @ np.linalg.lstsq(A, X[:, 2:-1], rcond=None)[0]
    expected = st.path(st.LeastSquares(left, residual, intercept=False), [0.1], tol=1e-13)
    np.testing.assert_allclose(point.w[2:-2], expected.parameters(0), atol=1e-8)
    assert point.w[-2] == 0.0
    assert point.loss == pytest.approx(np.mean((y - X @ point.w[:-1] - point.w[-1]) ** 2))
    slopes_left = np.column_stack([X[:, :2], np.ones(N)]).T @ (X @ point.w[:-1] + point.w[-1] - y)
    np.testing.assert_allclose(slopes_left / N, 0.0, atol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_alphas_far_below_the_tolerance(loss):
    """The conditions of a minimum hold as shares of alpha, however small that is beside the gradient at zeros."""
    X = rows()
    y, kind = targets(loss, X), getattr(st, loss)
    largest = st.path(kind(X, y), n_alphas=1).alphas[0]
    path = st.path(kind(X, y), [1e-6 * largest, 1e-9 * largest])
    assert path.converged.all()
    assert violations(loss, X, y, path).max() < 1e-3


@pytest.mark.parametrize("seed", range(40))
def test_all_penalised_coefficients_are_0_at_the_largest_alpha_beside_free_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((80, 8)) * rng.uniform(0.3, 3.0, 8)
    y = X[:, 0] + rng.standard_normal(80)
    factors = np.r_[0.0, rng.choice([0.0, 0.5, 1.0, 2.0], 6), 1.0]
    path = st.path(st.LeastSquares(X, y, penalty_weight=factors), n_alphas=2)
    assert not path.parameters(0)[:8][factors > 0.0].any()
    assert path.parameters(1)[:8][factors > 0.0].any()


@pytest.mark.parametrize("exponent", [-500, -100, -40, 40, 100, 500])
@pytest.mark.parametrize("loss", LOSSES)
def test_columns_in_any_unit(loss, exponent):
    """The lasso of columns in another unit has the same path: alphas times the unit, coefficients divided by it."""
    X = rows()
    y = targets(loss, X)
    kind, unit = getattr(st, loss), 2.0**exponent
    near = st.path(kind(X, y), n_alphas=10, early_end=False)
    far = st.path(kind(X * unit, y), n_alphas=10, early_end=False)
    assert far.converged.all()
    assert far.l1_ratio == 1.0
    np.testing.assert_allclose(far.alphas, near.alphas * unit, rtol=1e-7)
    np.testing.assert_allclose(far.values, near.values, rtol=1e-6)
    last = [np.atleast_2d(each.parameters(-1))[:, :-1] for each in (near, far)]
    np.testing.assert_allclose(last[1] * unit, last[0], atol=1e-3)


@pytest.mark.parametrize(("ratio", "exponent"), [(0.0, -100), (0.0, 100), (0.5, 100)])
def test_other_penalties_of_columns_in_another_unit(ratio, exponent):
    """Without an L1 norm the alphas go by the square of the unit; in between, each part goes its way."""
    X = rows()
    y = targets("LeastSquares", X)
    unit, alpha = 2.0**exponent, 0.1
    a1, a2 = alpha * ratio * unit, alpha * (1.0 - ratio) * unit**2
    far = st.path(st.LeastSquares(X * unit, y), [a1 + a2], l1_ratio=a1 / (a1 + a2))
    near = st.path(st.LeastSquares(X, y), [alpha], l1_ratio=ratio)
    np.testing.assert_allclose(far.parameters(0)[:-1] * unit, near.parameters(0)[:-1], atol=1e-6)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_positive_path_of_scikit_learn(ratio):
    X = rows()
    y = targets("LeastSquares", X)
    path = st.path(st.LeastSquares(X, y), n_alphas=12, l1_ratio=ratio, tol=1e-12, positive=True, early_end=False)
    options = {"alphas": path.alphas / 2, "tol": 1e-13, "max_iter": 1_000_000, "l1_ratio": ratio, "positive": True}
    _, coefs, _ = enet_path(X - X.mean(axis=0), y - y.mean(), **options)
    assert path.converged.all()
    assert (path.coefs.toarray() == 0.0).any()
    np.testing.assert_allclose(path.coefs.toarray(), coefs.T, atol=1e-6)


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_positive_paths_have_the_minima_of_minimize(loss, free, ratio):
    X = rows()
    y, more = targets(loss, X), {}
    if free:
        more["penalty_weight"] = np.where(np.arange(X.shape[1]) == 1, 0.0, 1.0)
    kind = getattr(st, loss)
    path = st.path(kind(X, y, **more), n_alphas=5, l1_ratio=ratio, tol=1e-9, positive=True, early_end=False)
    assert path.converged.all()
    for at, alpha in enumerate(path.alphas):
        objective = kind(X, y, alpha=alpha, l1_ratio=ratio, **more)
        options = {"optimizer": st.QuasiNewton(), "constraint": st.Box(0.0, np.inf), "max_epochs": 500}
        expected = st.minimize(objective, stop=st.stop.GradientNorm(1e-9), **options)
        assert path.values[at] == pytest.approx(expected.value, rel=1e-7)
        assert np.atleast_2d(path.parameters(at))[:, :-1].min() >= 0.0


def test_nothing_is_pulled_above_zero():
    X = np.abs(rows())
    objective = st.LeastSquares(X, -X.sum(axis=1), intercept=False)
    path = st.path(objective, [0.1, 0.01], positive=True)
    assert path.n_nonzero.tolist() == [0, 0]
    with pytest.raises(ValueError, match="positive=True: its loss pulls no coefficient above 0"):
        st.path(objective, positive=True)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_few_rows_of_float32_and_classes(seed, positive):
    """The Hessian of a softmax is 0 along equal shifts of all classes' intercepts, and in float32 may be below 0."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((13, 10)).astype(np.float32), rng.integers(0, 4, 13).astype(np.float32)
    objective = st.Softmax(X, y, n_classes=4)
    assert st.path(objective, n_alphas=6, l1_ratio=0.5, positive=positive).converged.all()
