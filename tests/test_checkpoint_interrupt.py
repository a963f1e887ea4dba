"""Ctrl-C with a checkpoint: the run writes where it was before it returns, and goes on from there to the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from checkpoints import assert_same_result, broken_off
from steepest.checkpoint.file import CheckpointFile
from steepest.descent import checkpoints

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 6))
Y = (X @ RNG.standard_normal(6) > RNG.logistic(size=400)).astype(float)
METHODS = {
    "QuasiNewton": {"optimizer": st.QuasiNewton},
    "descent": {"optimizer": lambda: st.Momentum(0.5)},
    "mini-batches": {"optimizer": lambda: st.Adam(0.01), "batch_size": 32},
}


@pytest.fixture(autouse=True)
def without_pause(monkeypatch):
    """The runs of these tests are shorter than the pause between two notes may be."""
    monkeypatch.setattr(checkpoints, "_PAUSE", 0)


def run(method, **options):
    given = METHODS[method]
    options = {**given, "optimizer": given["optimizer"](), "max_epochs": 12, "random_state": 0, **options}
    return st.minimize(st.Logistic(X, Y, alpha=1e-3), **options)


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_writes_a_checkpoint(method, tmp_path):
    """An hour before it would be time to, of the evaluation before that in which it came."""
    path = tmp_path / "run.steepest"
    options = {"checkpoint": path, "checkpoint_seconds": 3600}
    result = run(method, **options, callbacks=[broken_off(3, KeyboardInterrupt)])
    assert result.stop_reason == "interrupted"
    state = CheckpointFile(path).load().state
    assert state["n_epochs"] == 2
    assert_same_result(run(method, **options), run(method))


def test_ctrl_c_before_the_first_evaluation_writes_nothing(tmp_path):
    path = tmp_path / "run.steepest"
    result = run("mini-batches", checkpoint=path, callbacks=[broken_off(0, KeyboardInterrupt)])
    assert result.stop_reason == "interrupted"
    assert not path.exists()


def test_ctrl_c_within_a_pass_writes_the_state_before_it(tmp_path):
    """An objective in Python, whose step is an epoch. Nothing of the pass that was broken off is in the file."""
    calls = []

    def bowl(w):
        calls.append(w)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return float(w @ w), 2 * w

    path, function = tmp_path / "run.steepest", st.Function(bowl, 2)
    options = {"checkpoint": path, "max_epochs": 20}
    result = st.minimize(function, np.ones(2), st.Momentum(0.1), **options)
    assert (result.stop_reason, path.exists()) == ("interrupted", True)
    found = st.minimize(function, np.ones(2), st.Momentum(0.1), **options)
    assert len(calls) < 7 + 21  # it did not begin anew
    assert_same_result(found, st.minimize(function, np.ones(2), st.Momentum(0.1), max_epochs=20))


def test_a_note_does_not_change_with_the_run(tmp_path):
    """The state that is written is a copy: later steps change the run's own arrays in place."""
    path = tmp_path / "run.steepest"
    run("mini-batches", checkpoint=path, checkpoint_seconds=3600, callbacks=[broken_off(5, KeyboardInterrupt)])
    state = CheckpointFile(path).load().state
    epochs = state["n_epochs"]
    expected = run("mini-batches", max_epochs=epochs) if state["phase"] == "between" else None
    if expected is not None:
        assert state["runner/w"].tobytes() == expected.w.tobytes()


def test_ctrl_c_writes_for_an_estimator(tmp_path, monkeypatch):
    path, fits = tmp_path / "fit.steepest", []
    inner = checkpoints.Checkpoints.note

    def interrupting(self, run):
        inner(self, run)
        fits.append(run)
        if len(fits) == 3:
            raise KeyboardInterrupt

    settings = {"optimizer": "adam", "batch_size": 32, "max_iter": 8, "random_state": 0, "tol": 0.0}
    monkeypatch.setattr(checkpoints.Checkpoints, "note", interrupting)
    model = st.LogisticClassifier(**settings)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, checkpoint=path)
    assert (model.stop_reason_, path.exists()) == ("interrupted", True)
    monkeypatch.undo()
    found = st.LogisticClassifier(**settings).fit(X, Y, checkpoint=path)
    assert found.coef_.tobytes() == st.LogisticClassifier(**settings).fit(X, Y).coef_.tobytes()
