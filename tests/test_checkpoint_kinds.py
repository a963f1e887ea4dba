"""Checkpoints of every kind of run: with constraints, in Python, diverged, and with an automatic rate."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from checkpoint_problems import Slices, X, Y, bowl, logistic
from checkpoints import BrokenOffError, assert_same_result, resumed, through_a_file
from steepest.descent.auto_rate import AutoRate


@pytest.mark.parametrize("constraint", [st.Box(-0.1, np.full(5, 0.2)), st.Simplex(2.0)])
@pytest.mark.parametrize("batch_size", [None, 9])
def test_constraints(constraint, batch_size, tmp_path):
    def make():
        options = {"constraint": constraint, "batch_size": batch_size, "random_state": 1, "max_epochs": 12}
        return (logistic(), None, st.Momentum("auto")), options

    arguments, options = make()
    assert_same_result(resumed(make, tmp_path / "run", [3, 8]), st.minimize(*arguments, **options))


class Own(st.Logistic):
    """A loss of data whose steps a loop in Python takes."""

    def value_and_gradient(self, w):
        value, gradient = super().value_and_gradient(w)
        return 2 * value, 2 * gradient


@pytest.mark.parametrize("optimizer", [lambda: st.Momentum("auto"), lambda: st.Adam(0.05), lambda: st.AdaGrad(0.3)])
@pytest.mark.parametrize("kind", ["Function", "float32", "Own"])
def test_runs_in_python(kind, optimizer, tmp_path):
    def make():
        if kind == "Own":
            return (Own(X, Y), None, optimizer()), {"max_epochs": 30}
        dtype = np.float32 if kind == "float32" else np.float64
        function = st.Function(lambda w: bowl(w), 3, dtype=dtype)
        return (function, np.ones(3, dtype), optimizer()), {"max_epochs": 30, "record_path": True}

    arguments, options = make()
    assert_same_result(resumed(make, tmp_path / "run", [1, 5, 17, 30]), st.minimize(*arguments, **options))


def test_a_run_that_diverged_stays_so(tmp_path):
    def make():
        return (logistic(alpha=1.0), np.ones(6), st.GradientDescent(1e3)), {"max_epochs": 400, "diagnose": False}

    arguments, options = make()
    expected = st.minimize(*arguments, **options)
    assert expected.stop_reason == "diverged"
    assert_same_result(resumed(make, tmp_path / "run", [1, 10]), expected)
    arguments, options = make()
    assert_same_result(st.minimize(*arguments, **options, checkpoint=tmp_path / "run"), expected)


@pytest.mark.parametrize("rule", [lambda: st.GradientDescent(0.4), lambda: st.Momentum("auto")])
def test_a_run_in_python_goes_back_to_the_last_finite_point(rule, tmp_path, monkeypatch):
    """Between evaluations that is another point than the one which the run is at."""

    def cliff(w):
        return (np.inf if abs(w[0]) > 1e9 else float((w**4).sum())), 4 * w**3

    def run(**options):
        start = np.array([3.0, 1.0])
        return st.minimize(
            st.Function(cliff, 2), start, rule(), evaluate_every=4, max_epochs=8, diagnose=False, **options
        )

    expected = run()
    assert (expected.stop_reason == "diverged") == (rule().learning_rate == 0.4)
    n_writes = 1 + expected.n_epochs
    for last in range(1, n_writes + 1):
        with monkeypatch.context() as patch:
            Slices(patch, 1000, last)
            with pytest.raises(BrokenOffError):
                run(checkpoint=tmp_path / f"{last}", checkpoint_seconds=0)
        assert_same_result(run(checkpoint=tmp_path / f"{last}"), expected)


def test_a_resumed_run_in_python_evaluates_no_point_again(tmp_path):
    calls = []

    def counted(w):
        calls.append(w)
        return bowl(w)

    def run(**options):
        options = {"optimizer": st.Adam(0.1), "max_epochs": 9, "diagnose": False, **options}
        st.minimize(st.Function(counted, 3), np.ones(3), **options)

    run()
    n_calls = len(calls)
    run(max_epochs=4, checkpoint=tmp_path / "run")
    run(checkpoint=tmp_path / "run")
    assert len(calls) == 2 * n_calls


@pytest.mark.parametrize("best", [False, True])
def test_the_automatic_rate_remembers_everything(best):
    """Each attribute that is not of the run itself has a number of its own, which comes back."""
    w = np.zeros(6)
    given = {"_objective", "_rule", "_w", "_batch_size", "_quadratic", "_mu", "_unlikeness"}
    one, other = (AutoRate(logistic(), st.Momentum("auto"), w, 0) for _ in range(2))
    changed = vars(one).keys() - given - {"_last", "_best", "_vector"}
    for number, name in enumerate(sorted(changed)):
        setattr(one, name, type(getattr(one, name))(number + 17))
    one._last.extend([(1.0, 2.0), (3.0, 4.0)])
    if best:
        one._best, one._vector = (0.5, 0.25, w + 1.0), np.arange(6.0)
    other.resume(through_a_file(one.state()))
    for name in vars(one).keys() - given:
        assert repr(getattr(other, name)) == repr(getattr(one, name)), name
    assert other._last.maxlen == one._last.maxlen
