"""Checkpoints of runs with stopping rules and callbacks."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from checkpoint_problems import X, Y, logistic
from checkpoints import BrokenOffError, assert_same_result, resumed


class Patient(st.stop.StopRule):
    """A user's rule that remembers."""

    def __init__(self, most):
        self.most, self.seen = most, []

    def reset(self):
        self.seen = []

    def state(self):
        return {"seen": np.array(self.seen), "count": np.int64(len(self.seen))}

    def resume(self, state):
        self.seen = state["seen"].tolist()
        assert len(self.seen) == state["count"]

    def __call__(self, progress):
        self.seen.append(progress.loss)
        return len(self.seen) > self.most


STOPS = {
    "GradientNorm": lambda: [st.stop.GradientNorm(0.03)],
    "LossChange": lambda: [st.stop.LossChange(2e-4)],
    "ParameterChange": lambda: [st.stop.ParameterChange(0.02)],
    "NoImprovement": lambda: [st.stop.NoImprovement(4)],
    "Patient": lambda: [Patient(13)],
    "two": lambda: [st.stop.GradientNorm(1e-9), Patient(11)],
}


@pytest.mark.parametrize("stop", STOPS)
def test_stopping_rules_remember(stop, tmp_path):
    def make():
        options = {"stop": STOPS[stop](), "max_epochs": 300, "validation": (X[::-1] + 0.3, Y)}
        return (logistic(), np.full(6, 0.5), st.Momentum(0.05)), options

    arguments, options = make()
    expected = st.minimize(*arguments, **options)
    assert expected.stop_reason == type(options["stop"][-1]).__name__
    epochs = sorted({2, expected.n_epochs // 2, expected.n_epochs - 1, expected.n_epochs})
    assert_same_result(resumed(make, tmp_path / "run", epochs), expected)
    arguments, options = make()
    assert_same_result(st.minimize(*arguments, **options, checkpoint=tmp_path / "run"), expected)


@pytest.mark.parametrize(
    ("loose", "tight"),
    [
        (lambda: st.stop.GradientNorm(0.1), lambda: st.stop.GradientNorm(0.01)),
        (lambda: st.stop.LossChange(1e-3), lambda: st.stop.LossChange(1e-5)),
        (lambda: st.stop.ParameterChange(0.05), lambda: st.stop.ParameterChange(0.004)),
        (lambda: st.stop.NoImprovement(2), lambda: st.stop.NoImprovement(9)),
        (lambda: Patient(5), lambda: Patient(8)),
        (lambda: Patient(5), lambda: Patient(5)),
    ],
)
def test_rules_that_allow_more_let_a_finished_run_go_on(loose, tight, tmp_path):
    def run(rule, **options):
        start = np.full(6, 0.5)
        own = {"stop": rule, "max_epochs": 400, "validation": (X[::-1] + 0.3, Y)}
        return st.minimize(logistic(), start, st.Momentum(0.05), **own, **options)

    first = run(loose(), checkpoint=tmp_path / "run")
    assert first.stop_reason == type(loose()).__name__
    assert_same_result(first, run(loose()))
    assert_same_result(run(tight(), checkpoint=tmp_path / "run"), run(tight()))


def test_a_callback_that_ended_a_run_is_asked_again(tmp_path):
    def run(epoch, **options):
        return st.minimize(
            logistic(), optimizer=st.Adam(0.1), max_epochs=9, callbacks=lambda each: each.epoch >= epoch, **options
        )

    for epoch in (3, 3, 6, 20):
        assert_same_result(run(epoch, checkpoint=tmp_path / "run"), run(epoch))


def test_a_resumed_run_tells_callbacks_the_same(tmp_path):
    def run(heard, last=None, **options):
        def callback(progress):
            if progress.epoch == last:
                raise BrokenOffError
            heard.append((progress.epoch, progress.n_steps, progress.loss, progress.parameter_change, *progress.w))

        st.minimize(logistic(), optimizer=st.Adam(0.1), max_epochs=9, callbacks=callback, **options)

    unbroken, heard = [], []
    run(unbroken)
    with pytest.raises(BrokenOffError):
        run(heard, 4, checkpoint=tmp_path / "run", checkpoint_seconds=0)
    run(heard, checkpoint=tmp_path / "run", checkpoint_seconds=0)
    assert heard == unbroken
