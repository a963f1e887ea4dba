"""Objectives: what they hold, the laws they obey on random data, and `Function`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import steepest as st
from cases import LOSSES, Problem, each_loss

PROBLEMS = some.builds(
    Problem,
    loss=some.sampled_from(sorted(LOSSES)),
    n=some.integers(1, 70),
    d=some.integers(1, 20),
    order=some.sampled_from("CF"),
    weighted=some.booleans(),
    intercept=some.booleans(),
    alpha=some.sampled_from([0.0, 0.3]),
    l1_ratio=some.sampled_from([0.0, 0.4, 1.0]),
    seed=some.integers(0, 2**31),
)


def objective_of(problem, rows=None, **changes):
    """The objective of some rows, with other options."""
    X, y, s = problem.data
    rows = np.arange(problem.n) if rows is None else rows
    options = {"intercept": problem.intercept, "alpha": problem.alpha, "l1_ratio": problem.l1_ratio}
    options["sample_weight"] = s[rows] if problem.weighted else None
    X = np.asarray(X[rows], order=problem.order)
    return LOSSES[problem.loss][0](X, y[rows], **{**options, **changes})


def random_vectors(problem, n):
    return np.random.default_rng(problem.seed + 1).standard_normal((n, problem.d + problem.intercept))


def assert_near(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))


# What they hold


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("intercept", [True, False])
def test_attributes(loss, dtype, intercept):
    problem = Problem(loss, 6, 3, dtype=dtype)
    X, y, s = problem.data
    objective = LOSSES[loss][0](X, y, sample_weight=s, intercept=intercept, alpha=0.5, l1_ratio=0.25)
    assert objective.X is X
    assert objective.y is y
    assert objective.sample_weight is s
    assert (objective.n_samples, objective.n_features, objective.n_parameters) == (6, 3, 3 + intercept)
    assert (objective.intercept, objective.alpha, objective.l1_ratio) == (intercept, 0.5, 0.25)
    assert objective.dtype == dtype
    assert type(objective).__name__ in repr(objective)
    w = np.zeros(3 + intercept, dtype)
    assert isinstance(objective.value(w), float)
    value, gradient = objective.value_and_gradient(w)
    assert isinstance(value, float)
    assert gradient.dtype == objective.hessian(w).dtype == objective.hessian_product(w, w).dtype == dtype
    np.testing.assert_array_equal(objective.gradient(w), gradient)


def test_defaults():
    X, y, _ = Problem().data
    objective = st.LeastSquares(X, y)
    assert (objective.sample_weight, objective.intercept, objective.alpha, objective.l1_ratio) == (None, True, 0.0, 0.0)


def test_arrays_stay_alive_with_the_objective():
    objective = Problem().objective  # the arrays have no other name
    before = objective.value(np.ones(6))
    junk = [np.full((23, 5), np.nan) for _ in range(50)]
    assert objective.value(np.ones(6)) == before
    assert len(junk) == 50


def test_data_changed_in_place_are_seen():
    X, y, _ = Problem().data
    objective = st.LeastSquares(X, y)
    before = objective.value(np.ones(6))
    X *= 2
    assert objective.value(np.ones(6)) == st.LeastSquares(X.copy(), y).value(np.ones(6)) != before


# Laws


@given(PROBLEMS)
def test_gradient_is_the_mean_over_single_rows(problem):
    (w,) = random_vectors(problem, 1)
    singles = [objective_of(problem, [i], sample_weight=None, alpha=0.0) for i in range(problem.n)]
    weights = problem.data[2] if problem.weighted else None
    whole = objective_of(problem, alpha=0.0)
    assert_near(np.average([o.gradient(w) for o in singles], axis=0, weights=weights), whole.gradient(w))
    assert_near(np.average([o.value(w) for o in singles], weights=weights), whole.value(w))


@given(PROBLEMS)
def test_a_weight_of_k_is_k_copies_of_the_row(problem):
    (w,), copies = random_vectors(problem, 1), np.random.default_rng(problem.seed).integers(0, 4, problem.n)
    copies[0] += 1
    weighted = objective_of(problem, sample_weight=copies.astype(float))
    repeated = objective_of(problem, np.repeat(np.arange(problem.n), copies), sample_weight=None)
    for ours, theirs in zip(weighted.value_and_gradient(w), repeated.value_and_gradient(w), strict=True):
        assert_near(ours, theirs)
    assert_near(weighted.hessian(w), repeated.hessian(w))


@given(PROBLEMS, some.sampled_from([1e-6, 0.1, 3.0, 1e6]))
def test_scaling_the_weights_changes_nothing(problem, scale):
    (w,), weights = random_vectors(problem, 1), problem.data[2]
    plain, scaled = (objective_of(problem, sample_weight=s) for s in (weights, scale * weights))
    assert_near(scaled.value(w), plain.value(w))
    assert_near(scaled.gradient(w), plain.gradient(w))
    assert_near(scaled.hessian(w), plain.hessian(w))


@given(PROBLEMS)
def test_orders_agree(problem):
    w, v = random_vectors(problem, 2)
    X, y, s = problem.data
    options = {"sample_weight": s, "intercept": problem.intercept, "alpha": problem.alpha}
    ours, theirs = (LOSSES[problem.loss][0](np.asarray(X, order=order), y, **options) for order in "CF")
    assert_near(ours.value(w), theirs.value(w))
    assert_near(ours.gradient(w), theirs.gradient(w))
    assert_near(ours.hessian_product(w, v), theirs.hessian_product(w, v))
    assert_near(ours.hessian(w), theirs.hessian(w))


@given(PROBLEMS, some.floats(0, 1))
def test_convex_along_every_segment(problem, t):
    a, b = random_vectors(problem, 2)
    objective = objective_of(problem)
    chord = (1 - t) * objective.value(a) + t * objective.value(b)
    assert objective.value((1 - t) * a + t * b) <= chord + 1e-12 * abs(chord)


@given(PROBLEMS)
def test_hessian_is_symmetric_and_positive_semidefinite(problem):
    w, v = random_vectors(problem, 2)
    objective = objective_of(problem)
    hessian = objective.hessian(w)
    np.testing.assert_array_equal(hessian, hessian.T)
    eigenvalues = np.linalg.eigvalsh(hessian)
    assert eigenvalues[0] >= -1e-12 * max(eigenvalues[-1], 1e-3)
    assert_near(objective.hessian_product(w, v), hessian @ v)


@given(PROBLEMS)
def test_penalty_spares_the_intercept(problem):
    (w,) = random_vectors(problem, 1)
    objective, plain = objective_of(problem), objective_of(problem, alpha=0.0)
    l1, l2 = problem.alpha * problem.l1_ratio, problem.alpha * (1 - problem.l1_ratio)
    coefficients = w * problem.penalised
    penalty = l1 * np.abs(coefficients).sum() + l2 / 2 * (coefficients**2).sum()
    assert_near(objective.value(w) - plain.value(w), penalty)
    assert_near(objective.gradient(w) - plain.gradient(w), l2 * coefficients)
    assert_near(objective.hessian(w) - plain.hessian(w), l2 * np.diag(problem.penalised))


@given(PROBLEMS)
def test_rows_of_weight_zero_do_not_count(problem):
    (w,), weights = random_vectors(problem, 1), np.ones(problem.n)
    weights[1::2] = 0.0
    some_rows = objective_of(problem, np.arange(0, problem.n, 2), sample_weight=None)
    assert_near(objective_of(problem, sample_weight=weights).gradient(w), some_rows.gradient(w))


# Function


def rosenbrock(w):
    a, b = w
    gradient = np.array([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)])
    return 100 * (b - a * a) ** 2 + (1 - a) ** 2, gradient


def rosenbrock_product(w, v):
    a, b = w
    return np.array([[1200 * a * a - 400 * b + 2, -400 * a], [-400 * a, 200]]) @ v


def test_function():
    function, w, v = st.Function(rosenbrock, 2, rosenbrock_product), np.array([-1.2, 1.0]), np.array([0.3, 0.7])
    assert (function.n_parameters, function.dtype) == (2, np.float64)
    value, gradient = function.value_and_gradient(w)
    assert value == function.value(w) == rosenbrock(w)[0]
    np.testing.assert_array_equal(gradient, function.gradient(w))
    np.testing.assert_array_equal(gradient, rosenbrock(w)[1])
    np.testing.assert_array_equal(function.hessian_product(w, v), rosenbrock_product(w, v))
    np.testing.assert_allclose(function.hessian(w) @ v, rosenbrock_product(w, v))
    assert isinstance(function, st.objectives.Objective)


def test_function_takes_what_numpy_takes():
    function = st.Function(lambda w: (np.float32(w[0]), [1, 0]), np.int64(2))
    value, gradient = function.value_and_gradient(np.array([0.5, 0.0]))
    assert (type(value), value, gradient.dtype) == (float, 0.5, np.float64)
    with pytest.raises(TypeError, match="hessian_product is needed for a Hessian, got a Function without one"):
        function.hessian_product(np.zeros(2), np.zeros(2))
    with pytest.raises(TypeError, match="hessian_product is needed for a Hessian, got a Function without one"):
        function.hessian(np.zeros(2))
