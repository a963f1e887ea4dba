"""Private native calls: arrays of a wrong size or layout are refused, and nothing is read out of bounds."""

from __future__ import annotations

import numpy as np
import pytest

from steepest import _core

X, Y = np.ones((6, 3)), np.ones(6)


def objective(X=X, y=Y, sample_weight=None, n_scores=1, loss="least_squares", l2=0.0):
    return _core.Objective64(_core.dense_source(X, y, sample_weight, 6.0), loss, True, 0.0, l2, n_scores)


@pytest.mark.parametrize(
    "wrong",
    [
        {"X": np.ones(6)},
        {"X": np.ones((12, 3))[::2]},
        {"X": np.ones((6, 3, 2))},
        {"y": np.ones(5)},
        {"y": np.ones(12)[::2]},
        {"y": np.ones((6, 1))},
        {"sample_weight": np.ones(5)},
        {"sample_weight": np.ones(6, np.float32)},
        {"n_scores": 0},
        {"n_scores": 2**62},  # times the parameters of a score this is 0 in 64 bits
    ],
)
def test_an_objective_checks_its_arrays(wrong):
    with pytest.raises((TypeError, ValueError), match=rf"^{next(iter(wrong))} must be"):
        objective(**wrong)


def descent(w=4, states=(4,)):
    arrays = tuple(np.zeros(n) for n in states)
    target = np.zeros(w) if isinstance(w, int) else w
    return _core.Descent64(objective(), _core.Rule("momentum_sum", momentum=0.9), target, arrays, 0, 0, False, 0)


@pytest.mark.parametrize("wrong", [{"w": 3}, {"w": np.zeros(8)[::2]}, {"states": ()}, {"states": (3,)}])
def test_a_descent_checks_its_arrays(wrong):
    with pytest.raises((TypeError, ValueError), match=r"^(w|state) must be|^states: expected 1"):
        descent(**wrong)


@pytest.mark.parametrize("path", [np.zeros((1, 4)), np.zeros((2, 3)), np.zeros(8), np.zeros((2, 4), np.float32)])
def test_a_descent_checks_its_path(path):
    with pytest.raises((TypeError, ValueError), match=r"^path must be a contiguous, writeable float64 array"):
        descent().run(np.full(2, 0.1), 1.0, path)


def test_a_descent_checks_the_copies_that_it_fills():
    for wrong in (np.zeros(3), np.zeros(8)[::2], np.zeros(4, np.float32)):
        with pytest.raises((TypeError, ValueError), match=r"^w must be|incompatible"):
            descent().evaluate_copy(wrong)
    with pytest.raises(ValueError, match=r"^states: expected 1"):
        descent().copy_settled(np.zeros(4), (np.zeros(4), np.zeros(4)))
    with pytest.raises(ValueError, match=r"^state must be"):
        descent().copy_settled(np.zeros(4), (np.zeros(3),))


def test_a_descent_goes_on_over_rows_of_the_same_problem_only():
    for wrong, message in (
        (objective(X=np.ones((6, 2))), "parameters and penalties"),
        (objective(l2=0.5), "parameters and penalties"),
        (objective(), "batch_size must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            descent().go_on_over(wrong, 0, False, 0, 1.0)


@pytest.mark.parametrize("wrong", [np.ones(6), np.ones((12, 3))[::2], np.ones((0, 3))])
def test_column_statistics_checks_its_rows(wrong):
    with pytest.raises(ValueError, match=r"^X must be"):
        _core.column_statistics(wrong, None)


def test_a_descent_refuses_to_have_no_objective():
    with pytest.raises(TypeError):
        _core.Descent64(None, _core.Rule("gradient_descent"), np.zeros(4), (), 0, 0, False, 0)


@pytest.mark.parametrize(
    ("set_number", "wrong"),
    [(_core.set_threads, -1), (_core.set_threads, 1025), (_core.set_own_threads, -2), (_core.set_own_threads, 1025)],
)
def test_numbers_of_threads_are_checked(set_number, wrong):
    before = _core.threads_setting(), _core.own_threads_setting()
    try:
        with pytest.raises(ValueError, match=r"^n must be from"):
            set_number(wrong)
    finally:
        _core.set_threads(before[0])
        _core.set_own_threads(before[1])
