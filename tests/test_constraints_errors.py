"""Under a constraint: where a run may start, how it diverges, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import RULES, Problem

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


# The start


@each_dtype
def test_a_run_starts_at_the_projection_of_zeros(dtype):
    objective = Problem(dtype=dtype).objective
    for constraint, coefficients in ((st.Box(0.5, [1, 2, 3, 4, 5]), [0.5] * 5), (st.Simplex(2.0), [0.4] * 5)):
        result = st.minimize(objective, None, st.GradientDescent(0.1), constraint=constraint, max_epochs=0)
        np.testing.assert_array_equal(result.w, np.array([*coefficients, 0.0], dtype))


@pytest.mark.parametrize("constraint", [st.Box(0, 1), st.Simplex()], ids=repr)
@pytest.mark.parametrize("intercept", [False, True])
def test_a_start_outside_is_refused(constraint, intercept):
    problem = Problem(intercept=intercept)
    with pytest.raises(ValueError, match=r"w0.*index 0.*constraint\.project\(w0") as caught:
        st.minimize(problem.objective, problem.w0, st.GradientDescent(0.1), constraint=constraint)
    code = str(caught.value).partition("write ")[2]
    w0 = eval(code, {"constraint": constraint, "w0": problem.w0})
    result = st.minimize(problem.objective, w0, st.GradientDescent(0.1), constraint=constraint, max_epochs=0)
    np.testing.assert_array_equal(result.w, w0)


@each_dtype
def test_a_start_may_miss_by_rounding(dtype):
    rng, objective = np.random.default_rng(0), Problem(d=50, dtype=dtype).objective
    step = st.GradientDescent(0.01)
    for total in (0.01, 1.0, 300.0):
        weights = rng.random(50).astype(dtype)
        w0 = np.append(weights / weights.sum() * dtype(total), dtype(3))
        st.minimize(objective, w0, step, constraint=st.Simplex(total), max_epochs=1)
        w0[7] += dtype(1e-4 * total)
        with pytest.raises(ValueError, match="w0"):
            st.minimize(objective, w0, step, constraint=st.Simplex(total), max_epochs=1)
    st.minimize(objective, np.full(51, 0.1, dtype), step, constraint=st.Box(0.1, 1), max_epochs=1)
    with pytest.raises(ValueError, match="w0"):
        st.minimize(objective, np.full(51, -1e-12, dtype), step, constraint=st.Box(0, 1), max_epochs=1)


# Divergence


@each_dtype
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_divergence_leaves_a_point_of_the_set(dtype, batch_size):
    objective = Problem(dtype=dtype).objective
    box = st.Box([-np.inf] * 4 + [0.0], np.inf)
    with pytest.warns(st.DivergenceWarning):
        result = st.minimize(
            objective, None, st.GradientDescent(20.0), constraint=box, max_epochs=5000, batch_size=batch_size
        )
    assert result.stop_reason == "diverged"
    assert np.isfinite([*result.w, result.value]).all()
    assert result.w[4] >= 0


@each_dtype
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_steps_to_infinity_are_no_points_of_a_simplex(dtype, batch_size):
    X, y, _ = Problem(dtype=dtype).data
    objective, rate = st.LeastSquares(100 * X, y, intercept=False), float(np.finfo(dtype).max)
    with pytest.warns(st.DivergenceWarning):
        result = st.minimize(
            objective, None, st.GradientDescent(rate), constraint=st.Simplex(), max_epochs=50, batch_size=batch_size
        )
    assert result.stop_reason == "diverged"
    np.testing.assert_allclose(result.w, np.full(5, 0.2), rtol=1e-6)


@each_dtype
def test_one_step_to_infinity_is_enough(dtype):
    X, w0, y = (
        np.diag([1, 1, 100]).astype(dtype),
        np.array([0.25, 0.25, 0.5], dtype),
        np.array([0.25, 0.25, 0.0], dtype),
    )
    objective, step = st.LeastSquares(X, y, intercept=False), st.GradientDescent(float(np.finfo(dtype).max))
    with pytest.warns(st.DivergenceWarning):
        result = st.minimize(objective, w0, step, constraint=st.Simplex(), max_epochs=5)
    np.testing.assert_array_equal(result.w, w0)


@pytest.mark.parametrize("constraint", [st.Box(0, 1), st.Simplex()], ids=repr)
def test_a_nan_is_never_swallowed(constraint):
    function = st.Function(lambda w: (float(w @ w), np.array([np.nan, 1.0])), 2)
    with pytest.warns(st.DivergenceWarning):
        result = st.minimize(function, None, st.GradientDescent(0.1), constraint=constraint, max_epochs=9)
    assert (result.stop_reason, result.n_steps) == ("diverged", 1)
    np.testing.assert_array_equal(result.w, constraint.project(np.zeros(2)))


# What is refused


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules_that_scale_each_coordinate_say_so(rule):
    g, w = np.array([1.0, 10.0, -100.0]), np.zeros(3)
    rule.make(**({"weight_decay": 0.0} if "weight_decay" in rule.keywords else {})).step(w, g)
    along = np.allclose(w / g, w[0] / g[0])
    optimizer = rule.make()
    assert optimizer.scales_coordinates is not along
    if not along:
        name = type(optimizer).__name__
        with pytest.raises(ValueError, match=rf"Simplex.*one learning rate.*{name}.*GradientDescent"):
            st.minimize(Problem().objective, None, optimizer, constraint=st.Simplex())


def test_a_simplex_refuses_an_l1_penalty():
    objective = Problem(alpha=0.1, l1_ratio=0.5).objective
    with pytest.raises(ValueError, match=r"Simplex.*L1.*alpha=0\.1.*l1_ratio=0\.5"):
        st.minimize(objective, None, st.GradientDescent(0.1), constraint=st.Simplex())


@pytest.mark.parametrize("constraint", [(0, 1), "box", st.Box, 1.0])
def test_a_constraint_is_a_box_or_a_simplex(constraint):
    with pytest.raises(TypeError, match=r"constraint must be a st\.Box or a st\.Simplex"):
        st.minimize(Problem().objective, constraint=constraint)


@pytest.mark.parametrize("size", [1, 4, 7])
def test_bounds_are_of_the_coefficients_or_of_all(size):
    with pytest.raises(ValueError, match=rf"lower.*\(5,\) or \(6,\).*objective.*\({size},\)"):
        st.minimize(Problem().objective, constraint=st.Box(np.zeros(size), 1))
    with pytest.raises(ValueError, match=rf"upper.*\(6,\).*objective.*\({size},\)"):
        st.minimize(st.Function(Problem().value_and_gradient, 6), constraint=st.Box(0, np.ones(size)))


def test_bounds_beyond_the_dtype_are_refused():
    with pytest.raises(ValueError, match=r"lower.*float32.*objective"):
        st.minimize(Problem(dtype=np.float32).objective, constraint=st.Box(1e300, np.inf))


def test_a_refused_constraint_leaves_the_optimizer():
    optimizer = st.Adam()
    st.minimize(Problem().objective, None, optimizer, max_epochs=3)
    with pytest.raises(ValueError, match="Simplex"):
        st.minimize(Problem().objective, None, optimizer, constraint=st.Simplex())
    assert optimizer.n_steps == 3
