"""L1 penalties over wide data: the conditions of a minimum, duality gaps and other solvers' minima."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as strategy

import steepest as st
from steepest.working_sets import solver as working_sets
from steepest.working_sets.level import best_level
from steepest.working_sets.runner import WorkingSetRunner
from steepest.working_sets.solver import WorkingSetSolver
from wide import LOSSES, objective_of, problem, row_parts, value_and_subgradient

sparse = pytest.importorskip("scipy.sparse")
linear_model = pytest.importorskip("sklearn.linear_model")


def size_at_zeros(loss, X, y, weight, intercept):
    """The largest pull of the loss on a coefficient at the best constant: the least alpha of all zeros."""
    objective = objective_of(loss, X, y, weight, intercept=intercept)
    _, gradient = objective.value_and_gradient(objective.constant_model())
    return float(np.abs(gradient.reshape(-1, X.shape[1] + intercept)[:, : X.shape[1]]).max())


@pytest.mark.parametrize("loss", LOSSES)
@given(
    seed=strategy.integers(0, 2**31),
    n=strategy.integers(2, 40),
    d=strategy.integers(1, 90),
    share=strategy.sampled_from([2.0, 0.9, 0.3, 0.03, 1e-3]),
    ratio=strategy.sampled_from([1.0, 0.5]),
    intercept=strategy.booleans(),
    weighted=strategy.booleans(),
)
@settings(max_examples=30)
def test_the_conditions_of_a_minimum_and_the_gap(loss, seed, n, d, share, ratio, intercept, weighted):
    X, y, weight = problem(loss, n, d, seed, weighted=weighted)
    counted = y if weight is None else y[weight > 0]
    assume(len(set(counted)) > 1 and (loss != "softmax" or len(set(counted)) == 3))
    top = size_at_zeros(loss, X, y, weight, intercept)
    assume(top > 1e-3)
    alpha = share * top
    objective = objective_of(loss, X, y, weight, alpha=alpha, l1_ratio=ratio, intercept=intercept)
    solver = WorkingSetSolver(objective)
    solved = solver.solve(None, 1e-9)
    assert solved.converged
    assert solved.gap <= 1e-9 * solver.scale
    l1, l2 = alpha * ratio, alpha * (1.0 - ratio)
    value, sub = value_and_subgradient(loss, X, y, weight, solved.w, l1, l2, intercept)
    assert value == pytest.approx(solved.value, rel=1e-12)
    fine = solver.solve(solved.w, 1e-14)
    # The gap bounds how far a point is above the minimum: of the solution, and of others, by weak duality. Scores are
    # rounded as targets are, which weighs as slopes do.
    rounding = 4e-15 * solver.scale + 4e-16 * np.abs(y).max() * np.sqrt(solver.scale)
    assert solved.value - fine.value <= solved.gap + rounding
    _, sub = value_and_subgradient(loss, X, y, weight, fine.w, l1, l2, intercept)
    assert np.abs(sub).max() <= 4e-6 * top
    if share > 1.0 and ratio == 1.0:
        assert not fine.w.reshape(-1, d + intercept)[:, :d].any()
    random = np.random.default_rng(seed)
    other = random.normal(size=(objective.layout.n_scores, d)) * (random.random(d) < 0.1)
    point = solver.point(other)
    assert point.value - fine.value <= point.gap * (1.0 + 1e-9)


def scikit_learn(kind, X, y, alpha, ratio, intercept, positive=False):
    model = {"lasso": linear_model.Lasso, "net": linear_model.ElasticNet}[kind]
    more = {} if kind == "lasso" else {"l1_ratio": ratio}
    fitted = model(alpha / 2.0, fit_intercept=intercept, tol=1e-13, max_iter=200_000, positive=positive, **more)
    return fitted.fit(X, y)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("kind", "ratio"), [("lasso", 1.0), ("net", 0.6)])
def test_lasso_and_elastic_net_of_scikit_learn(kind, ratio, intercept, positive):
    """Its objective is half of ours: a half of the mean square, and alpha times the same penalty."""
    X, y, _ = problem("least_squares", 80, 300, 1, true=8)
    alpha = 0.1 * size_at_zeros("least_squares", X, y, None, intercept)
    model = scikit_learn(kind, X, y, alpha, ratio, intercept, positive)
    objective = st.LeastSquares(X, y, alpha=alpha, l1_ratio=ratio, intercept=intercept)
    solver = WorkingSetSolver(objective, lower=np.zeros(300) if positive else None)
    solved = solver.solve(None, 1e-13)
    np.testing.assert_allclose(solved.w[:300], model.coef_, rtol=0, atol=1e-7)
    if intercept:
        assert solved.w[300] == pytest.approx(model.intercept_, abs=1e-7)
    if positive:
        assert solved.w[:300].min() == 0.0
    assert np.array_equal(solved.w[:300] != 0.0, model.coef_ != 0.0)


def test_logistic_regression_of_scikit_learn():
    X, y, _ = problem("logistic", 80, 200, 2)
    alpha = 0.1 * size_at_zeros("logistic", X, y, None, False)
    model = linear_model.LogisticRegression(
        l1_ratio=1.0,
        C=1.0 / (alpha * 80),
        solver="liblinear",
        tol=1e-8,
        max_iter=100_000,
        fit_intercept=False,
        random_state=0,
    ).fit(X, y)
    solved = WorkingSetSolver(st.Logistic(X, y, alpha=alpha, l1_ratio=1.0, intercept=False)).solve(None, 1e-13)
    np.testing.assert_allclose(solved.w, model.coef_[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scaled", [False, True])
def test_orders_and_sparse_rows_have_the_same_minimum(loss, scaled):
    X, y, weight = problem(loss, 60, 150, 3, weighted=True)
    X[np.random.default_rng(0).random(X.shape) < 0.7] = 0.0
    options = {"alpha": 0.05, "l1_ratio": 0.9}
    if scaled:
        options |= {"centre": X.mean(axis=0), "scale": X.std(axis=0)}
    found = [
        WorkingSetSolver(objective_of(loss, data, y, weight, **options)).solve(None, 1e-13)
        for data in (X, np.asfortranarray(X), sparse.csr_array(X))
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other.w, found[0].w, rtol=0, atol=1e-7)
    used = (X - options["centre"]) / options["scale"] if scaled else X
    _, sub = value_and_subgradient(loss, used, y, weight, found[0].w, 0.05 * 0.9, 0.05 * 0.1, True)
    assert np.abs(sub).max() < 1e-7


@pytest.mark.parametrize("loss", LOSSES)
def test_float32(loss):
    X, y, weight = problem(loss, 60, 150, 4, dtype=np.float32, weighted=True)
    objective = objective_of(loss, X, y, weight, alpha=0.05, l1_ratio=1.0)
    solver = WorkingSetSolver(objective)
    solved = solver.solve(None, 1e-6)
    assert solved.converged
    assert solved.w.dtype == np.float32
    wide = objective_of(
        loss, X.astype(np.float64), y.astype(np.float64), weight.astype(np.float64), alpha=0.05, l1_ratio=1.0
    )
    best = WorkingSetSolver(wide).solve(None, 1e-13)
    assert wide.value(solved.w.astype(np.float64)) - best.value <= 2e-6 * solver.scale


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_bits_on_any_number_of_threads(loss):
    X, y, _ = problem(loss, 200, 600, 5, true=20)
    found = []
    for n in (1, 2, 5):
        with st.threads(n):
            found.append(WorkingSetSolver(objective_of(loss, X, y, alpha=0.02, l1_ratio=0.9)).solve(None, 1e-10))
    for other in found[1:]:
        assert other.w.tobytes() == found[0].w.tobytes()
        assert (other.value, other.gap) == (found[0].value, found[0].gap)


def test_penalties_of_columns():
    """Infinity leaves a column out; a column without a penalty is not shrunk."""
    X, y, _ = problem("least_squares", 50, 120, 6)
    l1, l2 = np.full(120, 0.2), np.zeros(120)
    l1[:3], l1[3:20], l2[30:] = 0.0, np.inf, 0.1
    objective = st.LeastSquares(X, y, alpha=1.0, l1_ratio=1.0)
    solved = WorkingSetSolver(objective, l1=l1, l2=l2).solve(None, 1e-12)
    assert solved.converged
    assert not solved.w[3:20].any()
    kept = np.r_[0:3, 20:120]
    w = np.append(solved.w[kept], solved.w[120])
    _, sub = value_and_subgradient("least_squares", X[:, kept], y, None, w, l1[kept], l2[kept], True)
    assert np.abs(sub).max() < 1e-7
    free = np.full(120, np.inf)
    free[:3] = 0.0
    alone = WorkingSetSolver(objective, l1=free, l2=np.zeros(120)).solve(None, 1e-12)
    expected = np.linalg.lstsq(np.column_stack([X[:, :3], np.ones(50)]), y, rcond=None)[0]
    np.testing.assert_allclose(alone.w[[0, 1, 2, 120]], expected, atol=1e-9)


def test_one_solver_goes_down_a_path():
    X, y, _ = problem("logistic", 60, 200, 7)
    top = size_at_zeros("logistic", X, y, None, True)
    solver, w, passes = WorkingSetSolver(st.Logistic(X, y, alpha=top, l1_ratio=1.0)), None, 0
    for alpha in top * np.geomspace(1.0, 0.01, 8):
        candidates = None if w is None else np.flatnonzero(w[:-1])
        solved = solver.solve(w, 1e-10, alpha=alpha, candidates=candidates)
        w, passes = solved.w, passes + solved.n_passes
        fresh = WorkingSetSolver(st.Logistic(X, y, alpha=alpha, l1_ratio=1.0)).solve(None, 1e-10)
        assert solved.converged
        assert solved.value == pytest.approx(fresh.value, rel=1e-9)
    assert passes == solver.n_passes


def test_screened_columns_are_zero_and_spare_passes(monkeypatch):
    """After some passes the columns that may matter are few; the rest of the solution looks at these alone."""
    monkeypatch.setattr(working_sets, "_LOOKS", 3)
    X, y, _ = problem("logistic", 100, 2000, 8, true=30)
    alpha = 0.3 * size_at_zeros("logistic", X, y, None, True)
    found = WorkingSetSolver(st.Logistic(X, y, alpha=alpha, l1_ratio=1.0))
    best = found.solve(None, 1e-14)
    assert found.alive is not None
    assert len(found.alive) <= 500
    assert set(np.flatnonzero(best.w[:-1])) <= set(found.alive)
    _, sub = value_and_subgradient("logistic", X, y, None, best.w, alpha, 0.0, True)
    assert np.abs(sub).max() < 1e-12


def run(objective, **options):
    return st.minimize(objective, optimizer=st.QuasiNewton(), **options)


CORNERS = {
    "one row": (1, 20),
    "one column": (20, 1),
    "as many rows as columns": (25, 25),
    "twins": (20, 40),
    "zeros": (10, 30),
    "constant target": (15, 30),
    "no penalty to speak of": (15, 40),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("corner", CORNERS)
def test_corners(loss, corner, monkeypatch):
    monkeypatch.setattr(WorkingSetRunner, "takes", staticmethod(lambda objective: True))
    n, d = CORNERS[corner]
    X, y, _ = problem(loss, n, d, 9)
    alpha = 1e-9 if corner == "no penalty to speak of" else 0.05
    if corner == "twins":
        X[:, 20:] = X[:, :20]
    if corner == "zeros":
        X[:] = 0.0
    if corner == "constant target":
        y = np.full(n, 3.0)
    if loss in ("logistic", "softmax") and (corner in ("one row", "constant target")):
        y = np.ones(n)
        result = run(objective_of(loss, X, y, alpha=alpha, l1_ratio=1.0), diagnose=False)
        assert result.value < 1e-6  # a single class: the intercept goes on for ever
        return
    if loss == "poisson":
        y[0] = max(y[0], 1.0)  # counts of 0 alone have no minimum
    result = run(objective_of(loss, X, y, alpha=alpha, l1_ratio=1.0), diagnose=False)
    value, sub = value_and_subgradient(loss, X, y, None, result.w, alpha, 0.0, True)
    assert result.value == pytest.approx(value, rel=1e-9, abs=1e-15)
    assert np.abs(sub).max() <= max(1e-3 * alpha, 1e-13)
    assert result.duality_gap <= 1e-9
    assert result.converged


def test_a_run_knows_its_gap_and_takes_any_rule():
    X, y, _ = problem("least_squares", 60, 200, 10)
    objective = st.LeastSquares(X, y, alpha=0.1, l1_ratio=1.0)
    result = run(objective, stop=st.stop.GradientNorm(1e-8))
    assert result.stop_reason == "GradientNorm"
    assert result.history["gradient_norm"][-1] <= 1e-8
    assert result.history["loss"].size == result.n_epochs + 1
    assert result.history["loss"][-1] == result.value == pytest.approx(objective.value(result.w), rel=1e-14)
    assert 0.0 <= result.duality_gap <= 1e-7
    assert run(objective, stop=st.stop.GradientNorm(1e-8), w0=np.ones(201)).value == pytest.approx(result.value)
    assert run(st.LeastSquares(X, y, alpha=0.1)).duality_gap is None
    few = run(st.LeastSquares(X[:, :20].copy(), y, alpha=0.1, l1_ratio=1.0))
    assert few.duality_gap is None


def test_far_columns_and_targets():
    X, y, _ = problem("least_squares", 60, 200, 11)
    near = run(st.LeastSquares(X, y, alpha=0.1, l1_ratio=1.0))
    far = run(st.LeastSquares(X + 1e5, y + 1e7, alpha=0.1, l1_ratio=1.0))
    np.testing.assert_allclose(far.w[:-1], near.w[:-1], atol=1e-6)
    assert far.converged


def test_estimators_go_by_working_sets(monkeypatch):
    X, y, _ = problem("least_squares", 60, 200, 12)
    calls, advance = [], WorkingSetSolver.advance
    monkeypatch.setattr(WorkingSetSolver, "advance", lambda *given: calls.append(1) or advance(*given))
    model = st.LinearRegressor(alpha=0.2, l1_ratio=1.0, tol=1e-9).fit(X, y)
    assert calls
    expected = linear_model.Lasso(0.1, tol=1e-12, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(model.coef_.ravel(), expected.coef_, atol=1e-6)


def test_counts_whose_mean_is_large():
    """From scores of 0, Newton's step to the best intercept is the mean itself, where e^z overflows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 100))
    y = rng.poisson(5000 * np.exp(0.2 * X[:, 0])).astype(float)
    objective = st.Poisson(X, y, alpha=100.0, l1_ratio=1.0)
    found = WorkingSetSolver(objective).solve(None, 1e-9)
    assert found.converged
    assert found.value < objective.value(np.append(np.zeros(100), np.log(y.mean())))


def test_estimators_over_sparse_rows():
    """They are judged by the scaled norm."""
    random = np.random.default_rng(0)
    X = sparse.random_array((100, 400), density=0.1, rng=random, format="csr")
    y = (X @ random.normal(size=400) > 0.0).astype(int)
    model = st.LogisticClassifier(alpha=3e-3, l1_ratio=1.0, tol=1e-8).fit(X, y)
    assert model.converged_
    w = np.append(model.coef_.ravel(), model.intercept_)
    _, sub = value_and_subgradient("logistic", X.toarray(), y, None, w, 3e-3, 0.0, True)
    assert np.abs(sub).max() < 1e-5


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", ["least_squares", "logistic", "huber", "poisson"])
def test_offsets_go_by_working_sets(loss, weighted, intercept):
    """The gradient at the minimum, by the definition of the objective with an offset."""
    X, y, weight = problem(loss, 50, 150, 13, weighted=weighted)
    offset, alpha = np.random.default_rng(100).normal(size=50), 0.05
    objective = objective_of(loss, X, y, weight, alpha=alpha, l1_ratio=1.0, offset=offset, intercept=intercept)
    assert WorkingSetRunner.takes(objective)
    result = run(objective, stop=st.stop.GradientNorm(1e-9))
    w = result.w
    z = X @ w[:150] + offset + (w[150] if intercept else 0.0)
    values, slopes = row_parts(loss, z, y)
    share = np.ones(50) / 50 if weight is None else weight / weight.sum()
    gradient = (share * slopes) @ X
    zero = w[:150] == 0.0
    assert 0 < zero.sum() < 150
    assert np.abs(gradient[zero]).max() <= alpha + 1e-7
    np.testing.assert_allclose(gradient[~zero], -alpha * np.sign(w[:150][~zero]), atol=1e-7)
    if intercept:
        assert abs((share * slopes).sum()) < 1e-8
    assert result.value == pytest.approx(share @ values + alpha * np.abs(w[:150]).sum(), rel=1e-9)
    assert result.value == pytest.approx(objective.value(w), rel=1e-9)
    assert 0.0 <= result.duality_gap < 1e-7


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("ratio", [1.0, 0.6])
@pytest.mark.parametrize("columns", [150, 700])
def test_bounds_go_by_working_sets(loss, ratio, columns):
    X, y, weight = problem(loss, 60, columns, 14, weighted=True, true=20)
    alpha = 0.02
    objective = objective_of(loss, X, y, weight, alpha=alpha, l1_ratio=ratio)
    result = run(objective, constraint=st.Box(0.0, np.inf), stop=st.stop.GradientNorm(1e-8))
    assert result.converged
    assert result.duality_gap is not None
    assert 0.0 <= result.duality_gap < 1e-6
    w = result.w.reshape(-1, columns + 1)
    assert w[:, :-1].min() == 0.0
    l1, l2 = alpha * ratio, alpha * (1.0 - ratio)
    value, sub = value_and_subgradient(loss, X, y, weight, result.w, l1, l2, True, np.zeros(columns))
    assert np.abs(sub).max() < 1e-7
    assert result.value == pytest.approx(value, rel=1e-9)
    assert result.history["gradient_norm"][-1] == pytest.approx(np.linalg.norm(sub), abs=1e-9)


def test_a_bounded_run_begins_with_the_norm_of_its_subgradient():
    X, y, _ = problem("least_squares", 40, 90, 15)
    objective = st.LeastSquares(X, y, alpha=0.1, l1_ratio=1.0)
    result = run(objective, constraint=st.Box(0.0, np.inf))
    w0 = np.zeros(91)
    _, sub = value_and_subgradient("least_squares", X, y, None, w0, 0.1, 0.0, True, np.zeros(90))
    assert result.history["gradient_norm"][0] == pytest.approx(np.linalg.norm(sub), rel=1e-12)


def test_counts_at_which_the_loss_of_the_null_model_is_zero():
    """The mean of e makes the null model's loss 0; gaps are judged by its deviance."""
    X, y, _ = problem("poisson", 40, 90, 16)
    y = y * (np.e / y.mean())
    solved = WorkingSetSolver(st.Poisson(X, y, alpha=0.05, l1_ratio=1.0)).solve(None, 1e-9)
    assert solved.converged


@pytest.mark.parametrize("size", [50.0, 800.0, 1e5, -50.0, -1e5])
def test_the_best_intercept_of_saturated_rows(size):
    """Newton's step would end beyond all scores, where no row has a curvature."""
    y, shares = np.array([0.0, 1.0, 1.0, 0.0]), np.full(4, 0.25)
    objective, scores = st.Logistic(np.eye(4), y), np.array([[size, size + 1, size + 2, size - 1]])
    found = best_level(objective, scores, objective.row_terms(scores, y), y, shares)
    assert abs(found.slopes.sum()) < 1e-9
    np.testing.assert_allclose(scores[0], [-0.5, 0.5, 1.5, -1.5], atol=1e-9)


@pytest.mark.parametrize("size", [50.0, 800.0, 1e5])
def test_the_best_intercepts_of_saturated_classes(size):
    y, shares = np.array([0.0, 1.0, 2.0, 1.0]), np.full(4, 0.25)
    objective, scores = st.Softmax(np.eye(4), y), np.random.default_rng(0).standard_normal((3, 4))
    scores[0] += size
    found = best_level(objective, scores, objective.row_terms(scores, y), y, shares)
    np.testing.assert_allclose(found.slopes.sum(axis=1), 0.0, atol=1e-9)
