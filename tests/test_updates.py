"""Every update rule at every ISA level: in optimizer.step, in batches and in the path of a single row."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import Problem, assert_follows, each_loss, each_rule, run
from steepest import _core
from steepest.descent.arguments import seed_of

SIZES = [0, 1, 7, 8, 9, 31, 32, 33, 1000]
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}  # of the largest |w|, after 5 steps

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def gradients(size):
    rng = np.random.default_rng(3)
    return [rng.standard_normal(size) * 10.0 ** rng.integers(-3, 2, size) for _ in range(5)]


def follow(rule, size, dtype):
    """w and the state after the steps, and the reference's w."""
    w, optimizer, state = np.linspace(-1, 1, size).astype(dtype), rule.make(), {}
    expected = w.astype(float)
    for t, g in enumerate(gradients(size), start=1):
        optimizer.step(w, g.astype(dtype))
        expected, state = rule.reference(expected, g.astype(dtype), state, t, **rule.keywords)
    return w, b"".join(array.tobytes() for array in optimizer.state_dict()["state"].values()), expected


@each_rule
@each_dtype
def test_step_follows_the_reference(isa, rule, dtype):
    for size in SIZES:
        w, _, expected = follow(rule, size, dtype)
        scale = np.abs(expected).max(initial=1.0)
        np.testing.assert_allclose(w, expected, rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=f"size {size}")


@each_rule
@each_dtype
def test_step_has_the_same_bits_at_every_level(isa, rule, dtype):
    here = [follow(rule, size, dtype) for size in SIZES]
    _core.choose_isa_level(_core.isa_levels_supported()[0])
    for (w, state, _), (first_w, first_state, _) in zip(here, (follow(rule, n, dtype) for n in SIZES), strict=True):
        assert w.tobytes() == first_w.tobytes()
        assert state == first_state


@each_rule
@each_loss
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_minimize_follows_the_reference(isa, rule, loss, batch_size):
    options = {"d": 33, "weighted": True, "alpha": 0.2, "l1_ratio": 0.4}
    expected = Problem(loss, **options).path(rule, 2, batch_size)
    for order in ("C", "F"):
        assert_follows(run(Problem(loss, order=order, **options), rule.make(), 2, batch_size=batch_size).path, expected)


@each_rule
@each_loss
def test_float32_rows_follow_the_reference(isa, rule, loss):
    problem = Problem(loss, d=19, dtype=np.float32, alpha=0.1)
    assert_follows(run(problem, rule.make(), 2, batch_size=1).path, problem.path(rule, 2, 1), 2e-5)


@pytest.mark.parametrize("make", [st.Adam, lambda: st.Momentum(0.01, nesterov=True)])
def test_row_path_agrees_with_a_step_from_its_gradient(isa, make):
    problem, optimizer = Problem("logistic", d=70, intercept=True), make()
    X, y, _ = problem.data
    w, order = problem.w0.copy(), _core.row_order(problem.n, seed_of(7), 0)
    for row in order:
        optimizer.step(w, st.Logistic(X[row : row + 1], y[row : row + 1]).gradient(w))
    result = run(problem, make(), 1, batch_size=1)
    np.testing.assert_allclose(result.w, w, rtol=1e-12, atol=1e-14)


@each_rule
@each_dtype
def test_a_gradient_that_is_no_number_stays_none(isa, rule, dtype):
    w = np.ones(33, dtype)
    gradient = np.ones(33, dtype)
    gradient[[0, 32]] = np.nan
    rule.make().step(w, gradient)
    assert np.isnan(w).nonzero()[0].tolist() == [0, 32]
