"""The curvature of an objective: its spectrum, and the rates and steps that follow from it."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st
from cases import Problem, each_loss
from quadratics import quadratic, rotated
from steepest.extras import MissingExtraError

seeds = st_.integers(0, 2**32 - 1)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_eigenvalues_are_those_of_the_reference(loss, dtype, weighted):
    problem = Problem(loss, dtype=dtype, weighted=weighted, alpha=0.2)
    X, y, weight = problem.data
    hessian = getattr(st.reference, f"{loss}_hessian")(X, y, problem.w0, sample_weight=weight, alpha=0.2)
    found = st.curvature(problem.objective, problem.w0)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(hessian), atol=tolerance)
    np.testing.assert_allclose(hessian @ found.eigenvectors, found.eigenvectors * found.eigenvalues, atol=9 * tolerance)
    assert (found.method, found.n_parameters, found.rank) == ("dense", 6, 6)
    np.testing.assert_allclose(found.parameter_scales**2, np.diag(hessian), rtol=9 * tolerance)


@given(seed=seeds, low=st_.floats(-3, 2), span=st_.floats(0, 6))
@settings(deadline=None, max_examples=30)
def test_the_formulas_of_rates_and_momentum(seed, low, span):
    eigenvalues = 10**low * np.array([1.0, 10 ** (span / 2), 10**span])
    found = st.curvature(quadratic(rotated(eigenvalues, seed)), np.zeros(3))
    smallest, largest = eigenvalues[0], eigenvalues[-1]
    kappa = largest / smallest
    assert found.eigenvalue_min == pytest.approx(smallest, rel=1e-8)
    assert found.eigenvalue_max == pytest.approx(largest, rel=1e-12)
    assert found.condition_number == found.effective_condition_number == pytest.approx(kappa, rel=1e-8)
    assert found.max_learning_rate == pytest.approx(2 / largest)
    assert found.best_learning_rate == pytest.approx(2 / (largest + smallest))
    root = math.sqrt(kappa)
    assert found.best_momentum == pytest.approx(((root - 1) / (root + 1)) ** 2, rel=1e-6, abs=1e-9)
    assert found.best_momentum_learning_rate == pytest.approx(4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2)


def descent(method, c, hessian, start, steps):
    """The distances from the minimum, 0, at the best rate of a method."""
    objective, root = quadratic(hessian), math.sqrt(c.condition_number)
    optimizer = {
        "gradient_descent": lambda: st.GradientDescent(c.best_learning_rate),
        "heavy_ball": lambda: st.Momentum(c.best_momentum_learning_rate, momentum=c.best_momentum),
        "accelerated": lambda: st.Momentum(1 / c.eigenvalue_max, momentum=(root - 1) / (root + 1), nesterov=True),
    }[method]()
    path = st.minimize(objective, start, optimizer, max_epochs=steps, record_path=True, diagnose=False).path
    return np.linalg.norm(path, axis=1)


@pytest.mark.parametrize("method", ["gradient_descent", "heavy_ball", "accelerated"])
@pytest.mark.parametrize("kappa", [3.0, 50.0, 500.0, pytest.param(2000.0, marks=pytest.mark.slow)])
@given(seed=seeds)
@settings(deadline=None, max_examples=5)
def test_predicted_steps_are_those_of_the_worst_start(method, kappa, seed):
    hessian = rotated([0.5, 0.5 * kappa], seed)
    c = st.curvature(quadratic(hessian), np.zeros(2))
    steps = c.predicted_steps(1e-6, method)
    distances = descent(method, c, hessian, c.eigenvectors.sum(axis=1), 2 * steps + 20)
    measured = int(np.flatnonzero(distances <= 1e-6 * distances[0])[0])
    assert measured / 2 <= steps <= measured * 1.01 + 1


@given(seed=seeds, rate=st_.floats(0.1, 0.99), tol=st_.floats(-8, 0))
@settings(deadline=None, max_examples=25)
def test_steps_to_a_gradient_norm_are_exact_on_least_squares(seed, rate, tol):
    rng = np.random.default_rng(seed)
    objective = st.LeastSquares(rng.standard_normal((30, 4)) * [1, 2, 3, 0.5], rng.standard_normal(30))
    w0 = rng.standard_normal(5)
    c = st.curvature(objective, w0)
    chosen, tol = rate * c.max_learning_rate, 10**tol
    steps = c.steps_to_gradient_norm(tol, chosen)
    stop = st.stop.GradientNorm(tol)
    result = st.minimize(objective, w0, st.GradientDescent(chosen), max_epochs=10**6, stop=stop, diagnose=False)
    assert abs(result.n_steps - steps) <= 1


def test_steps_that_never_end():
    c = st.curvature(quadratic(np.diag([1.0, 2.0])), np.ones(2))
    assert c.steps_to_gradient_norm(1e-3, 1.5) == math.inf
    assert c.steps_to_gradient_norm(10.0) == 0
    assert (c.predicted_steps(1.0), c.predicted_steps(0.5)) == (0, 1)
    assert st.curvature(quadratic(np.eye(3)), np.ones(3)).predicted_steps(1e-9) == 1
    saddle = st.curvature(quadratic(np.diag([-1.0, 2.0])), np.ones(2))
    assert saddle.predicted_steps(0.1) == saddle.condition_number == saddle.effective_condition_number == math.inf
    assert math.isnan(saddle.best_learning_rate)
    assert math.isnan(saddle.best_momentum)
    assert st.curvature(quadratic(np.diag([-1.0, -2.0])), np.ones(2)).max_learning_rate == math.inf


@pytest.mark.parametrize(
    ("eigenvalues", "kind"),
    [
        ([1.0, 2.0, 3.0], "minimum"),
        ([-1.0, -2.0, -3.0], "maximum"),
        ([-1.0, 2.0, 3.0], "saddle"),
        ([-1.0, 0.0, 3.0], "saddle"),
        ([0.0, 2.0, 3.0], "degenerate"),
        ([0.0, 0.0, 0.0], "degenerate"),
        ([-3.0, -2.0, 0.0], "degenerate"),
    ],
)
@pytest.mark.parametrize("with_product", [True, False])
def test_kinds_of_stationary_points(eigenvalues, kind, with_product):
    objective = quadratic(rotated(eigenvalues), np.full(3, 2.0), with_product)
    assert st.curvature(objective, np.full(3, 2.0)).kind == kind
    away = st.curvature(objective, np.full(3, 2.01), gradient_tolerance=1e-6)
    assert away.kind == ("not stationary" if any(eigenvalues) else kind)


def test_the_tolerance_of_a_stationary_point():
    objective = quadratic(np.diag([1.0, 2.0]))
    w = np.array([1e-3, 0.0])
    assert st.curvature(objective, w).kind == "not stationary"
    assert st.curvature(objective, w, gradient_tolerance=2e-3).kind == "minimum"
    assert st.curvature(quadratic(1e-12 * np.diag([1.0, 2.0])), w).kind == "not stationary"
    problem = Problem(alpha=0.3, l1_ratio=1.0)
    w = st.minimize(problem.objective, None, st.GradientDescent("auto"), max_epochs=2000).w
    found = st.curvature(problem.objective, w)  # with L1 the smooth part has a gradient at the minimum
    assert (found.kind, np.linalg.norm(found.gradient) > 0.1) == ("minimum", True)


def test_flat_directions_are_left_out_of_what_descent_feels():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3))
    objective = st.LeastSquares(np.column_stack([X, X[:, 0] + X[:, 1]]), rng.standard_normal(50))
    c = st.curvature(objective, np.zeros(5))
    assert (c.rank, c.condition_number) == (4, math.inf)
    assert c.effective_condition_number == pytest.approx(c.eigenvalues[-1] / c.eigenvalues[1])
    stop = st.stop.GradientNorm(1e-9)
    result = st.minimize(objective, None, st.GradientDescent(c.best_learning_rate), max_epochs=10**5, stop=stop)
    assert result.n_steps == pytest.approx(c.steps_to_gradient_norm(1e-9), abs=1)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d"), [(200, 60), (40, 60)])
def test_lanczos_finds_the_ends_of_the_spectrum(n, d, dtype, alpha):
    pytest.importorskip("scipy")
    rng = np.random.default_rng(n)
    X = (rng.standard_normal((n, d)) * np.geomspace(1, 0.2, d)).astype(dtype)
    objective = st.LeastSquares(X, rng.standard_normal(n).astype(dtype), alpha=alpha)
    w = np.zeros(d + 1, dtype)
    dense, found = st.curvature(objective, w), st.curvature(objective, w, method="lanczos")
    assert found.eigenvalue_max == pytest.approx(dense.eigenvalue_max, rel=1e-3)
    assert found.eigenvalue_min == pytest.approx(dense.eigenvalue_min, rel=0.05, abs=dense.zero_tolerance)
    assert math.isinf(found.condition_number) == math.isinf(dense.condition_number)
    assert (found.method, found.eigenvalues.shape, found.eigenvectors.shape) == ("lanczos", (2,), (d + 1, 2))
    for i in range(2):
        v = found.eigenvectors[:, i].astype(dtype)
        residual = objective.hessian_product(w, v) - found.eigenvalues[i] * v
        assert np.linalg.norm(residual) < 0.05 * dense.eigenvalue_max
    with pytest.raises(ValueError, match=r"needs all eigenvalues: use curvature"):
        found.steps_to_gradient_norm(1e-3)


@pytest.mark.slow
def test_lanczos_of_many_parameters():
    pytest.importorskip("scipy")
    d = 100_000
    eigenvalues = np.linspace(1.0, 100.0, d)
    objective = st.Function(lambda w: (0.5 * w @ (eigenvalues * w), eigenvalues * w), d, lambda w, v: eigenvalues * v)
    found = st.curvature(objective, np.ones(d))
    assert found.method == "lanczos"
    assert (found.eigenvalue_min, found.eigenvalue_max) == pytest.approx((1.0, 100.0), rel=0.02)
    assert found.condition_number == pytest.approx(100.0, rel=0.03)


def test_lanczos_of_no_curvature_and_of_a_saddle():
    pytest.importorskip("scipy")
    flat = st.Function(lambda w: (float(w.sum()), np.ones(9)), 9, lambda w, v: np.zeros(9))
    assert st.curvature(flat, np.ones(9), method="lanczos").eigenvalues.tolist() == [0.0, 0.0]
    saddle = st.curvature(quadratic(rotated([-7.0, *range(1, 8)])), np.zeros(8), method="lanczos")
    assert (saddle.kind, saddle.eigenvalue_min) == ("saddle", pytest.approx(-7.0))
    not_finite = st.Function(lambda w: (0.0, np.zeros(9)), 9, lambda w, v: v * np.nan)
    for method in ("dense", "lanczos"):
        with pytest.raises(ValueError, match="the Hessian of objective at w must be finite"):
            st.curvature(not_finite, np.ones(9), method=method)


def test_a_missing_scipy_names_its_extra(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"^scipy is not installed: pip install scipy$"):
        st.curvature(quadratic(np.eye(4)), np.ones(4), method="lanczos")


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_differences_of_gradients_stand_for_a_hessian(seed):
    problem = Problem("logistic", seed=seed, alpha=0.1)
    plain = st.Function(problem.objective.value_and_gradient, 6)
    exact, found = (st.curvature(o, problem.w0) for o in (problem.objective, plain))
    np.testing.assert_allclose(found.eigenvalues, exact.eigenvalues, atol=1e-8)


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_what_standardising_would_leave(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((80, 4)) @ rng.standard_normal((4, 4)) * 10.0 ** rng.integers(-2, 3, 4) + [0, 5, -3, 100]
    y = rng.standard_normal(80)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = st.curvature(st.LeastSquares(scaled, y), np.zeros(5)).condition_number
    found = st.curvature(st.LeastSquares(X, y), np.zeros(5)).standardised_condition_number
    lost = np.finfo(float).eps * ((X.mean(axis=0) / X.std(axis=0)) ** 2).max()  # of a centred product, from raw ones
    assert found == pytest.approx(expected, rel=max(1e-6, 4 * lost * expected))


def test_no_standardising_without_an_intercept():
    problem = Problem(intercept=False)
    assert st.curvature(problem.objective, problem.w0).standardised_condition_number is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o, w: st.curvature(3, w), TypeError, "a LeastSquares, .*, Function or .*, got 3"),
        (lambda o, w: st.curvature(st.LeastSquares, w), TypeError, "objective must be a LeastSquares"),
        (lambda o, w: st.curvature(o, w[1:]), ValueError, r"w must be a contiguous float64 array of shape \(6,\), got"),
        (lambda o, w: st.curvature(o, w.astype("f")), TypeError, "w must be .* float64"),
        (
            lambda o, w: st.curvature(o, w, method="qr"),
            ValueError,
            "method must be one of 'auto', 'dense'",
        ),
        (lambda o, w: st.curvature(o, w, gradient_tolerance=-1), ValueError, "gradient_tolerance must be"),
        (lambda o, w: st.curvature(o, w).predicted_steps(0), ValueError, "tol must be a finite number above 0, got 0"),
        (
            lambda o, w: st.curvature(o, w).predicted_steps(0.1, "newton"),
            ValueError,
            "method must be .*newton",
        ),
        (lambda o, w: st.curvature(o, w).steps_to_gradient_norm(-1), ValueError, "tol must be a finite number above 0"),
        (lambda o, w: st.curvature(o, w).steps_to_gradient_norm(1, 0), ValueError, "learning_rate must be"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(Problem().objective, Problem().w0)


def test_a_point_whose_squares_overflow_is_no_minimum():
    """The norm of w enters the tolerance: 1e-3 (1 + 1.4e20) times the largest eigenvalue, 1 here."""
    w = np.full(2, 1e20, np.float32)
    found = st.curvature(st.LeastSquares(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), intercept=False), w)
    assert found.gradient_tolerance == pytest.approx(1e-3 * np.sqrt(2) * 1e20, rel=1e-6)
    assert found.gradient_norm > found.gradient_tolerance
