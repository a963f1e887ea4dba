"""The NumPy reference against finite differences, closed forms and its own formulas written row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

from cases import LOSSES, RULES, each_loss, each_rule
from steepest import reference


@st_.composite
def problems(draw):
    """A random small problem: X, y, w and the keyword arguments of the reference."""
    n, d = draw(st_.integers(1, 6)), draw(st_.integers(0, 4))
    intercept = draw(st_.booleans()) or d == 0
    rng = np.random.default_rng(draw(st_.integers(0, 2**32 - 1)))
    options = {
        "sample_weight": draw(st_.sampled_from([None, rng.uniform(0.1, 3.0, n)])),
        "intercept": intercept,
        "alpha": draw(st_.sampled_from([0.0, 0.3])),
        "l1_ratio": draw(st_.sampled_from([0.0, 0.4, 1.0])),
    }
    X, y, w = rng.standard_normal((n, d)), rng.integers(0, 2, n).astype(float), rng.standard_normal(d + intercept)
    return X, y, w, options


def differences(function, w, h=1e-5):
    """Central differences of a function of w, one parameter a row."""
    steps = h * np.eye(len(w))
    return np.array([(np.asarray(function(w + e)) - np.asarray(function(w - e))) / (2 * h) for e in steps])


@each_loss
@given(problem=problems())
@settings(deadline=None, max_examples=60)
def test_gradient_is_the_slope_of_the_smooth_value(loss, problem):
    X, y, w, options = problem
    function = LOSSES[loss].reference

    def smooth(v):
        penalised = v[:-1] if options["intercept"] else v
        return function(X, y, v, **options)[0] - options["alpha"] * options["l1_ratio"] * np.abs(penalised).sum()

    gradient = function(X, y, w, **options)[1]
    assert gradient.shape == w.shape
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, differences(smooth, w), rtol=1e-6, atol=1e-7)


@each_loss
@given(problem=problems())
@settings(deadline=None, max_examples=60)
def test_hessian_is_the_slope_of_the_gradient(loss, problem):
    X, y, w, options = problem
    function, hessian = LOSSES[loss].reference, getattr(reference, f"{loss}_hessian")
    expected = differences(lambda v: function(X, y, v, **options)[1], w)
    np.testing.assert_allclose(hessian(X, y, w, **options), expected, rtol=1e-6, atol=1e-7)


def test_values_row_by_row():
    X, y, s = [[1.0, -2.0], [0.5, 3.0], [2.0, 0.0]], [1.0, 0.0, 1.0], [1.0, 2.0, 0.5]
    w, b = [0.3, -0.7], 0.2
    z = [row[0] * w[0] + row[1] * w[1] + b for row in X]
    penalty = 0.5 * (0.25 * (0.3 + 0.7) + 0.75 / 2 * (0.3**2 + 0.7**2))
    squares = sum(k * (a - t) ** 2 for k, a, t in zip(s, z, y, strict=True)) / 3.5
    entropy = sum(k * (math.log(1 + math.exp(a)) - t * a) for k, a, t in zip(s, z, y, strict=True)) / 3.5
    options = {"sample_weight": s, "alpha": 0.5, "l1_ratio": 0.25}
    assert reference.least_squares(X, y, [*w, b], **options)[0] == pytest.approx(squares + penalty, rel=1e-14)
    assert reference.logistic(X, y, [*w, b], **options)[0] == pytest.approx(entropy + penalty, rel=1e-14)


@pytest.mark.parametrize("score", [-1e4, -745.0, -40.0, 0.0, 40.0, 745.0, 1e4])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_logistic_never_overflows(score, target):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, gradient = reference.logistic([[score]], [target], [1.0], intercept=False)
        hessian = reference.logistic_hessian([[score]], [target], [1.0], intercept=False)
    wrong_side = score if target == 0 else -score
    small = math.exp(-abs(score))
    assert value == pytest.approx(max(wrong_side, 0.0) + math.log1p(small), rel=1e-14)
    sigma = 1 / (1 + small) if score >= 0 else small / (1 + small)
    assert gradient[0] == pytest.approx((sigma - target) * score, rel=1e-14)
    assert hessian[0, 0] == pytest.approx(small / (1 + small) ** 2 * score**2, rel=1e-14)


@each_loss
def test_float32_data_is_computed_in_float64(loss):
    X = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    y, w = (X[:, 0] > 0).astype(np.float32), np.full(4, 0.1, dtype=np.float32)
    value, gradient = LOSSES[loss].reference(X, y, w)
    expected = LOSSES[loss].reference(*(a.astype(np.float64) for a in (X, y, w)))
    assert value == expected[0]
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient, expected[1])


def run(rule, w, g, steps, **more):
    state = {}
    for t in range(1, steps + 1):
        w, state = rule.reference(w, g, state, t, **{**rule.keywords, **more})
    return w, state


@each_rule
def test_rules_change_nothing_in_place(rule):
    w, g = np.array([1.0, -2.0, 0.0]), np.array([0.5, 0.0, -3.0])
    _, state = run(rule, w, g, 2)
    before = {name: array.copy() for name, array in state.items()}
    new, new_state = rule.reference(w, g, state, 3, **rule.keywords)
    np.testing.assert_array_equal(w, [1.0, -2.0, 0.0])
    np.testing.assert_array_equal(g, [0.5, 0.0, -3.0])
    assert new is not w
    assert new_state.keys() == state.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.change], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_constant_gradient_has_a_closed_form(rule, steps):
    """The change of w in step t, from the sums of the geometric series."""
    g = np.array([2.0, -0.3, 1e-9])
    expected = np.sum([rule.change(g, t) for t in range(1, steps + 1)], axis=0)
    np.testing.assert_allclose(run(rule, np.zeros(3), g, steps)[0], expected, rtol=1e-12)


def test_weight_decay_is_decoupled():
    w, state = np.array([2.0, -1.0]), {}
    for t in range(1, 4):
        w, state = reference.adam(w, np.zeros(2), state, t, weight_decay=0.1)
    np.testing.assert_allclose(w, np.array([2.0, -1.0]) * (1 - 1e-3 * 0.1) ** 3, rtol=1e-15)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.at_rest], ids=str)
def test_l1_step_stays_at_its_optimum(rule):
    # The optimum of g.w + 0.5 |w|_1 near w is where g = -0.5 sign(w), or |g| <= 0.5 at w = 0.
    w, g = np.array([1.0, -2.0, 0.0, 0.0]), np.array([-0.5, 0.5, 0.4, -0.5])
    found = rule.reference(w, g, rule.at_rest(g), 1, **{**rule.keywords, "l1": 0.5})[0]
    np.testing.assert_allclose(found, w, atol=1e-15)


def test_soft_threshold():
    np.testing.assert_array_equal(
        reference.soft_threshold([3.0, -3.0, 0.5, -0.5, 0.0], [1.0, 1.0, 1.0, 0.5, 0.0]), [2.0, -2.0, 0.0, 0.0, 0.0]
    )


def test_momentum_names_what_it_cannot_do():
    with pytest.raises(ValueError, match=r"velocity must be .*'sums'"):
        reference.momentum([0.0], [1.0], {}, 1, 0.1, velocity="sums")
    with pytest.raises(ValueError, match=r"nesterov=True.*'step'"):
        reference.momentum([0.0], [1.0], {}, 1, 0.1, velocity="step", nesterov=True)
