"""Runs from several starts, the best of which is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st
from cases import Problem

GLOBAL, LOCAL = -1.628949, 1.528544


def quartic():
    """w^4 - 5 w^2 + w + 4, of the lectures."""
    return st.Function(
        lambda w: (float(w[0] ** 4 - 5 * w[0] ** 2 + w[0] + 4), np.array([4 * w[0] ** 3 - 10 * w[0] + 1])), 1
    )


def run(objective=None, starts=8, rate=0.02, **options):
    options = {"max_epochs": 2000, "stop": st.stop.GradientNorm(1e-8), "random_state": 0, **options}
    return st.minimize(
        objective or quartic(), options.pop("w0", None), st.GradientDescent(rate), starts=starts, **options
    )


@given(seed=st_.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=15)
def test_the_best_start_is_kept_and_all_are_reported(seed):
    result = run(w0=np.array([1.0]), starts=6, random_state=seed)
    ends = [each.w[0] for each in result.starts]
    assert len(result.starts) == 6
    assert ends[0] == pytest.approx(LOCAL, abs=1e-5)
    assert all(min(abs(end - GLOBAL), abs(end - LOCAL)) < 1e-5 for end in ends)
    assert result.value == min(each.value for each in result.starts)
    assert all(each.starts is None for each in result.starts)


def test_the_global_minimum_is_found_from_a_start_that_leads_elsewhere():
    assert run(starts=1, w0=np.array([1.0])).w[0] == pytest.approx(LOCAL, abs=1e-5)
    result = run(starts=10, w0=np.array([1.0]))
    assert (*result.w, result.value) == pytest.approx((GLOBAL, -3.855394), abs=1e-5)
    assert result.converged


def test_the_same_seed_starts_at_the_same_points():
    firsts = [[each.path[0, 0] for each in run(record_path=True, random_state=seed).starts] for seed in (3, 3, 4)]
    assert firsts[0] == firsts[1] != firsts[2]
    assert firsts[0][0] == firsts[2][0] == 0.0
    assert len(set(firsts[0])) == 8


@pytest.mark.parametrize(
    ("constraint", "inside"),
    [
        (st.Box(0.5, 2.0), lambda w: (w >= 0.5).all() and (w <= 2.0).all()),
        (st.Box(0.0, np.inf), lambda w: (w >= 0.0).all()),
        (st.Simplex(2.0), lambda w: (w >= 0).all() and abs(w.sum() - 2.0) < 1e-12),
    ],
)
def test_starts_in_a_constraint_are_of_its_set_and_unlike(constraint, inside):
    bowl = st.Function(lambda w: (float(w @ w), 2 * w), 3)
    result = run(bowl, starts=5, constraint=constraint, record_path=True, stop=(), max_epochs=3, diagnose=False)
    firsts = [each.path[0] for each in result.starts]
    assert all(map(inside, firsts))
    assert len({first.tobytes() for first in firsts}) == 5


def test_a_start_that_diverges_is_not_the_best(recwarn):
    function = st.Function(lambda w: (float(-np.exp(w[0])) if w[0] > 1 else float(w[0] ** 2), 2 * w), 1)
    result = run(function, starts=12, rate=0.1, stop=())
    reasons = {each.stop_reason for each in result.starts}
    assert result.stop_reason != "diverged"
    assert reasons <= {"max_epochs", "diverged"}
    explosive = run(quartic(), starts=3, rate=10.0, w0=np.array([5.0]), diagnose=True)
    assert explosive.stop_reason == "diverged"
    assert [str(w.message) for w in recwarn if issubclass(w.category, st.DivergenceWarning)] == [explosive.diagnosis]


@pytest.mark.parametrize("batch_size", [None, 7])
def test_native_objectives_take_starts_too(batch_size):
    problem, optimizer = Problem("logistic", alpha=0.1), st.Adam(0.05)
    options = {"batch_size": batch_size, "max_epochs": 30, "random_state": 5}
    result = st.minimize(problem.objective, problem.w0, optimizer, starts=3, **options)
    first = st.minimize(problem.objective, problem.w0, st.Adam(0.05), **options)
    assert result.starts[0].w.tobytes() == first.w.tobytes()
    assert optimizer.n_steps == result.n_steps
    best = min(result.starts, key=lambda each: each.value)
    assert result.w.tobytes() == best.w.tobytes()


def test_a_callback_ends_each_run_and_not_the_starts():
    result = run(starts=4, callbacks=lambda progress: progress.epoch == 2)
    assert [each.stop_reason for each in result.starts] == ["callback"] * 4


@pytest.mark.parametrize("starts", [0, -1, 1.5, "two", True])
def test_bad_numbers_of_starts(starts):
    with pytest.raises((TypeError, ValueError), match="starts must be an integer"):
        run(starts=starts)
