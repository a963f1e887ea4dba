"""Coefficients of at least 0 by QuasiNewton: the conditions of a minimum, and the minima of other codes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as strategy

import steepest as st
from cases import LOSSES, Problem, each_loss
from steepest import _core
from steepest.estimators import LinearRegressor, LogisticClassifier
from steepest.quasi_newton.proximal import pseudo_gradient
from steepest.working_sets.proximal_point import proximal_point

sparse = pytest.importorskip("scipy.sparse")
linear = pytest.importorskip("sklearn.linear_model")
POSITIVE = st.Box(0.0, np.inf)


def minimum(objective, **options):
    return st.minimize(objective, optimizer=st.QuasiNewton(), constraint=POSITIVE, **{"max_epochs": 500, **options})


def assert_is_minimum(objective, w, tolerance=1e-7):
    """Check the conditions of Karush, Kuhn and Tucker, with the gradient of the objective and its L1 term."""
    table = np.atleast_2d(w)
    coefficients = table[:, : objective.n_features]
    gradient = np.atleast_2d(objective.gradient(w))
    slopes = gradient[:, : objective.n_features] + objective.penalty.l1
    assert (coefficients >= 0.0).all()
    assert (slopes[coefficients == 0.0] >= -tolerance).all()
    assert np.abs(slopes[coefficients > 0.0]).max(initial=0.0) <= tolerance
    assert np.abs(gradient[:, objective.n_features :]).max(initial=0.0) <= tolerance


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("p", [1, 2, 7, 16, 33])
def test_coordinate_descent_keeps_to_the_bounds(p):
    rng = np.random.default_rng(p)
    half = rng.standard_normal((3 * p, p))
    matrix, gradient, w = half.T @ half / p, rng.standard_normal(p), np.abs(rng.standard_normal(p))
    lower = np.where(rng.integers(0, 2, p), 0.0, -np.inf)
    z, settled = _core.coordinate_descent(matrix, gradient, w, np.zeros(p), w, 10_000, 1e-13, lower)
    slope = gradient + matrix @ (z - w)
    assert settled
    assert (z >= lower).all()
    assert np.abs(slope[z > lower]).max(initial=0.0) < 1e-9
    assert (slope[z == lower] >= -1e-9).all()


@given(strategy.integers(0, 9999), strategy.integers(1, 30), strategy.booleans(), strategy.floats(0.0, 1.0))
@settings(max_examples=60)
def test_the_proximal_point_is_the_bounded_minimum(seed, p, exact, strength):
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((2 * p + 2, p)) * np.geomspace(0.1, 10.0, p)
    matrix, gradient, w = half.T @ half, rng.standard_normal(p), np.abs(rng.standard_normal(p))
    l1, positive = strength * rng.integers(0, 2, p), rng.integers(0, 2, p).astype(bool)
    z = proximal_point(matrix, gradient, w, l1, positive=positive)
    pseudo = pseudo_gradient(gradient + matrix @ (z - w), z, l1, positive)
    assert (z[positive] >= 0.0).all()
    assert np.abs(pseudo / np.sqrt(np.diag(matrix))).max() < 1e-6


@each_loss
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("kind", ["C", "F", "csr"])
@pytest.mark.parametrize(("n", "d"), [(80, 5), (15_000, 20)])
def test_the_minimum_satisfies_its_conditions(loss, l1_ratio, alpha, kind, n, d):
    problem = Problem(loss, n=n, d=d, order="F" if kind == "F" else "C", weighted=True)
    X, y, s = problem.data
    X = sparse.csr_array(X) if kind == "csr" else X
    objective = LOSSES[loss].objective(X, y, sample_weight=s, alpha=alpha, l1_ratio=l1_ratio)
    result = minimum(objective)
    assert result.converged, result
    assert_is_minimum(objective, result.w)
    assert (result.w[:d] == 0.0).any()


@pytest.mark.parametrize("alpha", [0.0, 0.02])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_every_class_of_a_softmax_is_bounded(alpha, l1_ratio):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((600, 6)), rng.integers(0, 3, 600).astype(float)
    X[np.arange(600), y.astype(int)] += 0.8
    objective = st.Softmax(X, y, alpha=alpha, l1_ratio=l1_ratio)
    result = minimum(objective)
    assert result.converged
    assert_is_minimum(objective, result.w, 1e-6)


@pytest.mark.parametrize(("n", "d"), [(60, 4), (300, 40), (30, 80), (200, 3000)])
@pytest.mark.parametrize("intercept", [False, True])
def test_wide_and_tall_least_squares_are_those_of_nnls(n, d, intercept):
    rng = np.random.default_rng(d)
    X = rng.standard_normal((n, d)) + 0.5
    y = X[:, :3] @ [1.0, 2.0, -1.0] + 0.5 * rng.standard_normal(n)
    objective = st.LeastSquares(X, y, intercept=intercept)
    result = minimum(objective, max_epochs=3000)
    A = X - X.mean(axis=0) * intercept
    _, norm = scipy.optimize.nnls(A, y - y.mean() * intercept, maxiter=100 * d)
    assert (result.w[:d] >= 0.0).all()
    np.testing.assert_allclose(result.value, norm**2 / n, rtol=1e-7, atol=1e-9)


def test_columns_far_from_zero_and_targets_far_from_zero():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5)) + 1e5
    y = (X - 1e5) @ [1.0, -1.0, 2.0, 0.5, -3.0] + 1e7 + 0.1 * rng.standard_normal(400)
    w = minimum(st.LeastSquares(X, y)).w
    expected = linear.LinearRegression(positive=True).fit(X - X.mean(axis=0), y - y.mean()).coef_
    np.testing.assert_allclose(w[:5], expected, rtol=1e-5, atol=1e-6)


def boxes(d):
    """Boxes that QuasiNewton takes, for d coefficients and an intercept."""
    some = np.where(np.arange(d) % 2 == 0, 0.0, -np.inf)
    return {
        "numbers": POSITIVE,
        "coefficients": st.Box(some, np.inf),
        "parameters": st.Box(np.append(some, -np.inf), np.full(d + 1, np.inf)),
        "no bounds": st.Box(-np.inf, np.inf),
    }


@each_loss
@pytest.mark.parametrize("kind", boxes(1))
def test_quasi_newton_is_the_default_for_the_boxes_that_it_takes(loss, kind):
    """By Adam, these runs take 100 epochs and more. The bits are those of a run that names the optimizer."""
    X, y, s = Problem(loss, n=90, d=6, weighted=True).data
    objective, box = LOSSES[loss].objective(X, y, sample_weight=s, alpha=0.01), boxes(6)[kind]
    result = st.minimize(objective, constraint=box)
    named = st.minimize(objective, optimizer=st.QuasiNewton(), constraint=box)
    assert result.converged
    assert result.n_epochs == named.n_epochs < 60
    assert result.w.tobytes() == named.w.tobytes()


def test_the_default_of_every_other_box_is_adam():
    """Bits are those of Adam. A box of another shape gets the error that names the shape."""
    X, y, _ = Problem(n=40, d=3).data
    objective = st.LeastSquares(X, y)
    least = np.array([0.0, -np.inf, 0.0, 0.0])  # of the intercept, too
    for box in (st.Box(0.0, 1.0), st.Box(0.5, np.inf), st.Box(-np.inf, 0.0), st.Box(least, np.inf)):
        result = st.minimize(objective, constraint=box, max_epochs=3, diagnose=False)
        named = st.minimize(objective, optimizer=st.Adam(), constraint=box, max_epochs=3, diagnose=False)
        assert result.w.tobytes() == named.w.tobytes()
    batches = {"constraint": POSITIVE, "batch_size": 8, "max_epochs": 1, "random_state": 0, "diagnose": False}
    assert st.minimize(objective, **batches).n_steps == 5
    bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    assert st.minimize(bowl, np.ones(2), constraint=POSITIVE, max_epochs=3, diagnose=False).n_steps == 3
    classes = st.Softmax(X, np.arange(40.0) % 3)
    with pytest.raises(
        ValueError, match=r"lower must be a number or of shape \(3,\) or \(4,\) for this objective's class"
    ):
        st.minimize(classes, constraint=st.Box(np.zeros(12), np.inf))
    with pytest.raises(TypeError, match=r"constraint must be a st\.Box or a st\.Simplex"):
        st.minimize(objective, constraint=(0.0, np.inf))


def test_the_bound_of_some_coefficients():
    X, y, _ = Problem(n=90).data
    lower = np.array([-np.inf, 0.0, -np.inf, 0.0, -np.inf])
    box = st.Box(lower, np.inf)
    w = st.minimize(st.LeastSquares(X, y), optimizer=st.QuasiNewton(), constraint=box).w
    A = np.column_stack([X, np.ones(90)])
    bounds = np.append(lower, -np.inf), np.inf
    expected = scipy.optimize.lsq_linear(A, y, bounds, tol=1e-14).x
    np.testing.assert_allclose(w, expected, rtol=1e-6, atol=1e-7)


def test_a_run_continues_from_its_checkpoint(tmp_path):
    X, y, _ = Problem("logistic", n=300, d=12).data
    objective, path = st.Logistic(X, y, alpha=0.01), tmp_path / "run"
    whole = minimum(objective)
    minimum(objective, max_epochs=2, checkpoint=path)
    assert minimum(objective, checkpoint=path).w.tobytes() == whole.w.tobytes()


SETS = [st.Box(0.0, 1.0), st.Box(-1.0, np.inf), st.Simplex(), st.Box(np.zeros(6), np.inf)]


@pytest.mark.parametrize("constraint", SETS)
def test_other_sets_are_refused(constraint):
    X, y, _ = Problem().data
    with pytest.raises(ValueError, match=r"constraint must be None or a st\.Box of bounds 0 and infinity"):
        st.minimize(st.LeastSquares(X, y), optimizer=st.QuasiNewton(), constraint=constraint)


# The estimators


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_regressor_is_that_of_scikit_learn(dtype, fit_intercept):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((500, 8)).astype(dtype)
    y = (X @ [1.0, -2.0, 0.5, 0.0, 3.0, -0.1, 0.2, -1.0] + 2.0 + 0.3 * rng.standard_normal(500)).astype(dtype)
    weight = rng.uniform(0.5, 2.0, 500).astype(dtype)
    options = {"positive": True, "fit_intercept": fit_intercept}
    theirs = linear.LinearRegression(**options).fit(X, y, weight)
    ours = LinearRegressor(**options).fit(X, y, weight)
    tolerance = 1e-8 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=tolerance)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=tolerance)
    assert (ours.coef_ >= 0).all()
    assert ours.converged_
    exact = X.astype(float), y.astype(float)
    lasso = linear.Lasso(alpha=0.1, tol=1e-12, max_iter=100_000, **options).fit(*exact)
    ours = LinearRegressor(alpha=0.2, l1_ratio=1.0, **options).fit(X, y)
    np.testing.assert_allclose(ours.coef_, lasso.coef_, rtol=0, atol=tolerance)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_classifier_satisfies_the_conditions(n_classes, standardize):
    rng = np.random.default_rng(2)
    X, y = 3.0 * rng.standard_normal((400, 5)) + 10.0, rng.integers(0, n_classes, 400)
    X[np.arange(400), y] += 2.0
    model = LogisticClassifier(positive=True, standardize=standardize).fit(X, y)
    assert model.converged_
    assert (model.coef_ >= 0.0).all()
    scale = X.std(axis=0) if standardize else np.ones(5)
    Z = (X - X.mean(axis=0)) / scale if standardize else X
    made = st.Logistic if n_classes == 2 else st.Softmax
    objective = made(Z, y.astype(float), alpha=1 / 400)
    shift = X.mean(axis=0) if standardize else np.zeros(5)
    w = np.column_stack([model.coef_ * scale, model.intercept_ + model.coef_ @ shift])
    assert_is_minimum(objective, w[0] if n_classes == 2 else w, 1e-6)


@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n", [1, 40])
def test_where_every_bound_holds_the_fit_has_converged(n, fit_intercept, kind):
    """Far columns and targets of the other sign: an unbounded model would fall far, and zeros are the minimum."""
    X = 50.0 + np.random.default_rng(0).standard_normal((n, 2)) * [0.1, 0.2]
    y = -X @ [1.0, 2.0]
    made = sparse.csr_array(X) if kind == "csr" else X
    model = LinearRegressor(positive=True, fit_intercept=fit_intercept).fit(made, y)
    assert model.converged_
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12)


def test_other_optimizers_are_projected():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((300, 4))
    y = X @ [1.0, -1.0, 0.5, -0.5] + 1.0
    expected = LinearRegressor(positive=True).fit(X, y)
    momentum = LinearRegressor("momentum", positive=True, max_iter=3000).fit(X, y)
    np.testing.assert_allclose(momentum.coef_, expected.coef_, atol=1e-5)
    adam = LinearRegressor("adam", positive=True, batch_size=32, max_iter=50, random_state=0).fit(X, y)
    assert (adam.coef_ >= 0.0).all()
    np.testing.assert_allclose(adam.coef_, expected.coef_, atol=0.1)


def test_a_warm_start_begins_in_the_set():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((100, 3))
    y = X @ [1.0, -1.0, 0.5]
    model = LinearRegressor(warm_start=True).fit(X, y).set_params(positive=True).fit(X, y)
    assert (model.coef_ >= 0.0).all()
    np.testing.assert_allclose(model.coef_, LinearRegressor(positive=True).fit(X, y).coef_, atol=1e-9)


def test_partial_fit_and_other_values_are_refused():
    X, y = np.ones((4, 1)), np.arange(4.0)
    with pytest.raises(ValueError, match="positive must be False for partial_fit"):
        LinearRegressor("adam", positive=True).partial_fit(X, y)
    with pytest.raises(TypeError, match="positive must be True or False"):
        LinearRegressor(positive=1).fit(X, y)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_classes_without_a_penalty_take_few_epochs(dtype, intercept):
    """Beside coefficients that are held at 0, a shift of the others changes probabilities: no curvature is added."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 8)).astype(dtype), rng.integers(0, 4, 60).astype(dtype)
    found = st.minimize(st.Softmax(X, y, intercept=intercept), constraint=st.Box(0, np.inf), max_epochs=60)
    assert found.converged
    assert found.history["gradient_norm"][-1] < 1e-5
