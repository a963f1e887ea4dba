"""What a run asks of a runner, and no more: an optimizer with a runner of its own goes through `minimize` unchanged."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest.optimizers.runner import Evaluation, Runner, StepPlan, Steps, StopReason
from steepest.optimizers.runner_for import runner_for
from steepest.optimizers.runners import NativeRunner, PythonRunner
from steepest.quasi_newton.runner import QuasiNewtonRunner

X = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0], [0.5, 0.25]])
Y = np.array([0.0, 1.0, 1.0, 0.0])
PLAN = StepPlan()


class HalvingRunner(Runner):
    """Halves w, until it is small."""

    def __init__(self, objective, w):
        self.objective, self.parameters, self.taken, self.fetched = objective, w, 0, 0

    @property
    def n_steps(self):
        return self.taken

    def evaluate(self):
        value, gradient = self.objective.value_and_gradient(self.parameters.copy())
        return Evaluation(value, float(np.linalg.norm(gradient)))

    def run(self, learning_rates, seconds, path):
        self.parameters /= 2
        self.taken += 1
        if abs(self.parameters).max() < 0.1:
            self.finished = StopReason.PRECISION
        if path is not None:
            path[0] = self.parameters
        return Steps(1, True, False)

    def restore(self):
        raise AssertionError("the values are finite")

    def fetch(self):
        self.fetched += 1

    def verdict(self, reason):
        return StopReason.ROUNDING if reason == StopReason.PRECISION else reason


class Halving(st.GradientDescent):
    def runner(self, objective, w, plan):
        self.made = HalvingRunner(objective, w)
        return self.made


def test_a_run_knows_the_protocol_alone():
    optimizer = Halving(1.0)
    bowl = st.Function(lambda w: (float(w @ w), 2 * w), 2)
    result = st.minimize(bowl, np.array([1.0, -1.0]), optimizer, record_path=True, diagnose=False)
    assert result.stop_reason == "rounding"
    assert (result.n_epochs, result.n_steps, optimizer.n_steps, optimizer.made.fetched) == (4, 4, 4, 1)
    np.testing.assert_array_equal(result.w, [1 / 16, -1 / 16])
    np.testing.assert_array_equal(result.path[:, 0], [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16])
    np.testing.assert_array_equal(result.history["loss"], 2 * result.path[:, 0] ** 2)


@pytest.mark.parametrize(
    ("objective", "optimizer", "kind"),
    [
        (st.Logistic(X, Y), st.Adam(), NativeRunner),
        (st.Softmax(X, Y), st.Momentum(0.1), NativeRunner),
        (st.Function(lambda w: (float(w @ w), 2 * w), 2), st.Adam(), PythonRunner),
        (st.Logistic(X, Y), st.QuasiNewton(), QuasiNewtonRunner),
    ],
)
def test_an_optimizer_gives_the_runner_for_an_objective(objective, optimizer, kind):
    w = np.zeros(objective.n_parameters)
    runner = optimizer.runner(objective, w, PLAN)
    assert type(runner) is kind
    assert runner.parameters is w
    assert runner.evaluate() == Evaluation(*runner.evaluate())
    steps = runner.run(np.array([0.1]), np.inf, None)
    assert steps == Steps(taken=1, epoch_ended=True, diverged=False)
    assert runner.n_steps == 1
    assert runner.verdict(StopReason.MAX_EPOCHS) == StopReason.MAX_EPOCHS


def test_a_plan_is_kept_by_the_native_runner():
    bounds = st.Box(-0.01, 0.01).bind("objective", 3, 3, np.dtype(np.float64))
    w = np.zeros(3)
    runner = runner_for(st.LeastSquares(X, Y), st.GradientDescent(0.1), w, StepPlan(2, True, 7, bounds))
    assert runner.run(np.full(5, 0.1), np.inf, None) == Steps(2, True, False)  # two batches of two rows
    assert np.abs(w).max() == 0.01


@pytest.mark.parametrize("options", [{"max_epochs": 1}, {"stop": st.stop.GradientNorm(1e9)}, {"max_seconds": 0.0}])
def test_users_get_a_plain_text(options):
    result = st.minimize(st.Logistic(X, Y), optimizer=st.Adam(), **options)
    assert type(result.stop_reason) is str
    assert result.stop_reason in {"max_epochs", "GradientNorm", "max_seconds"}
    assert f"stop_reason={result.stop_reason!r}" in repr(result)


def test_a_rule_of_a_user_is_named_by_its_class():
    class AtOnce(st.stop.StopRule):
        def __call__(self, progress):
            return True

    assert st.minimize(st.Logistic(X, Y), optimizer=st.Adam(), stop=AtOnce()).stop_reason == "AtOnce"
