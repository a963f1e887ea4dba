"""`minimize` against a NumPy loop over the reference: batches, settings, schedules, seeds, threads, the L1 optimum."""

from __future__ import annotations

import math

import numpy as np
import pytest

import steepest as st
from cases import RULES, Problem, assert_follows, each_loss, each_rule, run
from steepest import _core
from steepest.descent.arguments import seed_of

# The run against the NumPy loop


@each_rule
@each_loss
@pytest.mark.parametrize("batch_size", [None, 1, 7, 23])
def test_follows_the_reference(rule, loss, batch_size):
    problem = Problem(loss)
    result = run(problem, rule.make(), batch_size=batch_size)
    assert_follows(result.path, problem.path(rule, 3, batch_size))


SETTINGS = {
    "F order": {"order": "F"},
    "sample weights": {"weighted": True},
    "no intercept": {"intercept": False},
    "L2": {"alpha": 0.3},
    "L1": {"alpha": 0.3, "l1_ratio": 1.0},
    "elastic net, weights, F order": {"alpha": 0.2, "l1_ratio": 0.4, "weighted": True, "order": "F"},
    "elastic net, no intercept": {"alpha": 0.2, "l1_ratio": 0.4, "intercept": False},
    "one column": {"d": 1, "alpha": 0.1},
    "33 columns": {"d": 33, "alpha": 0.1, "l1_ratio": 0.5},
}


@each_rule
@each_loss
@pytest.mark.parametrize("setting", SETTINGS)
def test_follows_the_reference_in_every_setting(rule, loss, setting):
    problem = Problem(loss, **SETTINGS[setting])
    for batch_size in (None, 1, 7):
        assert_follows(run(problem, rule.make(), batch_size=batch_size).path, problem.path(rule, 3, batch_size))


@each_rule
@pytest.mark.parametrize("batch_size", [1, 7])
def test_follows_a_schedule_inside_an_epoch(rule, batch_size):
    problem, schedule = Problem("logistic", weighted=True), st.schedules.ExponentialDecay(0.05, 0.5, 3)
    result = run(problem, rule.make(learning_rate=schedule), batch_size=batch_size)
    assert_follows(result.path, problem.path(rule, 3, batch_size, schedule))
    updates = math.ceil(23 / batch_size)
    np.testing.assert_allclose(
        result.history["learning_rate"], [schedule(max(updates * e - 1, 0)) for e in range(4)], rtol=1e-15
    )


def test_follows_a_plain_callable():
    problem, rule = Problem(), RULES[0]
    result = run(problem, rule.make(learning_rate=lambda t: 0.1 / (1 + t)), batch_size=7)
    assert_follows(result.path, problem.path(rule, 3, 7, lambda t: 0.1 / (1 + t)))


@pytest.mark.parametrize("batch_size", [1, 7])
def test_unshuffled_rows_come_in_order(batch_size):
    problem, rule = Problem(), RULES[0]
    result = run(problem, rule.make(), batch_size=batch_size, shuffle=False)
    assert_follows(result.path, problem.path(rule, 3, batch_size, shuffle=False))


@each_rule
@each_loss
def test_float32_stays_near_the_reference(rule, loss):
    problem = Problem(loss, dtype=np.float32, alpha=0.1, l1_ratio=0.5)
    result = run(problem, rule.make(), batch_size=7)
    assert result.w.dtype == result.path.dtype == np.float32
    assert_follows(result.path, problem.path(rule, 3, 7), 2e-5)


def test_row_order_is_a_fresh_permutation_every_epoch():
    orders = [_core.row_order(100, seed_of(seed), epoch).tolist() for seed in (0, 1) for epoch in range(3)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in [*orders, range(100)]}) == 7


# Seeds, threads, defaults


@pytest.mark.parametrize("batch_size", [1, 7])
def test_same_seed_same_bits(batch_size):
    first, second = (run(Problem(), st.Adam(), batch_size=batch_size) for _ in range(2))
    assert first.path.tobytes() == second.path.tobytes()
    other = run(Problem(), st.Adam(), batch_size=batch_size, seed=8)
    assert other.path.tobytes() != first.path.tobytes()


@each_loss
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [None, 4096])
def test_same_bits_for_any_number_of_threads(loss, order, dtype, batch_size):
    problem, results = Problem(loss, n=20_001, d=17, order=order, dtype=dtype, alpha=1e-3, l1_ratio=0.5), []
    for threads in (1, 2, 3, 4, 8):
        with st.threads(threads):
            result = run(problem, st.Adam(), epochs=2, batch_size=batch_size)
        results.append(result.path.tobytes() + result.history["loss"].tobytes())
    assert len(set(results)) == 1


def test_starts_at_zero_with_adam_where_quasi_newton_cannot_be():
    objective = st.Function(Problem().objective.value_and_gradient, 6)
    result = st.minimize(objective, max_epochs=5)
    expected = st.minimize(objective, np.zeros(6), st.Adam(), max_epochs=5)
    assert result.w.tobytes() == expected.w.tobytes()
    assert result.path is None


def test_the_start_is_left_alone():
    w0 = Problem().w0
    result = st.minimize(Problem().objective, w0, max_epochs=2)
    np.testing.assert_array_equal(w0, Problem().w0)
    assert not np.shares_memory(result.w, w0)
    assert (result.w != w0).any()


# The optimum with an L1 penalty

DECAY = st.schedules.ExponentialDecay(0.02, 0.5, 600)
PROXIMAL = [
    lambda: st.GradientDescent(0.1),
    lambda: st.Momentum(0.05, momentum=0.8),
    lambda: st.Momentum(0.05, momentum=0.8, nesterov=True),
    lambda: st.Momentum(0.1, momentum=0.8, velocity="average"),
    lambda: st.Momentum(0.05, momentum=0.8, velocity="step"),
    lambda: st.AdaGrad(0.5),
    lambda: st.RMSProp(DECAY),
    lambda: st.Adam(DECAY),
    lambda: st.Adam(DECAY, bias_correction=False),
]


@pytest.mark.parametrize("make", PROXIMAL, ids=range(len(PROXIMAL)))
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.parametrize("intercept", [True, False])
def test_reaches_the_optimum_of_the_lasso(make, l1_ratio, intercept):
    linear_model = pytest.importorskip("sklearn.linear_model")
    problem = Problem(n=60, d=8, alpha=0.4, l1_ratio=l1_ratio, intercept=intercept)
    X, y, _ = problem.data
    # scikit-learn halves the squared error, so its alpha is half of ours.
    peer = linear_model.ElasticNet(alpha=0.2, l1_ratio=l1_ratio, fit_intercept=intercept, tol=1e-14, max_iter=10**5)
    peer.fit(X, y)
    result = st.minimize(problem.objective, None, make(), max_epochs=12_000, evaluate_every=1000)
    assert 0 < (peer.coef_ == 0).sum() < 8
    np.testing.assert_array_equal(result.w[:8] == 0, peer.coef_ == 0)
    np.testing.assert_allclose(result.w[:8], peer.coef_, atol=1e-6)
    if intercept:
        assert result.w[8] == pytest.approx(peer.intercept_, abs=1e-6)
