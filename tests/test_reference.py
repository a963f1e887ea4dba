"""The NumPy reference against finite differences, closed forms and its own formulas written row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

from steepest import reference

LOSSES = {
    "least_squares": (reference.least_squares, reference.least_squares_hessian),
    "logistic": (reference.logistic, reference.logistic_hessian),
    "huber": (reference.huber, reference.huber_hessian),
}
each_loss = pytest.mark.parametrize("loss", LOSSES)


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
    function = LOSSES[loss][0]

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
    function, hessian = LOSSES[loss]
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
    value, gradient = LOSSES[loss][0](X, y, w)
    expected = LOSSES[loss][0](*(a.astype(np.float64) for a in (X, y, w)))
    assert value == expected[0]
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient, expected[1])


RULES = {
    "gradient_descent": (reference.gradient_descent, {"learning_rate": 0.1}),
    "momentum": (reference.momentum, {"learning_rate": 0.1}),
    "average": (reference.momentum, {"learning_rate": 0.1, "velocity": "average"}),
    "step": (reference.momentum, {"learning_rate": 0.1, "velocity": "step"}),
    "nesterov": (reference.momentum, {"learning_rate": 0.1, "nesterov": True}),
    "adagrad": (reference.adagrad, {}),
    "rmsprop": (reference.rmsprop, {}),
    "adam": (reference.adam, {}),
    "adamw": (reference.adam, {"weight_decay": 0.1}),
    "adam_raw": (reference.adam, {"bias_correction": False}),
}
each_rule = pytest.mark.parametrize("rule", RULES)


def run(rule, w, g, steps, **more):
    function, keywords = RULES[rule]
    state = {}
    for t in range(1, steps + 1):
        w, state = function(w, g, state, t, **keywords, **more)
    return w, state


@each_rule
def test_rules_change_nothing_in_place(rule):
    w, g = np.array([1.0, -2.0, 0.0]), np.array([0.5, 0.0, -3.0])
    _, state = run(rule, w, g, 2)
    before = {name: array.copy() for name, array in state.items()}
    function, keywords = RULES[rule]
    new, new_state = function(w, g, state, 3, **keywords)
    np.testing.assert_array_equal(w, [1.0, -2.0, 0.0])
    np.testing.assert_array_equal(g, [0.5, 0.0, -3.0])
    assert new is not w
    assert new_state.keys() == state.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)


CLOSED_FORMS = {
    # The change of w in step t under the constant gradient g, from the sums of the geometric series.
    "gradient_descent": lambda g, t: -0.1 * g,
    "momentum": lambda g, t: -0.1 * g * (1 - 0.9**t) / 0.1,
    "average": lambda g, t: -0.1 * g * (1 - 0.9**t),
    "step": lambda g, t: -0.1 * g * (1 - 0.9**t) / 0.1,
    "nesterov": lambda g, t: -0.1 * g * (1 + 0.9 * (1 - 0.9**t) / 0.1),
    "adagrad": lambda g, t: -1e-2 * g / (np.sqrt(t) * abs(g) + 1e-10),
    "rmsprop": lambda g, t: -1e-3 * g / (np.sqrt(1 - 0.9**t) * abs(g) + 1e-8),
    "adam": lambda g, t: -1e-3 * g / (abs(g) + 1e-8),
    "adam_raw": lambda g, t: -1e-3 * g * (1 - 0.9**t) / (np.sqrt(1 - 0.999**t) * abs(g) + 1e-8),
}


@pytest.mark.parametrize("rule", CLOSED_FORMS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_constant_gradient_has_a_closed_form(rule, steps):
    g = np.array([2.0, -0.3, 1e-9])
    expected = np.sum([CLOSED_FORMS[rule](g, t) for t in range(1, steps + 1)], axis=0)
    np.testing.assert_allclose(run(rule, np.zeros(3), g, steps)[0], expected, rtol=1e-12)


def test_weight_decay_is_decoupled():
    w = run("adamw", np.array([2.0, -1.0]), np.zeros(2), 3)[0]
    np.testing.assert_allclose(w, np.array([2.0, -1.0]) * (1 - 1e-3 * 0.1) ** 3, rtol=1e-15)


@pytest.mark.parametrize(
    "rule", sorted(RULES.keys() - {"adamw", "adam_raw"})
)  # decay moves it; raw moments start off it
def test_l1_step_stays_at_its_optimum(rule):
    # The optimum of g.w + 0.5 |w|_1 near w is where g = -0.5 sign(w), or |g| <= 0.5 at w = 0.
    w, g = np.array([1.0, -2.0, 0.0, 0.0]), np.array([-0.5, 0.5, 0.4, -0.5])
    function, keywords = RULES[rule]
    rest = {"velocity": {"momentum": g / 0.1, "nesterov": g / 0.1, "step": -g, "average": g}.get(rule, g)}
    state = rest if function is reference.momentum else {}
    np.testing.assert_allclose(function(w, g, state, 1, **keywords, l1=0.5)[0], w, atol=1e-15)


def test_soft_threshold():
    np.testing.assert_array_equal(
        reference.soft_threshold([3.0, -3.0, 0.5, -0.5, 0.0], [1.0, 1.0, 1.0, 0.5, 0.0]), [2.0, -2.0, 0.0, 0.0, 0.0]
    )


def test_momentum_names_what_it_cannot_do():
    with pytest.raises(ValueError, match=r"velocity must be .*'sums'"):
        reference.momentum([0.0], [1.0], {}, 1, 0.1, velocity="sums")
    with pytest.raises(ValueError, match=r"nesterov=True.*'step'"):
        reference.momentum([0.0], [1.0], {}, 1, 0.1, velocity="step", nesterov=True)
