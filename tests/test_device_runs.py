"""Runs of minimize over data on a device: against those of the CPU, and all that a run can be asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, Problem, assert_follows, each_loss, each_rule
from device_arrays import on_device
from steepest.arrays.device import DeviceArray

DATA = Problem("logistic", n=40, d=6, alpha=0.05)


def there(problem=DATA):
    """The problem's objective on a device."""
    X, y, s = problem.data
    options = {"intercept": problem.intercept, "alpha": problem.alpha, "l1_ratio": problem.l1_ratio}
    weights = on_device(s) if problem.weighted else None
    return LOSSES[problem.loss][0](on_device(X, problem.order), on_device(y), sample_weight=weights, **options)


def both(problem=DATA, optimizer=st.Adam, w0=True, **options):
    """The results of one run on the CPU and on a device."""
    options = {"max_epochs": 4, "random_state": 3, "record_path": True, **options}
    start = problem.w0 if w0 else None
    theirs = st.minimize(problem.objective, start, optimizer(), **options)
    ours = st.minimize(there(problem), on_device(start) if w0 else None, optimizer(), **options)
    return ours, theirs


def assert_same(ours, theirs):
    assert isinstance(ours.w, DeviceArray)
    assert isinstance(ours.path, np.ndarray)
    assert_follows(ours.path, theirs.path, 1e-11)
    np.testing.assert_allclose(ours.w.numpy(), theirs.w, rtol=1e-9, atol=1e-12)
    assert ours.value == pytest.approx(theirs.value, rel=1e-11)
    for name in ("stop_reason", "converged", "n_epochs", "n_steps", "best_epoch"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert list(ours.history) == list(theirs.history)
    for name in set(ours.history) - {"seconds"}:
        np.testing.assert_allclose(ours.history[name], theirs.history[name], rtol=1e-9, atol=1e-12)


@each_loss
@pytest.mark.parametrize("batch_size", [None, 1, 7, 40, 1000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_run_is_that_of_the_cpu(cuda, loss, batch_size, order):
    problem = Problem(loss, n=40, d=6, order=order, weighted=True, alpha=0.05, l1_ratio=0.5)
    assert_same(*both(problem, lambda: st.Adam(0.02), batch_size=batch_size))


@each_rule
def test_every_rule(cuda, rule):
    assert_same(*both(optimizer=rule.make, batch_size=16))


@pytest.mark.parametrize(
    "options", [{"shuffle": False}, {"evaluate_every": 3}, {"max_epochs": 0}, {"w0": False}], ids=str
)
def test_options(cuda, options):
    assert_same(*both(batch_size=9, **options))


def test_a_schedule(cuda):
    assert_same(*both(optimizer=lambda: st.Momentum(st.schedules.StepDecay(0.05, 0.5, 3)), batch_size=9))


def test_float32_and_16_bits(cuda):
    X, y, _ = Problem("logistic", n=40, d=6, dtype=np.float32).data
    half = X.astype(np.float16)
    run = {"batch_size": 8, "max_epochs": 3, "random_state": 0, "record_path": True}
    ours = st.minimize(st.Logistic(on_device(half), on_device(y)), **run)
    theirs = st.minimize(st.Logistic(half.astype(np.float32), y), **run)
    assert ours.path.dtype == np.float32
    assert_follows(ours.path, theirs.path, 1e-5)


def test_the_optimizer_goes_on(cuda):
    ours, theirs = st.Adam(0.05), st.Adam(0.05)
    run = {"max_epochs": 2, "batch_size": 8, "random_state": 0}
    first, second = (
        st.minimize(objective, None, o, **run) for objective, o in ((there(), ours), (DATA.objective, theirs))
    )
    assert ours.n_steps == theirs.n_steps == 10
    first = st.minimize(there(), first.w, ours, **run, reset=False)
    second = st.minimize(DATA.objective, second.w, theirs, **run, reset=False)
    np.testing.assert_allclose(first.w.numpy(), second.w, rtol=1e-10)
    assert ours.n_steps == 20
    for name, array in ours.state_dict()["state"].items():
        np.testing.assert_allclose(array, theirs.state_dict()["state"][name], rtol=1e-9, atol=1e-13)


def test_the_start_stays_as_it_was(cuda):
    w0 = on_device(DATA.w0)
    result = st.minimize(there(), w0, max_epochs=2)
    np.testing.assert_array_equal(w0.numpy(), DATA.w0)
    assert "w=DeviceArray" in repr(result)


@pytest.mark.parametrize("kind", ["tuple", "objective"])
def test_validation(cuda, kind):
    held_out = Problem("logistic", n=15, d=6, seed=1)
    X, y, _ = held_out.data
    ours = (on_device(X), on_device(y)) if kind == "tuple" else there(held_out)
    run = {"max_epochs": 30, "stop": st.stop.NoImprovement(3), "batch_size": 4, "random_state": 0, "record_path": True}
    mine = st.minimize(there(), None, st.Adam(0.3), validation=ours, **run)
    theirs = st.minimize(DATA.objective, None, st.Adam(0.3), validation=(X, y), **run)
    assert mine.stop_reason == "NoImprovement"
    assert_same(mine, theirs)


def test_validation_elsewhere_is_named(cuda):
    X, y, _ = DATA.data
    with pytest.raises(ValueError, match=r"^validation must be in the memory of CUDA device 0.*got the host's memory"):
        st.minimize(there(), validation=(X, y))
    with pytest.raises(ValueError, match=r"^validation must be in the host's memory.*got the memory of CUDA device 0"):
        st.minimize(DATA.objective, validation=there())


def test_callbacks_and_stopping_rules_see_the_host(cuda):
    seen = []
    rule = st.stop.ParameterChange(1e-3)
    result = st.minimize(there(), None, st.GradientDescent(0.5), max_epochs=10_000, stop=rule, callbacks=seen.append)
    assert result.stop_reason == "ParameterChange"
    assert all(isinstance(progress.w, np.ndarray) for progress in seen)
    assert not seen[0].w.any()
    np.testing.assert_array_equal(seen[-1].w, result.w.numpy())
    assert st.minimize(there(), max_epochs=9, callbacks=lambda progress: progress.epoch == 2).n_epochs == 2


@pytest.mark.parametrize(
    ("batch_size", "advice"), [(None, "largest stable learning rate .* about 0.592"), (10, "try a learning rate of 1")]
)
def test_divergence(cuda, batch_size, advice):
    problem = Problem(n=40, d=6)
    with pytest.warns(st.DivergenceWarning, match=advice):
        result = st.minimize(there(problem), None, st.GradientDescent(10.0), max_epochs=2000, batch_size=batch_size)
    assert result.stop_reason == "diverged"
    assert np.isfinite(result.w.numpy()).all()
    assert math.isfinite(result.value)


def test_a_start_that_is_not_finite_is_named(cuda):
    with pytest.raises(ValueError, match=r"^w0 must be finite, got nan at index 3"):
        st.minimize(there(), on_device(np.where(np.arange(7) == 3, np.nan, 0.0)))
    X, y, _ = DATA.data
    with pytest.raises(ValueError, match=r"^objective must be finite at w0"):
        st.minimize(st.Logistic(on_device(np.where(X > 1, np.inf, X)), on_device(y)), on_device(np.ones(7)))


@pytest.mark.parametrize("batch_size", [None, 4])
def test_ctrl_c_returns_what_was_reached(cuda, batch_size):
    def interrupt(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    result = st.minimize(there(), max_epochs=9, batch_size=batch_size, random_state=0, callbacks=interrupt)
    assert (result.stop_reason, result.n_epochs) == ("interrupted", 3)
    expected = st.minimize(there(), max_epochs=3, batch_size=batch_size, random_state=0)
    np.testing.assert_array_equal(result.w.numpy(), expected.w.numpy())


def test_no_time(cuda):
    result = st.minimize(there(), max_seconds=0.0, batch_size=4)
    assert (result.stop_reason, result.n_steps) == ("max_seconds", 0)


def test_an_objective_with_a_method_of_its_own_is_refused(cuda):
    class Own(st.Logistic):
        def value_and_gradient(self, w):
            return super().value_and_gradient(w)

    X, y, _ = DATA.data
    with pytest.raises(TypeError, match=r"^objective must not have a value_and_gradient of its own.*got Own"):
        st.minimize(Own(on_device(X), on_device(y)))


@pytest.mark.parametrize("constraint", [st.Box(0, 1), st.Simplex()], ids=repr)
def test_a_constraint_is_for_all_rows(cuda, constraint):
    with pytest.raises(
        NotImplementedError, match=r"^constraint must be None for mini-batches .* CUDA device; use batch"
    ):
        st.minimize(there(), None, st.GradientDescent(0.1), constraint=constraint, batch_size=8)


@each_loss
@pytest.mark.parametrize("constraint", [st.Box(-0.1, 0.2), st.Box(0, np.inf), st.Simplex()], ids=repr)
@pytest.mark.parametrize(
    "optimizer",
    [lambda: st.GradientDescent(0.02), lambda: st.Momentum("auto"), lambda: None],
    ids=["gd", "auto", "none"],
)
def test_constraints(cuda, loss, constraint, optimizer):
    problem = Problem(loss, n=40, d=6, weighted=True, alpha=0.05)
    ours, theirs = both(problem, optimizer, w0=False, constraint=constraint, max_epochs=8, diagnose=False)
    assert_same(ours, theirs)


def test_a_box_that_quasi_newton_takes(cuda):
    found = [
        st.minimize(each, optimizer=st.QuasiNewton(), constraint=st.Box(0, np.inf))
        for each in (there(), DATA.objective)
    ]
    assert found[0].converged
    np.testing.assert_allclose(found[0].w.numpy(), found[1].w, rtol=0, atol=1e-8)
    assert (found[1].w[:-1] == 0.0).any()


def test_several_starts(cuda):
    found = [
        st.minimize(each, optimizer=st.Adam(0.1), starts=3, random_state=0, max_epochs=5, diagnose=False)
        for each in (there(), DATA.objective)
    ]
    assert len(found[0].starts) == 3
    assert isinstance(found[0].w, DeviceArray)
    np.testing.assert_allclose(found[0].w.numpy(), found[1].w, rtol=1e-9)
    for ours, theirs in zip(found[0].starts, found[1].starts, strict=True):
        assert ours.value == pytest.approx(theirs.value, rel=1e-10)
