"""The numbers and laws of the lectures that need the Hessian: kinds of points, rates, models, condition numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st

seeds = st_.integers(0, 2**32 - 1)


def one_dimensional(value, slope, curvature):
    """An objective of one parameter from three formulas."""
    return st.Function(lambda w: (value(w[0]), [slope(w[0])]), 1, lambda w, v: curvature(w[0]) * v)


def square(scales, at=(0.0, 0.0), constant=0.0):
    """Sum of scales_i (w_i - at_i)^2, plus a constant."""
    scales, at = np.array(scales, dtype=float), np.array(at)
    return st.Function(
        lambda w: (scales @ (w - at) ** 2 + constant, 2 * scales * (w - at)), len(scales), lambda w, v: 2 * scales * v
    )


def least_squares(seed, n=14, d=4):
    """A random least-squares problem without an intercept, of condition number up to about a thousand."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * 2.0 ** rng.integers(-2, 3, d)
    return st.LeastSquares(X, rng.standard_normal(n), intercept=False)


QUARTIC = one_dimensional(lambda w: w**4 - 5 * w**2 + w + 4, lambda w: 4 * w**3 - 10 * w + 1, lambda w: 12 * w**2 - 10)


@pytest.mark.parametrize(
    ("signs", "constant", "kind"), [([1, 1], 1, "minimum"), ([-1, -1], 12, "maximum"), ([-1, 1], 1, "saddle")]
)
def test_kinds_of_the_three_surfaces(signs, constant, kind):
    point = np.array([1.0, 2.0])
    curvature = st.curvature(square(signs, point, constant), point)
    assert curvature.kind == kind
    np.testing.assert_array_equal(curvature.eigenvalues, np.sort(2.0 * np.array(signs)))


@pytest.mark.parametrize(("at", "kind"), [(-1.628949, "minimum"), (1.528544, "minimum"), (0.100405, "maximum")])
def test_kinds_of_the_quartic(at, kind):
    assert st.curvature(QUARTIC, np.array([at]), gradient_tolerance=1e-4).kind == kind
    assert st.curvature(QUARTIC, np.array([at + 0.1]), gradient_tolerance=1e-4).kind == "not stationary"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_zero_eigenvalue_cannot_tell(sign):  # a minimum and a saddle with one Hessian
    objective = st.Function(
        lambda w: (w[0] ** 2 + sign * w[1] ** 4, np.array([2 * w[0], 4 * sign * w[1] ** 3])),
        2,
        lambda w, v: np.array([2 * v[0], 12 * sign * w[1] ** 2 * v[1]]),
    )
    assert st.curvature(objective, np.zeros(2)).kind == "degenerate"


def test_rates_of_theta_squared():
    curvature = st.curvature(one_dimensional(lambda w: w**2, lambda w: 2 * w, lambda w: 2.0), np.array([1.0]))
    assert (curvature.max_learning_rate, curvature.best_learning_rate, curvature.condition_number) == (1.0, 0.5, 1.0)


def test_bowl_of_the_lectures():
    curvature = st.curvature(square([4, 1]), np.array([1.0, 2.0]))
    found = (curvature.condition_number, curvature.max_learning_rate, curvature.best_learning_rate)
    assert found == pytest.approx((4.0, 0.25, 0.2), rel=1e-15)


@pytest.mark.parametrize(
    ("objective", "at", "coefficients"),
    [
        ("sin", 1.0, (math.sin(1), math.cos(1), -math.sin(1) / 2)),
        ("sin", 5.0, (math.sin(5), math.cos(5), -math.sin(5) / 2)),
        ("cos", 0.0, (1.0, 0.0, -0.5)),
    ],
)
def test_taylor_models_of_sine_and_cosine(objective, at, coefficients):
    functions = {
        "sin": one_dimensional(math.sin, math.cos, lambda x: -math.sin(x)),
        "cos": one_dimensional(math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)),
    }
    x = np.linspace(at - 3, at + 3, 13)
    expected = np.polynomial.Polynomial(coefficients)(x - at)
    np.testing.assert_allclose(st.taylor(functions[objective], np.array([at]))(x[:, None]), expected, rtol=1e-13)


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_the_model_of_a_quadratic_is_the_quadratic(seed):
    objective, rng = least_squares(seed), np.random.default_rng(seed)
    model, points = st.taylor(objective, rng.standard_normal(4)), rng.standard_normal((5, 4))
    np.testing.assert_allclose(model(points), [objective.value(u) for u in points], rtol=1e-9)


@given(seed=seeds, fraction=st_.floats(0.05, 0.99))
@settings(deadline=None, max_examples=20)
def test_descent_follows_its_closed_form(seed, fraction):
    objective, w0 = least_squares(seed), np.arange(1.0, 5.0)
    rate = fraction * st.curvature(objective, w0).max_learning_rate
    rule = st.GradientDescent(rate)
    run = st.minimize(objective, w0, rule, max_epochs=30, record_path=True, diagnose=False)
    np.testing.assert_allclose(st.taylor(objective, w0).descent(rate, 30), run.path, atol=1e-9)


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_best_rate_loses_to_no_other(seed):
    objective = least_squares(seed)
    curvature = st.curvature(objective, np.zeros(4))
    rates = curvature.best_learning_rate * np.array([[0.95], [1.0], [1.05]])
    slowest = np.abs(1 - rates * curvature.eigenvalues).max(axis=1)
    kappa = curvature.condition_number
    assert slowest[1] == pytest.approx((kappa - 1) / (kappa + 1), rel=1e-9)
    assert slowest[1] < min(slowest[0], slowest[2])


@pytest.mark.parametrize("kappa", [25.0, 100.0, 400.0])
def test_heavy_ball_needs_about_the_root_of_the_steps(kappa):
    objective, w0 = square([0.5, kappa / 2]), np.array([1.0, 1.0])
    curvature = st.curvature(objective, w0)
    root = math.sqrt(kappa)
    found = (curvature.best_momentum_learning_rate, curvature.best_momentum)
    assert found == pytest.approx((4 / (root + 1) ** 2, ((root - 1) / (root + 1)) ** 2), rel=1e-12)
    optimizer = st.Momentum(found[0], momentum=found[1])
    path = st.minimize(objective, w0, optimizer, max_epochs=200, record_path=True, diagnose=False).path
    factor = (np.linalg.norm(path[200]) / np.linalg.norm(path[100])) ** 0.01
    assert factor == pytest.approx((root - 1) / (root + 1), rel=0.02)
    assert curvature.predicted_steps(1e-6, "heavy_ball") < curvature.predicted_steps(1e-6)


def test_standardising_takes_the_condition_number_down_as_foretold():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((500, 4)) * [1.0, 10.0, 100.0, 1000.0] + [0.0, 30.0, -200.0, 5000.0]
    y = rng.standard_normal(500)
    raw = st.curvature(st.LeastSquares(X, y), np.zeros(5))
    scaled = st.curvature(st.LeastSquares((X - X.mean(axis=0)) / X.std(axis=0), y), np.zeros(5))
    assert raw.condition_number > 1e6
    assert scaled.condition_number < 2
    assert raw.standardised_condition_number == pytest.approx(scaled.condition_number, rel=1e-4)
    assert "standardise" in str(raw)
