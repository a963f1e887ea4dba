"""The second-order Taylor model, and gradient descent on it by its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st
from cases import Problem, each_loss
from quadratics import quadratic, rotated

seeds = st_.integers(0, 2**32 - 1)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_has_the_value_the_slope_and_the_curvature_of_its_point(loss, dtype):
    problem = Problem(loss, dtype=dtype, alpha=0.1, l1_ratio=0.5)
    objective, w = problem.objective, problem.w0
    model = st.taylor(objective, w)
    value, gradient = objective.value_and_gradient(w)
    assert model(w) == model.value == value
    np.testing.assert_array_equal(model.gradient, gradient)
    np.testing.assert_array_equal(model.point, w)
    np.testing.assert_allclose(model.hessian, objective.hessian(w), rtol=1e-6)
    assert (model.n_parameters, model.dtype) == (6, np.float64)


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_the_error_is_of_third_order(seed):
    problem, w = Problem("logistic", seed=seed), Problem().w0
    objective, model = problem.objective, st.taylor(problem.objective, w)
    direction = np.random.default_rng(seed).standard_normal(6)
    direction /= np.linalg.norm(direction)
    cubes = np.abs(problem.data[0] @ direction[:-1] + direction[-1]) ** 3
    for h in (1e-1, 1e-2):
        error = abs(model(w + h * direction) - objective.value(w + h * direction))
        third = 1 / (6 * math.sqrt(3))  # the largest third derivative of the loss
        assert error <= third * cubes.mean() * h**3 / 6 + 1e-12


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_the_model_of_least_squares_is_exact(seed):
    objective, rng = Problem(seed=seed).objective, np.random.default_rng(seed)
    model, u = st.taylor(objective, rng.standard_normal(6)), rng.standard_normal(6)
    value, gradient = objective.value_and_gradient(u)
    model_value, model_gradient = model.value_and_gradient(u)
    assert (model(u), model_value) == pytest.approx((value, value), rel=1e-10)
    np.testing.assert_allclose(model_gradient, gradient, atol=1e-10)
    np.testing.assert_allclose(objective.gradient(model.stationary_point()), 0, atol=1e-10)
    np.testing.assert_allclose(model.hessian_product(u, u), objective.hessian_product(u, u), atol=1e-10)


@pytest.mark.parametrize(
    ("f", "derivatives", "at", "coefficients"),
    [
        (math.sin, (math.cos, lambda x: -math.sin(x)), 1.0, (math.sin(1), math.cos(1), -math.sin(1) / 2)),
        (math.sin, (math.cos, lambda x: -math.sin(x)), 5.0, (math.sin(5), math.cos(5), -math.sin(5) / 2)),
        (math.cos, (lambda x: -math.sin(x), lambda x: -math.cos(x)), 0.0, (1.0, 0.0, -0.5)),
    ],
)
def test_the_lectures_models_of_sine_and_cosine(f, derivatives, at, coefficients):
    slope, curvature = derivatives
    objective = st.Function(
        lambda w: (f(w[0]), np.array([slope(w[0])])), 1, lambda w, v: np.array([curvature(w[0]) * v[0]])
    )
    model = st.taylor(objective, np.array([at]))
    x = np.linspace(at - 3, at + 3, 13)
    expected = coefficients[0] + coefficients[1] * (x - at) + coefficients[2] * (x - at) ** 2
    np.testing.assert_allclose(model(x[:, None]), expected, rtol=1e-14, atol=1e-14)


@given(seed=seeds, rate=st_.floats(0.01, 1.2))
@settings(deadline=None, max_examples=30)
def test_descent_follows_its_closed_form(seed, rate):
    eigenvalues = [0.0, 0.3, 1.0, 2.0]
    objective = quadratic(rotated(eigenvalues, seed), np.arange(4.0))
    w0 = np.random.default_rng(seed).standard_normal(4)
    model, optimizer = st.taylor(objective, w0), st.GradientDescent(rate)
    path = st.minimize(objective, w0, optimizer, max_epochs=25, record_path=True, diagnose=False).path
    np.testing.assert_allclose(model.descent(rate, 25), path, atol=1e-9 * 1.4**25)
    on_model = st.minimize(model, w0, optimizer, max_epochs=25, record_path=True, diagnose=False).path
    np.testing.assert_allclose(on_model, path, atol=1e-9 * 1.4**25)
    vectors = np.linalg.eigh(model.hessian)[1]
    coordinates, factors = (path - np.arange(4.0)) @ vectors, 1 - rate * np.array(eigenvalues)
    np.testing.assert_allclose(coordinates, factors ** np.arange(26)[:, None] * coordinates[0], atol=1e-9 * 1.4**25)


def test_descent_from_another_start_and_along_a_slope():
    model = st.taylor(st.Function(lambda w: (float(w[0]), np.array([1.0])), 1, lambda w, v: 0 * v), np.array([3.0]))
    np.testing.assert_allclose(model.descent(0.5, 3)[:, 0], [3.0, 2.5, 2.0, 1.5])
    np.testing.assert_allclose(model.descent(0.5, 2, start=[1.0])[:, 0], [1.0, 0.5, 0.0])
    assert repr(model) == "Taylor(value=3, n_parameters=1)"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o, w: st.taylor(3, w), TypeError, "objective must be"),
        (lambda o, w: st.taylor(o, w[1:]), ValueError, r"w must be a contiguous float64 array of shape \(6,\)"),
        (
            lambda o, w: st.taylor(o, w)(np.zeros(5)),
            ValueError,
            r"u must be an array of shape \(..., 6\), got",
        ),
        (lambda o, w: st.taylor(o, w)(0.0), ValueError, "u must be an array"),
        (lambda o, w: st.taylor(o, w).descent(0.0, 3), ValueError, "learning_rate must be"),
        (lambda o, w: st.taylor(o, w).descent(0.1, -1), ValueError, "n_steps must be"),
        (lambda o, w: st.taylor(o, w).descent(0.1, 1, start=[1.0]), ValueError, "start must be"),
        (lambda o, w: st.taylor(o, w).value_and_gradient(w[1:]), ValueError, "u must be"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(Problem().objective, Problem().w0)
