"""What the lectures ask a practitioner to do: learn online, search rates, start again, solve in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st
from least_squares import rounding

seeds = st_.integers(0, 2**32 - 1)
PARABOLA = st.Function(lambda w: (w @ w, 2 * w), 1, lambda w, v: 2 * v)
QUARTIC = st.Function(
    lambda w: (w[0] ** 4 - 5 * w[0] ** 2 + w[0] + 4, 4 * w**3 - 10 * w + 1), 1, lambda w, v: (12 * w**2 - 10) * v
)


@pytest.mark.parametrize("loss", [st.LeastSquares, st.Logistic])
def test_a_step_for_each_sample_as_it_arrives_is_an_epoch_in_order(loss):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), rng.integers(0, 2, 40).astype(float)
    optimizer, w = st.GradientDescent(0.05), np.zeros(4)
    for i in range(40):
        optimizer.step(w, loss(X[i : i + 1], y[i : i + 1]).gradient(w))
    epoch = st.minimize(loss(X, y), None, st.GradientDescent(0.05), batch_size=1, max_epochs=1, shuffle=False)
    np.testing.assert_allclose(w, epoch.w, rtol=1e-12)


def test_grid_search_over_the_rates_of_the_lectures():
    search = st.grid_search(PARABOLA, st.GradientDescent(1.0), w0=np.array([5.0]), max_epochs=60, diagnose=False)
    assert search.learning_rates == (0.001, 0.01, 0.1, 1.0)
    assert search.best_learning_rate == 0.1
    ends = [result.w[0] for result in search.results]
    assert ends == pytest.approx([5 * (1 - 2 * rate) ** 60 for rate in search.learning_rates], rel=1e-9)


def test_a_start_on_the_wrong_side_of_the_watershed_and_others():
    stop, rule, w0 = st.stop.GradientNorm(1e-10), st.GradientDescent(0.02), np.array([0.2])
    alone = st.minimize(QUARTIC, w0, rule, max_epochs=1000, stop=stop)
    several = st.minimize(QUARTIC, w0, rule, max_epochs=1000, stop=stop, starts=8, random_state=0)
    assert (*alone.w, alone.value) == pytest.approx((1.528544, -0.694706), abs=5e-7)
    assert (*several.w, several.value) == pytest.approx((-1.628949, -3.855394), abs=5e-7)
    assert several.value == min(run.value for run in several.starts)
    assert several.starts[0].w.tobytes() == alone.w.tobytes()


def test_closed_form_of_the_line_and_of_the_noisy_secret_number():
    line = st.LeastSquares(np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 3.0]))
    rows, w = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]), np.array([1.0, 0.0])
    np.testing.assert_allclose(st.normal_equation(line).w, w, rtol=0, atol=rounding(rows, w, np.linalg.cond(rows)))
    secret = st.LeastSquares(np.ones((4, 1)), np.array([1.0, 3.0, 0.0, 4.0]), intercept=False)
    solution = st.normal_equation(secret)
    assert (*solution.w, solution.value) == pytest.approx((2.0, 2.5), rel=1e-14)


@given(seed=seeds)
@settings(deadline=None, max_examples=15)
def test_descent_ends_where_the_normal_equation_says(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 3))
    objective = st.LeastSquares(X, rng.standard_normal(40), alpha=0.1)
    rate = st.curvature(objective, np.zeros(4)).best_learning_rate
    stop = st.stop.GradientNorm(1e-12)
    run = st.minimize(objective, None, st.GradientDescent(rate), max_epochs=5000, stop=stop)
    np.testing.assert_allclose(run.w, st.normal_equation(objective).w, atol=1e-10)


def test_the_secret_number_with_rate_1_is_diagnosed():
    secret = st.LeastSquares(np.ones((4, 1)), np.full(4, 2.0), intercept=False)
    with pytest.warns(st.DiagnosisWarning, match="oscillates"):
        run = st.minimize(secret, np.array([5.0]), st.GradientDescent(1.0), max_epochs=50)
    assert run.diagnosis.kind == "oscillating"
    better = st.GradientDescent(run.diagnosis.learning_rate)
    assert st.minimize(secret, np.array([5.0]), better, max_epochs=50).w[0] == pytest.approx(2.0, abs=1e-9)
