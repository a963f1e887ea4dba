"""`path`: bad arguments, odd data and units, factors of penalties and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import enet_path

import steepest as st
from path_problems import LOSSES, D, N, dense, rows, targets, violations

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


def test_columns_without_a_penalty_may_explain_all():
    X = np.random.default_rng(0).standard_normal((200, 3))
    objective = st.LeastSquares(X, 3.0 * X[:, 0] + 1.0, penalty_weight=[0.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"the columns of penalty_weight 0 fit all rows; .*at every alpha"):
        st.path(objective)


@pytest.mark.parametrize("alphas", [None, [1.0, 0.1]])
@pytest.mark.parametrize("loss", ["Logistic", "Softmax"])
def test_columns_without_a_penalty_that_separate_leave_no_minimum(loss, alphas):
    X = np.random.default_rng(0).standard_normal((200, 3))
    objective = getattr(st, loss)(X, (X[:, 0] > 0).astype(np.float64), penalty_weight=[0.0, 1.0, 1.0])
    with pytest.warns(st.DiagnosisWarning, match="no minimum at any alpha: parameters without a penalty separate"):
        path = st.path(objective, alphas, n_alphas=3)
    assert not path.converged.any()


def test_a_fold_without_a_minimum_is_told():
    """One row keeps the flag's coefficient finite, and a fold holds it out."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.r_[1.0, 1.0, 1.0, np.zeros(197)], rng.standard_normal(200)])
    y = 1 * (X[:, 1] + rng.logistic(size=200) > 0)
    y[:3] = 1, 1, 0
    order = rng.permutation(200)
    with pytest.warns(st.DiagnosisWarning, match="no minimum at any alpha"):
        model = st.LogisticClassifierCV(penalty_weight=[0.0, 1.0], n_alphas=5).fit(X[order], y[order])
    assert model.converged_
    assert np.isfinite(model.coef_).all()


def test_no_column_has_a_penalty():
    X = rows()
    with pytest.raises(ValueError, match="it has no column with a finite penalty_weight above 0"):
        st.path(st.LeastSquares(X, X[:, 0].copy(), penalty_weight=np.zeros(X.shape[1])))


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


@pytest.mark.parametrize("loss", LOSSES)
def test_small_columns_of_float32_are_not_flat(loss):
    """The rounding of a column's slope is in the unit of that column, not in that of the intercept."""
    X = np.column_stack([np.random.default_rng(0).standard_normal((60, 3)), np.ones(60)]).astype(np.float32)
    y, kind = targets(loss, X).astype(np.float32), getattr(st, loss)
    unit = np.float32(2.0**-23)
    plain, small = (st.path(kind(each, y), n_alphas=5, early_end=False) for each in (X, X * unit))
    np.testing.assert_allclose(small.alphas, plain.alphas * unit, rtol=1e-5)
    np.testing.assert_allclose(small.deviance_explained, plain.deviance_explained, atol=1e-5)
