"""A run that ended before it converged says so, in its diagnosis and where it is printed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import steepest as st
from cases import Problem
from quadratics import quadratic

BOWL = quadratic(np.diag([1.0, 2.0]))
ONES = np.ones(2)


def run(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is wrong with these runs, so none warns
        return st.minimize(BOWL, ONES, **{"optimizer": st.GradientDescent(0.3), **options})


def ends_now(progress):
    return progress.epoch == 3


def interrupts(progress):
    if progress.epoch == 3:
        raise KeyboardInterrupt


class Never(st.stop.StopRule):
    def __call__(self, progress):
        return False


UNFINISHED = {
    "no rule": ({"max_epochs": 4}, "the run used all its epochs (4); no tolerance judged it: the gradient norm is "),
    "no epochs": (
        {"max_epochs": 0},
        "the run used all its epochs (0); no tolerance judged it: the gradient norm is 2.24",
    ),
    "a tolerance": (
        {"max_epochs": 4, "stop": st.stop.GradientNorm(1e-9)},
        "the run used all its epochs (4); the gradient norm is 0.245, and the tolerance is 1e-09",
    ),
    "another rule": (
        {"max_epochs": 4, "stop": st.stop.LossChange(1e-9)},
        "the run used all its epochs (4); LossChange did not end it",
    ),
    "two rules": (
        {"max_epochs": 4, "stop": [st.stop.ParameterChange(1e-9), Never()]},
        "the run used all its epochs (4); ParameterChange and Never did not end it",
    ),
    "seconds": ({"max_seconds": 0.0}, "the run used all its seconds, in epoch 0; no tolerance judged it"),
    "a callback": ({"callbacks": ends_now}, "a callback ended the run in epoch 3; no tolerance judged it"),
    "Ctrl-C": ({"callbacks": interrupts}, "Ctrl-C ended the run in epoch 3; no tolerance judged it"),
    "Adam": ({"optimizer": st.Adam(0.1), "max_epochs": 10}, "the run used all its epochs (10); no tolerance judged it"),
}


@pytest.mark.parametrize(("options", "text"), UNFINISHED.values(), ids=UNFINISHED)
def test_says_why_it_has_not_converged(options, text):
    result = run(**options)
    assert (result.converged, result.diagnosis.kind, result.diagnosis.learning_rate) == (False, "", None)
    assert result.diagnosis.startswith(f"not converged: {text}")
    assert str(result) == f"{result!r}\n{result.diagnosis}"


def test_a_run_that_converged_says_by_what():
    result = run(max_epochs=1000, stop=st.stop.GradientNorm(1e-6))
    assert (result.converged, result.diagnosis) == (True, "")
    assert str(result).endswith(f"\nconverged in {result.n_epochs} epochs, by GradientNorm")


@pytest.mark.parametrize("batch_size", [None, 10])
@pytest.mark.parametrize("rule", [st.Adam, st.AdaGrad, st.RMSProp, st.Momentum, st.GradientDescent])
def test_data_too(rule, batch_size):
    options = {"batch_size": batch_size, "max_epochs": 5, "random_state": 0}
    result = st.minimize(Problem(n=80).objective, optimizer=rule(0.01), **options)
    assert str(result).splitlines()[-1] == result.diagnosis
    assert result.diagnosis.startswith("not converged: the run used all its epochs (5); no tolerance judged it")


def test_quasi_newton_that_was_cut_short():
    result = st.minimize(Problem("logistic", n=300).objective, max_epochs=1)
    assert not result.converged
    assert str(result).splitlines()[-1].startswith("not converged: the run used all its epochs (1)")


def test_a_tolerance_below_the_arithmetic():
    result = st.minimize(Problem("logistic", n=300).objective, stop=st.stop.GradientNorm(1e-30))
    assert (result.converged, result.stop_reason) == (False, "precision")
    assert result.diagnosis.startswith("not converged: the arithmetic allows no lower value, but the gradient norm is ")


def test_a_problem_is_said_instead():
    with pytest.warns(st.DiagnosisWarning) as caught:
        result = st.minimize(BOWL, ONES, st.GradientDescent(1.01), max_epochs=25)
    assert str(caught[-1].message) == result.diagnosis
    assert str(result).endswith(f"\nnot converged: {result.diagnosis}")


def test_without_a_diagnosis_it_says_so_too():
    assert str(run(max_epochs=3, diagnose=False)).endswith("\nnot converged: the run ended by max_epochs")


@pytest.mark.parametrize("tol", ["auto", 1e-15])
def test_the_arithmetic_ends_a_fit_well_where_nobody_set_a_tolerance(tol):
    """The tolerance of "auto" may be below what rounding leaves, so that the fit ends a step later, at the minimum."""
    reasons = set()
    for seed in range(12):
        random = np.random.default_rng(seed)
        X = random.standard_normal((200, 10))
        y = X[:, :5].sum(axis=1) + random.standard_normal(200) > 0
        model = st.LogisticClassifier(alpha=0.01, l1_ratio=1.0, tol=tol).fit(X, y)
        reasons.add(model.stop_reason_)
        assert model.converged_ == (tol == "auto")
        assert model.diagnosis_.startswith("not converged") == (tol != "auto")
    assert "precision" in reasons
