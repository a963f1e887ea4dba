"""The numbers and laws of the lectures on gradient descent that the engine serves."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st

seeds = st_.integers(0, 2**32 - 1)


def function(value, gradient, hessian=None, n_parameters=1):
    """An objective from plain formulas in the parameters, given one by one."""
    product = None if hessian is None else lambda w, v: np.array(hessian(*w), dtype=float) @ v
    return st.Function(lambda w: (float(value(*w)), np.array(gradient(*w), dtype=float)), n_parameters, product)


def descend(objective, start, learning_rate, steps=1, **options):
    """Plain gradient descent of so many steps."""
    optimizer = st.GradientDescent(learning_rate)
    w0 = np.array(start, dtype=float)
    return st.minimize(objective, w0, optimizer, max_epochs=steps, record_path=True, diagnose=False, **options)


def secret_number(x, y):
    """y = x + theta: one parameter, the mean squared error of y - x."""
    return st.LeastSquares(np.ones((len(x), 1)), np.subtract(y, x).astype(float), intercept=False)


def quadratic(seed, n=12, d=4):
    """A random least-squares problem (no intercept), the eigenvalues and eigenvectors of its Hessian, its minimum."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)) * 2.0 ** rng.integers(-2, 3, d), rng.standard_normal(n)
    objective = st.LeastSquares(X, y, intercept=False)
    eigenvalues, vectors = np.linalg.eigh(objective.hessian(np.zeros(d)))
    return objective, eigenvalues, vectors, np.linalg.lstsq(X, y, rcond=None)[0]


# Numbers


def test_secret_number_with_rate_1_is_a_two_cycle():
    path = descend(secret_number([2, 3, 5, 8], [4, 5, 7, 10]), [5.0], 1.0, steps=9).path
    np.testing.assert_array_equal(path[:, 0], [5.0, -1.0] * 5)


def test_secret_number_with_rate_three_quarters_halves_the_error():
    result = descend(secret_number([2, 3, 5, 8], [4, 5, 7, 10]), [5.0], 0.75, steps=60)
    np.testing.assert_array_equal(result.path[:4, 0], [5.0, 0.5, 2.75, 1.625])
    assert result.w[0] == pytest.approx(2.0, abs=1e-14)


def test_secret_number_as_an_intercept_alone():
    objective = st.LeastSquares(np.zeros((4, 1)), np.array([2.0, 2.0, 2.0, 2.0]))
    np.testing.assert_array_equal(descend(objective, [7.0, 5.0], 0.75, 3).path[:, 1], [5.0, 0.5, 2.75, 1.625])


def test_noisy_secret_number():
    objective = secret_number([2, 3, 5, 8], [3, 6, 5, 12])
    result = descend(objective, [5.0], 0.25, steps=60)
    assert (*result.w, result.value) == pytest.approx((2.0, 2.5), rel=1e-14)
    np.testing.assert_allclose(objective.gradient(np.array([2.0])), [0.0], atol=1e-15)


def test_line_through_three_points():
    objective = st.LeastSquares(np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 3.0]))
    slope, intercept = 0.0, 4.0
    np.testing.assert_allclose(objective.gradient(np.array([slope, intercept])), [20 / 3, 4.0], rtol=1e-15)
    result = descend(objective, [slope, intercept], 0.1, steps=2000)
    np.testing.assert_allclose(result.path[1], [-2 / 3, 3.6], rtol=1e-15)
    np.testing.assert_allclose(result.w, [1.0, 0.0], atol=1e-12)


def test_parabola_with_an_offset():
    objective = function(lambda x: x**2 + 2, lambda x: [2 * x])
    value, gradient = objective.value_and_gradient(np.array([2.0]))
    assert (value, *gradient) == (6.0, 4.0)
    result = descend(objective, [2.0], 0.1)
    assert (*result.w, result.value) == pytest.approx((1.6, 4.56), rel=1e-15)


@pytest.mark.parametrize(("rate", "factor"), [(0.01, 0.98), (0.1, 0.8), (0.8, -0.6), (1.01, -1.02)])
def test_factor_of_a_step_on_theta_squared(rate, factor):
    path = descend(function(lambda w: w**2, lambda w: [2 * w]), [1.0], rate, steps=20).path[:, 0]
    np.testing.assert_allclose(path, factor ** np.arange(21), rtol=1e-12)


def test_bound_of_the_rate_on_theta_squared_is_1():
    objective = function(lambda w: w**2, lambda w: [2 * w], lambda w: [[2.0]])
    assert 2 / np.linalg.eigvalsh(objective.hessian(np.array([1.0])))[-1] == 1.0
    assert abs(descend(objective, [1.0], 0.99, 200).w[0]) < 0.02
    assert abs(descend(objective, [1.0], 1.0, 200).w[0]) == 1.0


def test_shifted_parabola():
    result = descend(function(lambda w: w**2 - 3 * w + 4, lambda w: [2 * w - 3]), [0.0], 0.3, steps=60)
    assert (*result.w, result.value) == pytest.approx((1.5, 1.75), rel=1e-14)


QUARTIC = (
    lambda w: w**4 - 5 * w**2 + w + 4,
    lambda w: [4 * w**3 - 10 * w + 1],
    lambda w: [[12 * w**2 - 10]],
)


@pytest.mark.parametrize(
    ("start", "end", "value"),
    [(0.1, -1.628949, -3.855394), (0.2, 1.528544, -0.694706), (-3.0, -1.628949, -3.855394), (2.0, 1.528544, -0.694706)],
)
def test_quartic_ends_where_its_start_leads(start, end, value):
    result = descend(function(*QUARTIC), [start], 0.02, 1000, stop=[st.stop.GradientNorm(1e-10)])
    assert (result.converged, result.stop_reason) == (True, "GradientNorm")
    assert (*result.w, result.value) == pytest.approx((end, value), abs=5e-7)
    assert function(*QUARTIC).hessian(result.w)[0, 0] > 0


def test_quartic_maximum():
    uphill = function(*(lambda w, f=f: -np.array(f(w)) for f in QUARTIC))
    result = descend(uphill, [0.2], 0.02, steps=1000)
    assert (*result.w, -result.value) == pytest.approx((0.100405, 4.050101), abs=5e-7)
    assert uphill.hessian(result.w)[0, 0] > 0


@pytest.mark.parametrize(
    ("kind", "a", "b", "constant"), [("minimum", 1, 1, 1), ("maximum", -1, -1, 12), ("saddle", -1, 1, 1)]
)
def test_stationary_points_of_the_three_surfaces(kind, a, b, constant):
    objective = function(
        lambda u, v: a * (u - 1) ** 2 + b * (v - 2) ** 2 + constant,
        lambda u, v: [2 * a * (u - 1), 2 * b * (v - 2)],
        lambda u, v: [[2 * a, 0], [0, 2 * b]],
        n_parameters=2,
    )
    value, gradient = objective.value_and_gradient(np.array([1.0, 2.0]))
    assert (value, *gradient) == (constant, 0.0, 0.0)
    hessian = objective.hessian(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(hessian, np.diag([2.0 * a, 2.0 * b]))
    eigenvalues = np.linalg.eigvalsh(hessian)
    assert kind == ("minimum" if (eigenvalues > 0).all() else "maximum" if (eigenvalues < 0).all() else "saddle")


def test_a_zero_eigenvalue_cannot_tell():
    for sign in (1, -1):  # a minimum and a saddle with one Hessian
        objective = function(
            lambda u, v, s=sign: u**2 + s * v**4,
            lambda u, v, s=sign: [2 * u, s * 4 * v**3],
            lambda u, v, s=sign: [[2, 0], [0, s * 12 * v**2]],
            n_parameters=2,
        )
        np.testing.assert_array_equal(np.linalg.eigvalsh(objective.hessian(np.zeros(2))), [0.0, 2.0])


@given(angle=st_.floats(0, 2 * math.pi), radius=st_.floats(0.1, 10))
@settings(deadline=None, max_examples=30)
def test_gradient_is_perpendicular_to_the_level_curve(angle, radius):
    objective = function(lambda x, y: 4 * x**2 + y**2, lambda x, y: [8 * x, 2 * y], n_parameters=2)
    w = radius * np.array([math.cos(angle) / 2, math.sin(angle)])
    tangent = radius * np.array([-math.sin(angle) / 2, math.cos(angle)])
    value, gradient = objective.value_and_gradient(w)
    assert value == pytest.approx(radius**2)
    assert gradient @ tangent == pytest.approx(0.0, abs=1e-13 * radius**2)


@given(point=st_.tuples(st_.floats(-3, 3), st_.floats(-3, 3)))
@settings(deadline=None, max_examples=30)
def test_partials_of_a_polynomial(point):
    objective = function(
        lambda x, y: 10 * x**3 * y**2 + 5 * x * y**3 + 4 * x + y,
        lambda x, y: [30 * x**2 * y**2 + 5 * y**3 + 4, 20 * x**3 * y + 15 * x * y**2 + 1],
        n_parameters=2,
    )
    w, h = np.array(point), 1e-5
    slopes = [(objective.value(w + e) - objective.value(w - e)) / (2 * h) for e in h * np.eye(2)]
    np.testing.assert_allclose(objective.gradient(w), slopes, atol=1e-5)


@pytest.mark.parametrize(
    ("f", "slope", "curvature", "at", "coefficients"),
    [
        (math.sin, math.cos, lambda x: -math.sin(x), 1.0, (math.sin(1), math.cos(1), -math.sin(1) / 2)),
        (math.sin, math.cos, lambda x: -math.sin(x), 5.0, (math.sin(5), math.cos(5), -math.sin(5) / 2)),
        (math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x), 0.0, (1.0, 0.0, -0.5)),
    ],
)
def test_coefficients_of_the_second_order_model(f, slope, curvature, at, coefficients):
    objective, w = function(f, lambda x: [slope(x)], lambda x: [[curvature(x)]]), np.array([at])
    value, gradient = objective.value_and_gradient(w)
    assert (value, gradient[0], objective.hessian(w)[0, 0] / 2) == coefficients


# Laws


@given(seed=seeds, fraction=st_.floats(0.05, 0.99))
@settings(deadline=None, max_examples=25)
def test_eigencoordinates_shrink_by_their_own_factor(seed, fraction):
    objective, eigenvalues, vectors, optimum = quadratic(seed)
    rate, w0 = fraction * 2 / eigenvalues[-1], np.arange(1.0, 5.0)
    coordinates = (descend(objective, w0, rate, steps=30).path - optimum) @ vectors
    expected = (1 - rate * eigenvalues) ** np.arange(31)[:, None] * ((w0 - optimum) @ vectors)
    np.testing.assert_allclose(coordinates, expected, atol=1e-11 * np.abs(w0 - optimum).max())


@given(seed=seeds)
@settings(deadline=None, max_examples=25)
def test_converges_if_and_only_if_the_rate_is_below_its_bound(seed):
    objective, eigenvalues, vectors, optimum = quadratic(seed)
    w0 = optimum + vectors[:, -1]  # off in the steepest direction alone
    for fraction, expected in [(0.9, 0.8**40), (1.0, 1.0), (1.1, 1.2**40)]:
        w = descend(objective, w0, fraction * 2 / eigenvalues[-1], steps=40).w
        assert np.linalg.norm(w - optimum) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(seed=seeds)
@settings(deadline=None, max_examples=25)
def test_best_rate_of_a_quadratic(seed):
    objective, eigenvalues, vectors, optimum = quadratic(seed)
    kappa = eigenvalues[-1] / eigenvalues[0]
    w0 = optimum + vectors[:, 0] + vectors[:, -1]
    errors = np.linalg.norm(descend(objective, w0, 2 / (eigenvalues[-1] + eigenvalues[0]), 10).path - optimum, axis=1)
    np.testing.assert_allclose(errors[1:] / errors[:-1], (kappa - 1) / (kappa + 1), rtol=1e-6)


@pytest.mark.parametrize("mu", [0.5, 0.9, 0.99])
@pytest.mark.parametrize(("velocity", "scale"), [("sum", 1.0), ("step", 1.0), ("average", None)])
def test_effective_rate_of_momentum(mu, velocity, scale):
    scale = 1 - mu if scale is None else scale
    for sign, rate in [(1, 1 / (1 - mu)), (-1, 1 / (1 + mu))]:
        optimizer, w, g = st.Momentum(0.1, momentum=mu, velocity=velocity), np.zeros(3), np.array([1.0, -2.0, 0.5])
        for t in range(4000):
            before = w.copy()
            optimizer.step(w, sign**t * g)
        np.testing.assert_allclose(before - w, 0.1 * scale * rate * sign**t * g, rtol=1e-9)


@pytest.mark.parametrize("velocity", ["sum", "average", "step"])
def test_momentum_of_zero_is_plain_descent_bit_for_bit(velocity):
    objective = quadratic(0)[0]
    optimizer = st.Momentum(0.01, momentum=0.0, velocity=velocity)
    path = st.minimize(objective, np.ones(4), optimizer, max_epochs=50, record_path=True, diagnose=False).path
    assert path.tobytes() == descend(objective, np.ones(4), 0.01, steps=50).path.tobytes()


@pytest.mark.parametrize("loss", [st.LeastSquares, st.Logistic])
@given(seed=seeds)
@settings(deadline=None, max_examples=15)
def test_stochastic_gradient_is_unbiased(loss, seed):
    rng = np.random.default_rng(seed)
    X, y, w = rng.standard_normal((9, 3)), rng.integers(0, 2, 9).astype(float), rng.standard_normal(4)
    single = [loss(X[i : i + 1], y[i : i + 1], alpha=0.1).gradient(w) for i in range(9)]
    np.testing.assert_allclose(np.mean(single, axis=0), loss(X, y, alpha=0.1).gradient(w), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_mini_batch_of_b_has_one_bth_of_the_variance(size):
    rng = np.random.default_rng(4)
    X, y, w = rng.standard_normal((4, 2)), rng.standard_normal(4), np.array([0.5, -1.0, 0.3])

    def variance(b):  # over all draws of b rows with replacement
        draws = [list(rows) for rows in itertools.product(range(4), repeat=b)]
        return np.var([st.LeastSquares(X[rows], y[rows]).gradient(w) for rows in draws], axis=0)

    np.testing.assert_allclose(variance(size), variance(1) / size, rtol=1e-12)


@pytest.mark.parametrize(("batch_size", "updates"), [(None, 1), (1, 10), (3, 4), (5, 2), (9, 2), (10, 1)])
def test_updates_of_an_epoch(batch_size, updates):
    objective = st.LeastSquares(np.eye(10), np.arange(1.0, 11.0), intercept=False)
    result = st.minimize(objective, None, st.GradientDescent(1e-3), batch_size=batch_size, max_epochs=3)
    assert (result.n_epochs, result.n_steps) == (3, 3 * updates)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_every_sample_is_used_once_an_epoch(batch_size):
    # Row i moves only w_i: by 2 eta y_i / B, if it is used once.
    y = np.arange(1.0, 11.0)
    objective = st.LeastSquares(np.eye(10), y, intercept=False)
    w = st.minimize(objective, None, st.GradientDescent(0.01), batch_size=batch_size, max_epochs=1).w
    np.testing.assert_allclose(w, 0.02 * y / batch_size, rtol=1e-15)


def test_standardising_takes_the_condition_number_down():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((500, 4)) * [1.0, 10.0, 100.0, 1000.0] + [0.0, 30.0, -200.0, 5000.0]
    y = rng.standard_normal(500)

    def condition_number(features):
        eigenvalues = np.linalg.eigvalsh(st.LeastSquares(features, y).hessian(np.zeros(5)))
        return eigenvalues[-1] / eigenvalues[0]

    assert condition_number(X) > 1e6
    assert condition_number((X - X.mean(axis=0)) / X.std(axis=0)) < 2
