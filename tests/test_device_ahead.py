"""Descent over all rows on a device, whose steps are queued before they are asked for: nobody sees the difference."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import Problem, each_rule
from device_arrays import on_device
from devices import Memory
from steepest.optimizers.runners import DeviceRunner
from test_cuda_descent import ADAM
from test_device_runs import there

pytestmark = pytest.mark.filterwarnings("ignore::steepest.DiagnosisWarning")  # of runs of few steps
DATA = Problem("logistic", n=40, d=6, alpha=0.05, l1_ratio=0.3)


@pytest.fixture(params=[2, 7, 64], ids="slices of {}".format)
def slices(request, monkeypatch):
    """Queue so many steps at once, however long they take."""
    run, seen = DeviceRunner.run, []

    def sliced(self, learning_rates, seconds, path):
        self._descent.set_slice(request.param)
        seen.append(self._descent.useful_rates)
        return run(self, learning_rates, seconds, path)

    monkeypatch.setattr(DeviceRunner, "run", sliced)
    return seen


def run(optimizer, *, ahead, problem=DATA, **options):
    """The result of a run; a callback wants every step at once."""
    options = {"max_epochs": 20, "record_path": True, **options}
    callbacks = [] if ahead else [lambda progress: None]
    return st.minimize(there(problem), on_device(problem.w0), optimizer, callbacks=callbacks, **options)


def both(make, **options):
    """The results of a run with steps ahead and of one without, and their optimizers."""
    optimizers = make(), make()
    return [run(o, ahead=ahead, **options) for o, ahead in zip(optimizers, (True, False), strict=True)], optimizers


def assert_same(ours, theirs):
    np.testing.assert_array_equal(ours.w.numpy(), theirs.w.numpy())
    np.testing.assert_array_equal(ours.path, theirs.path)
    for name in ("value", "stop_reason", "converged", "n_epochs", "n_steps"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in set(ours.history) - {"seconds"}:
        np.testing.assert_array_equal(ours.history[name], theirs.history[name])


def assert_same_states(ours, theirs):
    assert ours.n_steps == theirs.n_steps
    mine, others = (o.state_dict()["state"] for o in (ours, theirs))
    for name in mine:
        np.testing.assert_array_equal(mine[name], others[name])


@each_rule
def test_every_rule(cuda, slices, rule):
    results, optimizers = both(rule.make)
    assert_same(*results)
    assert_same_states(*optimizers)
    assert max(slices) > 1


@pytest.mark.parametrize("options", [{"evaluate_every": 3}, {"max_epochs": 1}, {"max_epochs": 0}], ids=str)
def test_options(cuda, slices, options):
    assert_same(*both(lambda: st.Adam(0.1), **options)[0])


def test_a_schedule(cuda, slices):
    results, optimizers = both(lambda: st.Momentum(st.schedules.StepDecay(0.5, 0.5, 4)))
    assert_same(*results)
    assert_same_states(*optimizers)


@pytest.mark.parametrize("epoch", [1, 4, 8, 13])
def test_a_rule_that_stops_between_two_slices_or_within_one(cuda, slices, epoch):
    class Enough(st.stop.StopRule):
        def __call__(self, progress):
            np.testing.assert_array_equal(progress.w, seen[progress.epoch])
            return progress.epoch == epoch

    seen = run(st.Adam(0.1), ahead=False).path
    results, optimizers = both(lambda: st.Adam(0.1), stop=[Enough()])
    assert results[0].n_epochs == epoch
    assert_same(*results)
    assert_same_states(*optimizers)
    np.testing.assert_array_equal(results[0].w.numpy(), seen[epoch])


def test_the_optimizer_goes_on_after_a_stop(cuda, slices):
    results, optimizers = both(lambda: st.Adam(0.1), stop=[st.stop.LossChange(1e-2)])
    assert 1 < results[0].n_epochs < 20
    again = [
        st.minimize(there(DATA), result.w, optimizer, max_epochs=5, reset=False, record_path=True)
        for result, optimizer in zip(results, optimizers, strict=True)
    ]
    assert_same(*again)


def test_a_run_that_diverges_goes_back(cuda, slices):
    data = Problem(n=40, d=6, dtype=np.float32)
    with pytest.warns(st.DivergenceWarning):
        results = [run(st.GradientDescent(1e4), ahead=ahead, problem=data, max_epochs=60) for ahead in (True, False)]
    assert results[0].stop_reason == "diverged"
    assert np.isfinite(results[0].w.numpy()).all()
    assert_same(*results)


def test_a_schedule_that_ends_with_the_run(cuda, slices):
    def rate(step):
        if np.max(step) > 5:
            raise IndexError("no such step")
        return 0.1

    class Enough(st.stop.StopRule):
        def __call__(self, progress):
            return progress.epoch == 5

    assert run(st.Adam(rate), ahead=True, stop=[Enough()]).n_epochs == 5


def test_rates_that_are_not_those_foreseen(memory):
    """The steps that were queued are undone where the next call gives another rate."""
    data = Problem("logistic", n=40, d=6, dtype=np.float64)

    def steps(rates_of_calls, slice_steps):
        ours = Memory(memory.module)
        X, y, _ = data.data
        objective = memory.module.Objective(
            "logistic", "float64", ours.put(X), 40, 6, True, ours.put(y), 0, 40.0, True, 0.0, 0.0, 0, 1
        )
        optimizer = ADAM.make()
        rule = memory.module.Rule(optimizer.rule_name, **optimizer._hyperparameters)
        w, states = ours.put(data.w0), tuple(ours.put(np.zeros_like(data.w0)) for _ in range(2))
        descent = memory.module.Descent(objective, rule, w, states, 0, 0)
        path = np.empty((len(rates_of_calls), 7))
        for k, rates in enumerate(rates_of_calls):
            descent.set_slice(slice_steps)
            descent.start_epoch(None)
            assert descent.run(np.array(rates), 60.0, path[k : k + 1]) == (1, True, False)
        value = descent.evaluate()
        descent.settle()
        return path, value, [ours.get(p, 7, np.float64) for p in (w, *states)]

    foreseen = [[0.1, 0.2, 0.3, 0.4], [0.2], [0.5, 0.6, 0.7], [0.6, 0.9], [0.1, 0.1, 0.1]]
    ours, theirs = steps(foreseen, 4), steps([rates[:1] for rates in foreseen], 1)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert ours[1] == theirs[1]
    for mine, others in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_array_equal(mine, others)


def test_steps_do_not_wait_for_one_another(cuda, slices):
    if not hasattr(cuda, "emulated_calls"):
        pytest.skip("the calls of the runtime are not counted here")
    cuda.emulated_forget_calls()
    run(st.Adam(0.1), ahead=True, max_epochs=64)
    waits = cuda.emulated_calls()["cudaStreamSynchronize"]
    assert waits < 16 + 8 * 64 / max(slices)
