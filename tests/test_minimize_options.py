"""What a run of `minimize` tells, and when it ends."""

from __future__ import annotations

import dataclasses
import re
import time

import numpy as np
import pytest

import steepest as st
from cases import Problem, assert_follows, each_loss, each_rule, run
from steepest.optimizers.runners import NativeRunner

# What a run tells


@each_loss
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_history(loss, batch_size, l1_ratio):
    problem = Problem(loss, weighted=True, alpha=0.3, l1_ratio=l1_ratio)
    result = run(problem, st.GradientDescent(0.1), epochs=6, batch_size=batch_size)
    updates = 1 if batch_size is None else 4
    points, history = result.path[::updates], result.history
    assert (result.n_epochs, result.n_steps, len(points)) == (6, 6 * updates, 7)
    np.testing.assert_array_equal(history["epoch"], np.arange(7))
    np.testing.assert_allclose(history["loss"], [problem.value_and_gradient(w)[0] for w in points], rtol=1e-12)
    np.testing.assert_allclose(history["gradient_norm"], [problem.gradient_norm(w) for w in points], rtol=1e-11)
    np.testing.assert_array_equal(history["learning_rate"], np.full(7, 0.1))
    assert history["seconds"][0] >= 0
    assert (np.diff(history["seconds"]) >= 0).all()
    assert sorted(history) == ["epoch", "gradient_norm", "learning_rate", "loss", "seconds"]
    assert all(column.dtype == (np.int64 if name == "epoch" else np.float64) for name, column in history.items())
    np.testing.assert_array_equal(result.w, points[-1])
    assert (result.value, result.best_epoch) == (history["loss"][-1], None)
    assert (result.converged, result.stop_reason) == (False, "max_epochs")


def test_no_epochs_leave_the_start():
    result = run(Problem(), st.Adam(), epochs=0)
    np.testing.assert_array_equal(result.path, [Problem().w0])
    assert (result.n_epochs, result.n_steps, result.stop_reason) == (0, 0, "max_epochs")
    assert result.value == result.history["loss"][0] == pytest.approx(Problem().value_and_gradient(result.w)[0])


@pytest.mark.parametrize(("epochs", "rows"), [(7, [0, 3, 6, 7]), (6, [0, 3, 6]), (2, [0, 2])])
def test_evaluate_every(epochs, rows):
    seen = []
    result = run(
        Problem(), st.Adam(), epochs, batch_size=7, evaluate_every=3, callbacks=[lambda p: seen.append(p.epoch)]
    )
    every = run(Problem(), st.Adam(), epochs, batch_size=7)
    assert result.path.tobytes() == every.path.tobytes()
    np.testing.assert_array_equal(result.history["epoch"], rows)
    np.testing.assert_array_equal(result.history["loss"], every.history["loss"][rows])
    assert [epoch for epoch in seen if epoch] == rows[1:]


# Stopping

STOPS = [
    (st.stop.GradientNorm(0.05), lambda h, p: h["gradient_norm"] <= 0.05),
    (st.stop.LossChange(1e-4), lambda h, p: np.append(False, np.abs(np.diff(h["loss"])) <= 1e-4)),
    (st.stop.ParameterChange(0.01), lambda h, p: np.append(False, np.linalg.norm(np.diff(p, axis=0), axis=1) <= 0.01)),
]


@each_loss
@pytest.mark.parametrize(("rule", "holds"), STOPS, ids=lambda v: type(v).__name__)
def test_stops_at_the_first_epoch_where_a_rule_holds(loss, rule, holds):
    for _ in range(2):  # a rule may serve several runs
        result = run(Problem(loss), st.GradientDescent(0.2), epochs=2000, stop=[rule])
        assert (result.converged, result.stop_reason) == (True, type(rule).__name__)
        assert 0 < result.n_epochs < 2000
        held = holds(result.history, result.path)
        assert held[-1]
        assert not held[:-1].any()


@pytest.mark.parametrize(("gradient", "loss"), [(1e-1, 1e-12), (1e-9, 1e-3)])
def test_the_first_of_several_rules_is_named(gradient, loss):
    rules = [st.stop.GradientNorm(gradient), st.stop.LossChange(loss), st.stop.ParameterChange(0.0)]
    result = run(Problem(), st.GradientDescent(0.2), epochs=2000, stop=rules)
    first = rules[0] if gradient > loss else rules[1]
    assert (result.converged, result.stop_reason) == (True, type(first).__name__)
    alone = run(Problem(), st.GradientDescent(0.2), epochs=2000, stop=[first])
    assert result.n_epochs == alone.n_epochs


def test_a_start_at_the_minimum_takes_no_step():
    objective = st.LeastSquares(np.eye(3), np.array([1.0, 2.0, 3.0]), intercept=False)
    result = st.minimize(objective, np.array([1.0, 2.0, 3.0]), stop=[st.stop.GradientNorm(0.0)])
    assert (result.converged, result.n_epochs, result.n_steps) == (True, 0, 0)


def test_max_seconds():
    start = time.perf_counter()
    result = st.minimize(
        Problem().objective, optimizer=st.Adam(1e-6), max_epochs=10**9, max_seconds=0.1, diagnose=False
    )
    assert (result.converged, result.stop_reason) == (False, "max_seconds")
    assert 0.05 < time.perf_counter() - start < 5
    assert 0 < result.n_epochs < 10**9


# Validation


def validations():
    other = Problem(seed=1, weighted=True)
    X, y, s = other.data
    ones = dataclasses.replace(other, weighted=False)
    return {"objective": (other.objective, other), "pair": ((X, y), ones), "triple": ((X, y, s), other)}


@pytest.mark.parametrize("kind", ["objective", "pair", "triple"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_validation_keeps_the_best_parameters(kind, batch_size):
    validation, twin = validations()[kind]
    problem = Problem(n=8, alpha=0.01)
    result = run(problem, st.Momentum(0.03), epochs=60, batch_size=batch_size, validation=validation, diagnose=False)
    points = result.path[:: len(result.path) // 60]
    expected = [twin.value_and_gradient(w)[0] for w in points]  # without the penalty of the training objective
    np.testing.assert_allclose(result.history["validation_loss"], expected, rtol=1e-11)
    best = int(np.argmin(result.history["validation_loss"]))
    assert 0 < best < 60
    np.testing.assert_array_equal(result.w, points[best])
    assert (result.best_epoch, result.value, result.n_epochs) == (best, result.history["loss"][best], 60)


def test_validation_loss_has_no_penalty():
    X, y, _ = Problem().data
    penalised = st.LeastSquares(X, y, alpha=5.0, l1_ratio=0.5)
    losses = [run(Problem(), st.Adam(), validation=v).history["validation_loss"] for v in (penalised, (X, y))]
    np.testing.assert_array_equal(*losses)


def test_early_stopping():
    validation, _ = validations()["pair"]
    stop = [st.stop.NoImprovement(4)]
    result = run(Problem(n=8), st.Momentum(0.03), epochs=500, validation=validation, stop=stop)
    assert (result.converged, result.stop_reason) == (True, "NoImprovement")
    assert result.n_epochs == result.best_epoch + 4
    assert len(result.history["loss"]) == result.n_epochs + 1


# Callbacks


def test_callbacks_see_every_epoch():
    seen = []
    result = run(Problem(), st.Adam(), 5, batch_size=7, validation=Problem(seed=1).objective, callbacks=[seen.append])
    seen = [progress for progress in seen if progress.epoch > 0]
    assert [progress.epoch for progress in seen] == [1, 2, 3, 4, 5]
    for progress in seen:
        assert isinstance(progress, st.Progress)
        assert progress.n_steps == 4 * progress.epoch
        np.testing.assert_array_equal(progress.w, result.path[progress.n_steps])
        change = result.path[progress.n_steps] - result.path[progress.n_steps - 4]
        assert progress.parameter_change == pytest.approx(np.linalg.norm(change), rel=1e-12)
        for name in ("loss", "gradient_norm", "learning_rate", "seconds", "validation_loss"):
            assert getattr(progress, name) == result.history[name][progress.epoch]


def test_a_callback_ends_the_run_with_true_and_nothing_else():
    calls = []
    callbacks = [lambda p: calls.append(p.epoch), lambda p: p.epoch == 3, lambda p: "go on"]
    result = run(Problem(), st.Adam(), 9, callbacks=callbacks[:1] + callbacks[2:])
    assert (result.n_epochs, result.stop_reason) == (9, "max_epochs")
    result = run(Problem(), st.Adam(), 9, callbacks=callbacks)
    assert (result.n_epochs, result.stop_reason, result.converged) == (3, "callback", False)


def test_a_callback_cannot_disturb_the_run():
    def spoil(progress):
        progress.w[:] = np.nan

    assert run(Problem(), st.Adam(), callbacks=[spoil]).path.tobytes() == run(Problem(), st.Adam()).path.tobytes()


def test_an_error_in_a_callback_comes_through():
    def fail(progress):
        raise KeyError("from the callback")

    with pytest.raises(KeyError, match="from the callback"):
        run(Problem(), st.Adam(), callbacks=[fail])


def test_progress_bar_shows_the_loss(capsys):
    pytest.importorskip("tqdm")
    run(Problem(), st.Adam(), 5, progress=True)
    assert "loss" in capsys.readouterr().err


# Divergence


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_keeps_the_last_finite_parameters(batch_size, dtype):
    problem = Problem(dtype=dtype)
    with pytest.warns(st.DivergenceWarning, match=r"learning rate(.|\n)*scal") as warned:
        result = run(problem, st.GradientDescent(20.0), epochs=5000, batch_size=batch_size, diagnose=True)
    assert (result.converged, result.stop_reason) == (False, "diverged")
    assert result.n_epochs < 5000
    assert np.isfinite([*result.w, result.value]).all()
    # The bound is that of all rows. After mini-batches a race finds a rate, at which the same run does not diverge.
    whole = 2 / np.linalg.eigvalsh(problem.objective.hessian(result.w))[-1]
    bound = whole if batch_size is None else result.diagnosis.learning_rate
    again = run(problem, st.GradientDescent(result.diagnosis.learning_rate), epochs=50, batch_size=batch_size)
    assert again.value < again.history["loss"][0]
    numbers = [float(text) for text in re.findall(r"\d+\.?\d*(?:e[-+]?\d+)?", str(warned[0].message))]
    assert any(number == pytest.approx(bound, rel=0.1) for number in numbers)


def test_a_function_may_diverge_too():
    def quartic(w):
        with np.errstate(over="ignore", invalid="ignore"):
            return float(w[0] ** 4), 4 * w**3

    with pytest.warns(st.DivergenceWarning, match="learning rate"):
        result = st.minimize(st.Function(quartic, 1), np.ones(1), st.GradientDescent(1.0), max_epochs=100)
    assert result.stop_reason == "diverged"
    assert np.isfinite(result.w).all()


# Python-side objectives


@each_rule
def test_a_function_goes_through_the_same_loop(rule):
    problem, seen, schedule = Problem("logistic", alpha=0.2), [], st.schedules.StepDecay(0.1, 0.5, 2)
    options = {
        "validation": Problem("logistic", seed=1).objective,
        "stop": [st.stop.GradientNorm(1e-12), st.stop.NoImprovement(50)],
        "callbacks": [lambda progress: seen.append(progress.epoch)],
        "max_epochs": 8,
        "record_path": True,
        "evaluate_every": 2,
    }
    function = st.Function(problem.value_and_gradient, 6)
    result = st.minimize(function, problem.w0, rule.make(learning_rate=schedule), **options)
    native = st.minimize(problem.objective, problem.w0, rule.make(learning_rate=schedule), **options)
    assert_follows(result.path, problem.path(rule, 8, None, schedule))
    assert result.n_epochs == result.n_steps == 8
    assert {2, 4, 6, 8} <= set(seen)
    assert (result.stop_reason, result.best_epoch) == (native.stop_reason, native.best_epoch)
    assert result.history.keys() == native.history.keys()
    for name in result.history.keys() - {"seconds"}:
        np.testing.assert_allclose(result.history[name], native.history[name], rtol=1e-10)


def test_a_function_stops_by_rule_time_and_error():
    function = st.Function(Problem().value_and_gradient, 6)
    result = st.minimize(function, None, st.GradientDescent(0.2), max_epochs=5000, stop=[st.stop.GradientNorm(1e-6)])
    assert result.stop_reason == "GradientNorm"
    assert result.history["gradient_norm"][-1] <= 1e-6
    assert st.minimize(function, max_epochs=10**9, max_seconds=0.05, diagnose=False).stop_reason == "max_seconds"
    with pytest.raises(ZeroDivisionError):
        st.minimize(st.Function(lambda w: 1 / 0, 1))


@pytest.mark.parametrize("recorded", [False, True])
def test_a_native_call_takes_many_steps_unless_their_path_is_large(monkeypatch, recorded):
    """A path of four steps of 2^18 parameters has the 2^20 elements that one call may write."""
    calls = []
    right = NativeRunner.run

    def counted(self, learning_rates, seconds, path):
        calls.append(len(learning_rates))
        return right(self, learning_rates, seconds, path)

    monkeypatch.setattr(NativeRunner, "run", counted)
    X = np.zeros((12, 1 << 18), np.float32)
    objective = st.LeastSquares(X, np.ones(12, np.float32), intercept=False)
    rule = st.GradientDescent(0.1)
    st.minimize(objective, optimizer=rule, batch_size=1, max_epochs=1, record_path=recorded, diagnose=False)
    assert calls[0] == (4 if recorded else 12)
