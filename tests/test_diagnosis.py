"""What a run says of its own ailments: exploding, oscillating, slow, stalled at a saddle, or none."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st
from cases import Problem
from datasets import small
from quadratics import quadratic, rotated

seeds = st_.integers(0, 2**32 - 1)


def diagnosed(objective, optimizer, kind, w0=None, **options):
    """Run, check that what ails it is warned of once, and return the result."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = st.minimize(objective, w0, optimizer, **{"max_epochs": 100, "random_state": 0, **options})
    assert result.diagnosis.kind == kind, result.diagnosis
    texts = [str(each.message) for each in caught if issubclass(each.category, st.DiagnosisWarning)]
    assert bool(texts) == bool(kind)
    assert all(each.filename == __file__ for each in caught)
    return result


def improves(objective, optimizer, result, factor=0.5, **options):
    """Return whether the rate advised takes the same run much further down."""
    optimizer.learning_rate = result.diagnosis.learning_rate
    options = {"max_epochs": 100, "random_state": 0, "diagnose": False, **options}
    better = st.minimize(objective, options.pop("w0", None), optimizer, **options)
    return (
        better.stop_reason != "diverged"
        and better.history["gradient_norm"][-1] < factor * (result.history["gradient_norm"][-1])
    )


MAKERS = {
    "plain": st.GradientDescent,
    "momentum": st.Momentum,
    "nesterov": lambda rate: st.Momentum(rate, nesterov=True),
    "average": lambda rate: st.Momentum(rate, velocity="average"),
}


@pytest.mark.parametrize("name", MAKERS)
@given(seed=seeds)
@settings(deadline=None, max_examples=8)
def test_a_rate_above_the_bound_explodes_and_the_advice_does_not(name, seed):
    objective, make = quadratic(rotated([1.0, 3.0, 10.0], seed), np.ones(3)), MAKERS[name]
    rate = 1.05 * make(1.0).largest_stable_rate(10.0)
    result = diagnosed(objective, make(rate), "exploding", max_epochs=150)
    assert result.diagnosis.learning_rate < rate / 1.05
    assert f"{result.diagnosis.learning_rate:.3g}" in result.diagnosis
    assert improves(objective, make(rate), result)


def test_a_diverged_run_is_diagnosed_with_its_warning():
    with pytest.warns(st.DivergenceWarning, match="the run diverged") as caught:
        result = st.minimize(Problem().objective, None, st.GradientDescent(100.0), max_epochs=400)
    assert (result.stop_reason, result.diagnosis.kind) == ("diverged", "exploding")
    assert str(caught[-1].message) == result.diagnosis
    assert improves(Problem().objective, st.GradientDescent(1.0), result)


@pytest.mark.parametrize("rate", [1.0, 0.99999999])
def test_the_two_cycle_of_the_secret_number_oscillates(rate):
    objective = st.LeastSquares(np.ones((4, 1)), np.array([2.0, 2.0, 2.0, 2.0]), intercept=False)
    result = diagnosed(objective, st.GradientDescent(rate), "oscillating", np.array([5.0]))
    assert result.diagnosis.learning_rate == pytest.approx(0.5)  # 2 / (lmax + lmin)
    assert improves(objective, st.GradientDescent(1.0), result, w0=np.array([5.0]))


def test_rmsprop_with_a_rate_too_high_oscillates():
    objective = quadratic(np.diag([1.0, 100.0]))
    result = diagnosed(objective, st.RMSProp(0.5), "oscillating", np.array([1.0, 1.0]))
    assert result.diagnosis.learning_rate < 0.5
    assert "try momentum" in result.diagnosis
    assert improves(objective, st.RMSProp(0.5), result, w0=np.array([1.0, 1.0]))


def test_mini_batches_at_their_floor_of_noise_oscillate():
    problem = Problem(n=100)
    result = diagnosed(problem.objective, st.GradientDescent(0.1), "oscillating", batch_size=1)
    advised = result.diagnosis.learning_rate
    assert advised < 0.1
    assert "a schedule that decays" in result.diagnosis
    lower = st.minimize(problem.objective, None, st.GradientDescent(advised), batch_size=1, random_state=0)
    assert lower.value < result.history["loss"][-20:].mean()


@pytest.mark.parametrize("name", MAKERS)
def test_a_rate_too_low_is_slow(name):
    problem, make = Problem(n=200), MAKERS[name]
    result = diagnosed(problem.objective, make(1e-5), "slow")
    assert "learning rate 1e-05 is too low" in result.diagnosis
    assert improves(problem.objective, make(1.0), result, 1e-2)


@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("rule", [st.Adam, st.AdaGrad, st.RMSProp])
def test_a_rate_too_low_for_adaptive_rules_is_raised_by_a_race(batch_size, rule):
    """The advised rate does at least half of what the best of a grid does. Ten times the rate does next to nothing."""
    objective, options = Problem(n=200).objective, {"batch_size": batch_size, "max_epochs": 100, "random_state": 0}
    rates = (1e-5, *np.geomspace(1e-4, 10, 11))
    search = st.grid_search(objective, rule(1.0), rates, diagnose=False, **options)
    result = diagnosed(objective, rule(1e-6), "slow", **options)
    advised = st.minimize(objective, None, rule(result.diagnosis.learning_rate), diagnose=False, **options)
    start = result.history["loss"][0]
    assert start - advised.value > 0.5 * (start - search.best.value)
    assert start - search.results[0].value < 0.1 * (start - search.best.value)


def test_without_a_race_a_high_rate_is_still_lowered():
    """A constraint, for which no race is run."""
    box = st.Box(-10.0, 10.0)
    result = diagnosed(Problem(n=200).objective, st.GradientDescent(0.2), "oscillating", batch_size=4, constraint=box)
    assert result.diagnosis.learning_rate == pytest.approx(0.02)


def test_columns_of_unlike_scale_are_slow_and_named():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5)) * [1, 1, 1e3, 1, 1e-3]
    objective = st.LeastSquares(X, X @ [1, 2, 1e-3, 1, 500.0] + rng.standard_normal(200))
    result = diagnosed(objective, st.GradientDescent("auto"), "slow", stop=st.stop.GradientNorm(1e-9))
    assert "standardise the features (columns 2, 4; scales differ by 1e6)" in result.diagnosis


def test_correlated_columns_are_slow_and_given_momentum():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 6)) * 0.02 + rng.standard_normal((500, 1))
    objective = st.LeastSquares(X, rng.standard_normal(500))
    stop = st.stop.GradientNorm(1e-8)
    result = diagnosed(objective, st.GradientDescent("auto"), "slow", max_epochs=200, stop=stop)
    assert "the features are correlated" in result.diagnosis
    momentum = float(result.diagnosis.partition("momentum=")[2].partition(")")[0])
    optimizer = st.Momentum(result.diagnosis.learning_rate, momentum=momentum)
    assert st.minimize(objective, None, optimizer, max_epochs=5000, stop=stop).converged


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("rate", [1e-3, 1e-2])
def test_the_advice_on_a_logistic_loss_helps(name, rate):
    objective, make = small("breast_cancer").standardised().objective(), MAKERS[name]
    result = diagnosed(objective, make(rate), "slow")
    better = st.minimize(objective, None, make(result.diagnosis.learning_rate), max_epochs=100, diagnose=False)
    assert better.value < result.value
    assert better.history["loss"].max() <= 1.01 * better.history["loss"][0]


@pytest.mark.parametrize("rate", [1e-4, 1e-2, 0.1])
def test_a_rate_too_high_for_raw_columns_is_never_raised(rate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = st.minimize(small("breast_cancer").objective(), None, st.GradientDescent(rate))
    advised = result.diagnosis.learning_rate
    assert advised is None or advised < rate
    assert result.diagnosis.kind in ("exploding", "oscillating")


@pytest.mark.parametrize(("batch_size", "rate"), [(1, 0.1), (1, 0.3), (32, 2.0)])
def test_the_advice_after_mini_batches_diverged_does_not_diverge(batch_size, rate):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 10))
    objective = st.LeastSquares(X, X @ np.ones(10) + rng.standard_normal(2000))
    result = diagnosed(objective, st.GradientDescent(rate), "exploding", batch_size=batch_size)
    again = st.GradientDescent(result.diagnosis.learning_rate)
    followed = st.minimize(objective, None, again, batch_size=batch_size, random_state=0, diagnose=False)
    assert followed.stop_reason != "diverged"
    assert followed.history["loss"].max() <= 1.01 * followed.history["loss"][0]


@pytest.mark.parametrize("options", [{"max_epochs": 15}, {"max_epochs": 150, "evaluate_every": 10}])
def test_short_and_sparse_histories_of_explosions(options):
    diagnosed(Problem(n=200).objective, st.GradientDescent(2.0), "exploding", **options)


def test_an_explanation_costs_no_more_than_its_run():
    calls = []

    def value_and_gradient(w):
        calls.append(1)
        return float(w @ w), 2 * w

    st.minimize(
        st.Function(value_and_gradient, 2000), np.ones(2000), st.GradientDescent(1e-6), max_epochs=50, diagnose=False
    )
    alone = len(calls)
    calls.clear()
    with pytest.warns(st.DiagnosisWarning):
        st.minimize(st.Function(value_and_gradient, 2000), np.ones(2000), st.GradientDescent(1e-6), max_epochs=50)
    assert len(calls) <= 3 * alone


def test_noise_is_no_saddle():
    rng = np.random.default_rng(0)
    noisy = st.Function(lambda w: (float(w @ w), 2 * w + 1e-3 * rng.standard_normal(1)), 1)
    diagnosed(noisy, st.GradientDescent(0.1), "", np.ones(1), max_epochs=200)
    sine = st.Function(lambda w: (float(np.sin(w[0])), np.cos(w)), 1)
    diagnosed(sine, st.GradientDescent(0.1), "", np.array([1.6]), stop=st.stop.GradientNorm(0.3))


SADDLE = {
    "saddle": (lambda u, v: (-((u - 1) ** 2) + (v - 2) ** 2 + 1, [-2 * (u - 1), 2 * (v - 2)]), "a saddle"),
    "maximum": (lambda u, v: (-((u - 1) ** 2) - (v - 2) ** 2 + 12, [-2 * (u - 1), -2 * (v - 2)]), "a maximum"),
}


@pytest.mark.parametrize("name", SADDLE)
@pytest.mark.parametrize("stop", [(), st.stop.GradientNorm(1e-8)], ids=["to the end", "converged"])
def test_a_stall_at_a_saddle(name, stop):
    f, place = SADDLE[name]
    objective = st.Function(lambda w: (lambda value, slope: (float(value), np.array(slope)))(*f(*w)), 2)
    w0 = np.array([1.0, 3.0 if name == "saddle" else 2.0])
    result = diagnosed(objective, st.GradientDescent(0.1), "saddle", w0, max_epochs=200, stop=stop)
    assert f"stalls at {place}" in result.diagnosis
    assert "but the curvature along [" in result.diagnosis
    assert "] is -2; start again" in result.diagnosis
    assert result.diagnosis.learning_rate is None


@pytest.mark.parametrize("name", MAKERS)
@given(seed=seeds, kappa=st_.floats(1, 50), fraction=st_.floats(0.3, 0.9))
@settings(deadline=None, max_examples=15)
def test_a_healthy_run_is_told_nothing(name, seed, kappa, fraction):
    objective, make = quadratic(rotated([1.0, kappa**0.5, kappa], seed), np.ones(3)), MAKERS[name]
    rate = fraction * make(1.0).largest_stable_rate(kappa)
    result = diagnosed(objective, make(rate), "", max_epochs=3000, stop=st.stop.GradientNorm(1e-6))
    assert (result.diagnosis, result.diagnosis.learning_rate) == ("", None)


FITS = {
    "adam": (st.Adam, 0.05),
    "rmsprop": (st.RMSProp, 0.05),
    "adagrad": (st.AdaGrad, 0.5),
    "momentum": (st.Momentum, 0.1),
}


@pytest.mark.parametrize("optimizer", FITS)
@pytest.mark.parametrize("batch_size", [None, 64])
@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_fits_as_people_make_them_are_told_nothing(name, batch_size, optimizer):
    objective = small(name).standardised().objective(alpha=1e-3)
    make, rate = FITS[optimizer]
    rate = 5.0 if optimizer == "momentum" and batch_size is None else rate
    steps = 60 * -(-objective.n_samples // (batch_size or objective.n_samples))
    diagnosed(objective, make(st.schedules.CosineDecay(rate, steps)), "", max_epochs=60, batch_size=batch_size)


def test_a_diagnosis_can_be_switched_off_and_pickled():
    objective, optimizer = quadratic(np.diag([1.0, 2.0])), st.GradientDescent(1.01)
    diagnosed(objective, optimizer, "", np.ones(2), diagnose=False)
    found = diagnosed(objective, optimizer, "exploding", np.ones(2)).diagnosis
    again = pickle.loads(pickle.dumps(found))
    assert (again, again.kind, again.learning_rate) == (found, found.kind, found.learning_rate)


def test_a_function_that_fails_when_it_is_only_asked_why_does_not_lose_the_run():
    def fails(w, v):
        raise ZeroDivisionError

    objective = st.Function(lambda w: (float(np.exp(w @ w)), -w), 2, fails)
    result = diagnosed(objective, st.GradientDescent(1e-3), "exploding", np.ones(2))
    assert result.n_epochs == 100


def test_a_tolerance_of_zero_is_none():
    objective = st.LeastSquares(np.eye(3), np.array([1.0, 2.0, 3.0]))
    result = diagnosed(objective, st.GradientDescent(0.01), "slow", stop=st.stop.GradientNorm(0.0), max_epochs=40)
    assert result.stop_reason == "max_epochs"


def test_an_ailment_is_told_while_the_run_goes_on():
    told = []
    objective = quadratic(np.diag([1.0, 10.0]), np.ones(2))

    def look(progress):
        told.append((progress.epoch, len(caught)))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        st.minimize(objective, None, st.GradientDescent(0.201), max_epochs=90, callbacks=look)
    assert dict(told)[30] == 0
    assert dict(told)[40] == 1
    assert len(caught) == 1
